//===- WordTable.h - The largest weight of many encoders --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_WORDTABLE_H
#define PLMC_CALIBRATION_WORDTABLE_H

#include "mlir/IR/SymbolTable.h"
#include "plmc/Calibration/Matrix.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace plmc {

/// A table of plm.embedding that is an f32 parameter, and whatever reads it.
struct WordTable {
  plm::ParameterOp parameter;
  Matrix values; // [V, W], finite
  llvm::SmallVector<plm::EmbeddingOp> lookups;
  /// Decoders of tied models: products with W^T.
  llvm::SmallVector<plm::LinearOp> decoders;

  /// The parameter `name`, or without a name the table with the most rows that
  /// a plm.embedding reads. An error, in one line, if there is none, if it is
  /// no f32 parameter (any more) or if other ops read it, too.
  static llvm::Expected<WordTable> find(mlir::SymbolTable &symbols,
                                        llvm::StringRef name);

  /// "@name".
  std::string symbol() const {
    return ("@" + plm::ParameterOp(parameter).getSymName()).str();
  }
  int64_t bytes() const { return values.size() * 4; }

  /// A parameter beside the table, named after it.
  plm::ParameterOp addParameter(mlir::SymbolTable &symbols,
                                llvm::StringRef suffix,
                                mlir::RankedTensorType type,
                                mlir::AsmResourceBlob blob) const;
  /// Erases the parameter and reads of it that are not used (any more).
  void erase(mlir::SymbolTable &symbols);
};

/// How much the rows of a table matter: for `frequency` how often each id is in
/// the calibration set, plus `smoothing` times the mean, for `none` 1. The mean
/// of all is 1. Errors name the option.
llvm::Expected<std::vector<double>> rowWeights(int64_t rows,
                                               llvm::StringRef weighting,
                                               llvm::StringRef calibration,
                                               double smoothing);

} // namespace plmc

#endif // PLMC_CALIBRATION_WORDTABLE_H
