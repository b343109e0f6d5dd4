//===- NonFinite.h - NaN and infinite weights -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_ANALYSIS_NONFINITE_H
#define PLMC_ANALYSIS_NONFINITE_H

#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace plmc {

/// A parameter with values that no training leaves there.
struct NonFiniteParameter {
  std::string name; // as in the model's file, where that is known
  int64_t nans = 0;
  int64_t infinities = 0;
};

/// The parameters of f16, bf16, f32 or f64 that hold NaN or infinite values.
/// An additive mask (every value 0 or -inf) is none of them. Reads every byte
/// of the weights once.
std::vector<NonFiniteParameter> findNonFinite(mlir::ModuleOp module);

/// "parameter 'w' holds 2 NaN and 1 infinite values; ...": one line for all of
/// them, "" if there are none.
std::string nonFiniteText(const std::vector<NonFiniteParameter> &parameters);

} // namespace plmc

#endif // PLMC_ANALYSIS_NONFINITE_H
