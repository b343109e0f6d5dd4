//===- Narrow.h - Layers with fewer outputs ---------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRUNING_NARROW_H
#define PLMC_PASSES_PRUNING_NARROW_H

#include "plmc/Calibration/LayerwiseFit.h"

namespace plmc {

/// Gives a value, or the result of an op, another last dimension.
void setWidth(mlir::Value value, int64_t width);

/// Some columns of a matrix.
Matrix columnsOf(const Matrix &matrix, llvm::ArrayRef<int64_t> columns);

/// Of the outputs of these layers, which have one weight, only `kept` stay.
/// Each has its own bias.
llvm::Error keepOutputs(llvm::ArrayRef<plm::LinearOp> ops,
                        llvm::ArrayRef<int64_t> kept,
                        mlir::SymbolTable &symbols);
/// The same while layers are fitted, which are then to give no others.
llvm::Error keepOutputs(llvm::ArrayRef<plm::LinearOp> ops,
                        llvm::ArrayRef<int64_t> kept, LayerwiseFit &fit);

} // namespace plmc

#endif // PLMC_PASSES_PRUNING_NARROW_H
