//===- PreciseMath.h - Logarithms and angles --------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Some functions of positions are computed inside a model, and there an error
// of a few units in the last place is not enough: the bucket of a relative
// position is ceil(log(distance) ...), which jumps where the logarithm is an
// integer; rotary angles reach the length of the sequence in radians, and a
// reduction by a rounded pi loses a digit for each power of ten. Hot loops do
// not contain them. So they are computed in double precision and rounded once.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_TENSOROPS_PRECISEMATH_H
#define PLMC_LIB_CODEGEN_TENSOROPS_PRECISEMATH_H

#include "../KernelBuilder.h"

namespace plmc {

/// Of an f32 scalar; the result is the f32 next to the exact value but for one
/// case in millions. log(0) is -inf, log of a negative number NaN.
mlir::Value emitPreciseLog(KernelBuilder &b, mlir::Value x);
/// sin(x + quarters * pi / 2) of an f32 scalar; as good up to 1e9, and NaN for
/// infinities.
mlir::Value emitPreciseSine(KernelBuilder &b, mlir::Value x, int quarters);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_TENSOROPS_PRECISEMATH_H
