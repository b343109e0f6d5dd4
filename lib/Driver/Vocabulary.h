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
/// beside the output, where no other place is given.
void chooseTokenizerFolder(Recipe &recipe, llvm::StringRef output);

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
