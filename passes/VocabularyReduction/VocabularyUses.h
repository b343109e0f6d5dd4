//===- VocabularyUses.h - What is indexed by token ids ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_VOCABULARYUSES_H
#define PLMC_PASSES_VOCABULARYREDUCTION_VOCABULARYUSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "plmc/Calibration/Matrix.h"
#include "plmc/Dialect/PLM/PLM.h"

namespace plmc {

/// The parts of a model that know its vocabulary.
struct VocabularyUses {
  plm::ParameterOp table; // [rows, width] f32
  int64_t rows = 0, width = 0;
  llvm::SmallVector<plm::EmbeddingOp> embeddings;
  /// Their results, of the vocabulary's size, are outputs of the model.
  llvm::SmallVector<plm::LinearOp> decoders;
  bool tied = false; // a decoder's weight is the table
  llvm::SmallVector<mlir::BlockArgument> ids;

  /// Errors, one line each: there is no table, or several; it is quantised; it
  /// is read by something else.
  static llvm::Expected<VocabularyUses> find(mlir::func::FuncOp func,
                                             mlir::SymbolTable &symbols);

  llvm::Expected<Matrix> values() const;
};

/// A line that begins with the name of the op's node, where that is known.
llvm::Error errorAt(mlir::Operation *op, const llvm::Twine &text);

} // namespace plmc

#endif // PLMC_PASSES_VOCABULARYREDUCTION_VOCABULARYUSES_H
