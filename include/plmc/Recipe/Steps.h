//===- Steps.h - The steps that a recipe can have ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_RECIPE_STEPS_H
#define PLMC_RECIPE_STEPS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <string>
#include <vector>

namespace plmc {

/// A line of lib/Recipe/Steps.def.
struct StepInfo {
  llvm::StringRef name, pass;
  bool exact; // the model computes the same afterwards

  /// This build has the pass.
  bool isAvailable() const;
};

llvm::ArrayRef<StepInfo> allSteps();
/// Null if there is none.
const StepInfo *findStep(llvm::StringRef name);

/// One option of a pass, read off the registered pass itself.
struct StepOption {
  enum class Type { Flag, Integer, Unsigned, Number, Text, Other };
  std::string name, help;
  Type type = Type::Other;
  unsigned bits = 64; // of integers
  bool isList = false;
  std::string defaultValue; // "" of lists

  /// "integer", "list of texts", ...
  std::string typeName() const;
  /// True if a value (an element of a list) has the type.
  bool accepts(llvm::StringRef value) const;
};

/// The options of a registered pass by name; empty if it is not registered.
std::vector<StepOption> passOptions(llvm::StringRef pass);

/// All steps with the options of their passes, as a JSON array.
std::string stepsToJSON();

} // namespace plmc

#endif // PLMC_RECIPE_STEPS_H
