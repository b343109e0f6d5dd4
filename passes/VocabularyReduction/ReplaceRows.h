//===- ReplaceRows.h - Another vocabulary for a model -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_REPLACEROWS_H
#define PLMC_PASSES_VOCABULARYREDUCTION_REPLACEROWS_H

#include "VocabularyUses.h"

namespace plmc {

/// What a new id is made of: old ids with weights that sum to 1.
using RowMix = llvm::SmallVector<std::pair<int32_t, double>, 1>;

/// Gives the model a vocabulary of `rows`: the table, and decoders with their
/// biases, whose outputs become as wide. A row of one part is copied as it is.
/// An error if the model compares its ids with one that changes.
llvm::Error replaceRows(VocabularyUses &uses, mlir::func::FuncOp func,
                        mlir::SymbolTable &symbols,
                        llvm::ArrayRef<RowMix> rows);

} // namespace plmc

#endif // PLMC_PASSES_VOCABULARYREDUCTION_REPLACEROWS_H
