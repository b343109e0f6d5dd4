//===- VerifyTolerance.h - How far apart two runs may be --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_VERIFYTOLERANCE_H
#define PLMC_LIB_DRIVER_VERIFYTOLERANCE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Support/HostTensor.h"

namespace plmc {

bool computesInHalf(mlir::func::FuncOp func);

/// Half a unit in the last place of a 16-bit output falls to either side.
double roundingOf(DType dtype);

/// What is allowed where activations are rounded to 8 or 16 bits; 0 where they
/// are not. Any two orders of summation then fall to either side of a half
/// sooner or later, and are a whole step apart; over several layers such
/// differences grow to the noise of the rounding itself. (One product is exact
/// to rounding: CodeGenPrecisionTest, CodeGenQuantizeTest.) A model that came
/// quantized rounds at each plm.quantize; encoders of six layers with real
/// weights, correct to 1e-6 in each product, were up to 0.23 apart.
double toleranceOfRounding(mlir::func::FuncOp func);

/// True if a value of one sentence has a part in the rounding of another: a
/// dynamic quantisation takes its scale from the whole batch.
bool sharesRange(mlir::func::FuncOp func);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_VERIFYTOLERANCE_H
