//===- LinearTile.h - Register tiles of matrix products ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELS_LINEARTILE_H
#define PLMC_LIB_CODEGEN_KERNELS_LINEARTILE_H

#include "Kernels.h"

namespace plmc {

/// One tile of `rows` rows, of whose columns `valid` exist: (x, panel, bias,
/// residual, y : ptr), all at the tile's first row and column; with a quantised
/// weight then (scales, zero points : ptr); last the bytes of a row of y and of
/// the residual (i64), which may be null. The module has one for all products
/// that can share it.
mlir::func::FuncOp linearTile(KernelBuilder &b, mlir::ModuleOp module,
                              const LinearSpec &spec, int64_t rows,
                              int64_t valid);

/// Activates rows of a tile in place, and adds the residual: (y, residual :
/// ptr; rows).
mlir::func::FuncOp buildActivateTile(KernelBuilder &b, mlir::ModuleOp module,
                                     const LinearSpec &spec,
                                     llvm::StringRef name, int64_t valid);

/// `valid` values of a vector of columns, the first of which `vector` points
/// to; from column v * lanes on. The others are 0.
Value loadColumns(KernelBuilder &b, Value vector, int64_t v, int64_t valid);

/// Stores the accumulators of a tile with `valid` columns at y, plus the
/// residual unless there is none. Rows are `rowBytes` apart.
void storeTile(KernelBuilder &b, const LinearSpec &spec, int64_t rows,
               int64_t valid, llvm::ArrayRef<Value> acc, Value residual,
               Value y, Value rowBytes);

/// How far ahead to fetch weights that come from memory, in bytes; 0: not.
int64_t prefetchDistance(const LinearSpec &spec, int64_t rows);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_LINEARTILE_H
