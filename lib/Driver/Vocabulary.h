//===- Vocabulary.h - The tokenizer that a module's ids are of --*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step may give a model another vocabulary (passes/VocabularyReduction). It
// writes the tokenizer of that into a folder, and its hash into the module.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_VOCABULARY_H
#define PLMC_LIB_DRIVER_VOCABULARY_H

#include "mlir/IR/BuiltinOps.h"
#include "plmc/Recipe/Recipe.h"
#include "plmc/Tokenizer/Tokenizer.h"

namespace plmc {

/// A smaller vocabulary is of no use without its tokenizer: that is written
/// beside the output, where no other place is given. Steps behind read texts
/// with it.
void chooseTokenizerFolder(Recipe &recipe, llvm::StringRef output);

/// Tokenizers that steps write, until the model that they belong to is there:
/// an older one beside an older model must survive a run that fails.
class NewTokenizers {
public:
  /// Has the steps of `recipe` write them elsewhere.
  explicit NewTokenizers(Recipe &recipe);
  ~NewTokenizers();
  NewTokenizers(const NewTokenizers &) = delete;
  NewTokenizers &operator=(const NewTokenizers &) = delete;

  /// A usage error where they could not be put in place.
  llvm::Error check() const;
  /// Writes them where the recipe had them.
  llvm::Error putInPlace();

private:
  /// What passes/VocabularyReduction writes.
  static constexpr const char *files[] = {"tokenizer.json", "vocab.txt",
                                          "ids.tsv"};
  std::vector<std::pair<std::string, std::string>> folders; // temporary, final
};

/// The hash that a step has written down, or "".
std::string vocabularyHash(mlir::ModuleOp module);
/// True if ids mean something else than before the steps.
bool hasOtherIds(mlir::ModuleOp module, mlir::Attribute before);

/// Makes `tokenizer`, which may be null, the module's own: if it has another
/// vocabulary, the one that a step of the recipe has written. An error if that
/// has another, too.
llvm::Error matchTokenizer(mlir::ModuleOp module, const Recipe &recipe,
                           std::unique_ptr<Tokenizer> &tokenizer);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_VOCABULARY_H
