//===- YamlTree.h - The part of YAML that recipes are written in -*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_RECIPE_YAMLTREE_H
#define PLMC_LIB_RECIPE_YAMLTREE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace plmc {

/// One value of a YAML text, with the line it begins on (from 1).
struct YamlNode {
  enum class Kind { Null, Scalar, List, Map };
  Kind kind = Kind::Null;
  unsigned line = 1;
  std::string scalar;
  std::vector<YamlNode> items;   // of a list; the values of a map
  std::vector<std::string> keys; // of a map, in order, unique

  /// "a map", "a list", "text", "nothing".
  llvm::StringRef kindName() const;
};

/// Parses one document. Refused, each in one line that begins with
/// "TITLE:LINE: ": what is not YAML; anchors and aliases, with which a few
/// lines stand for gigabytes; tags; a key that comes twice; a second document;
/// more than 1 MB or 16 levels.
llvm::Expected<YamlNode> parseYaml(llvm::StringRef text, llvm::StringRef title);

} // namespace plmc

#endif // PLMC_LIB_RECIPE_YAMLTREE_H
