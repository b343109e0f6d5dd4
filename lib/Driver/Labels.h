//===- Labels.h - --eval: scores on labelled texts --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_LABELS_H
#define PLMC_LIB_DRIVER_LABELS_H

#include "plmc/Evaluation/LabelledTask.h"
#include "plmc/Recipe/Recipe.h"
#include "plmc/Report/CompressReport.h"

namespace plmc {

bool needsLabels(llvm::ArrayRef<Condition> conditions);

/// The task of --eval, with the tokenizer of the model as it is now.
class Labels {
public:
  /// Reads the file and the recipe's tokenizer; before any model is read, as
  /// slips should be told at once.
  static llvm::Expected<std::unique_ptr<Labels>> read(llvm::StringRef path,
                                                      const Recipe &recipe);

  /// `module` is the original, recognized. Refuses conditions (of `option`)
  /// on what its outputs do not tell.
  llvm::Error prepare(mlir::ModuleOp module, llvm::StringRef option,
                      llvm::ArrayRef<Condition> conditions);
  /// After steps: the tokenizer follows.
  llvm::Error follow(mlir::ModuleOp module, const Recipe &recipe);
  llvm::Expected<Scores> score(LoadedModel &model) const;
  /// Without scores.
  LabelsReport report() const;

private:
  LabelledSet set;
  std::vector<std::string> outputs; // that the recipe keeps; empty: all
  std::optional<LabelledTask> task;
  std::unique_ptr<Tokenizer> tokenizer;
};

} // namespace plmc

#endif // PLMC_LIB_DRIVER_LABELS_H
