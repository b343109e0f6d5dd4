//===- TileProduct.h - Products in matrix registers (AMX) -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELS_TILEPRODUCT_H
#define PLMC_LIB_CODEGEN_KERNELS_TILEPRODUCT_H

#include "Kernels.h"

namespace plmc {

/// How the words of a column are divided: `count` steps of `words` words, which
/// go through tiles; what is left goes through vectors.
struct TileSteps {
  int64_t words = 0, count = 0;
  int64_t done() const { return words * count; }
  static TileSteps of(int64_t words);
};

/// Rows of a group of two tiles.
constexpr int64_t tileGroupRows = 32;

/// Products of this format and K go through tiles on this target.
bool usesTiles(const TargetInfo &target, const DotFormat &format, int64_t k);

/// Up to so many rows are left to vectors.
int64_t fewTileRows(const DotFormat &format);

/// One panel of columns and any number of rows: the arguments of a register
/// tile of buildLinear, then their number (i64). `few[r]` computes r rows, for
/// r up to fewTileRows; `activate` what buildLinear has it for.
mlir::func::FuncOp buildTileRows(KernelBuilder &b, mlir::ModuleOp module,
                                 const LinearSpec &spec, llvm::StringRef name,
                                 int64_t valid, mlir::func::FuncOp activate,
                                 llvm::ArrayRef<mlir::func::FuncOp> few);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_TILEPRODUCT_H
