//===- Transpose.h - Squares of 32-bit elements -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELS_TRANSPOSE_H
#define PLMC_LIB_CODEGEN_KERNELS_TRANSPOSE_H

#include "../KernelBuilder.h"

namespace plmc {

/// The columns of a square: `lanes` vectors of `lanes` 32-bit elements, in
/// log2(lanes) shuffles a vector.
llvm::SmallVector<Value> emitTranspose(KernelBuilder &b,
                                       llvm::ArrayRef<Value> rows);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_TRANSPOSE_H
