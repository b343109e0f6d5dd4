//===- VectorMath.h - Approximations of our own -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Each takes f32 or a vector of f32. Errors are absolute unless said
// otherwise, measured over all f32 inputs of the range by
// test/unit/VectorMathTest.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_VECTORMATH_H
#define PLMC_LIB_CODEGEN_VECTORMATH_H

#include "KernelBuilder.h"
#include "plmc/Dialect/PLM/PLM.h"

namespace plmc {

/// 2^x for x in [-126, 127], relative error <= 1.8e-7; below, 2^-126 or less;
/// NaN stays NaN.
Value emitExp2(KernelBuilder &b, Value x);
/// e^x, relative error <= 2e-7 + rounding of x * log2(e).
Value emitExp(KernelBuilder &b, Value x);
/// x Phi(x) with Phi by erf: error <= 2e-7.
Value emitGelu(KernelBuilder &b, Value x);
Value emitActivation(KernelBuilder &b, plm::ActivationKind kind, Value x);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_VECTORMATH_H
