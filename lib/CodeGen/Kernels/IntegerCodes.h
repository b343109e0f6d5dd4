//===- IntegerCodes.h - Rows of 8-bit codes ---------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELS_INTEGERCODES_H
#define PLMC_LIB_CODEGEN_KERNELS_INTEGERCODES_H

#include "DotProduct.h"

namespace plmc {

struct RowToEncode {
  Value x;      // f32
  Value target; // EncodedRow
};

/// A row on a grid of its own: first the grid, then the codes.
void emitGrid(KernelBuilder &b, const RowToEncode &row, int64_t k,
              const EncodedRow &layout);
void emitCodesOnGrid(KernelBuilder &b, const RowToEncode &row, int64_t k,
                     const DotFormat &format, const EncodedRow &layout);

/// The codes of plm.quantize: saturate(round(x / scale) + zero).
void emitGivenCodes(KernelBuilder &b, const RowToEncode &row, int64_t k,
                    const DotFormat &format, const EncodedRow &layout,
                    const GivenCodes &given, Value scalePtr, Value zeroPtr);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_INTEGERCODES_H
