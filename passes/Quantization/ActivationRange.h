//===- ActivationRange.h - One scale for all of a value ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_QUANTIZATION_ACTIVATIONRANGE_H
#define PLMC_PASSES_QUANTIZATION_ACTIVATIONRANGE_H

#include "plmc/Calibration/Matrix.h"
#include <cstdint>
#include <vector>

namespace plmc {

/// (q - zero) * scale, q a signed byte.
struct ActivationScale {
  float scale = 1;
  int8_t zero = 0;
};

enum class RangeMethod { MinMax, Percentile, SquaredError };

/// The scale for some numbers. 0 is always among those that can be said.
/// `Percentile` cuts off the (100 - percentile) % of the numbers that lie
/// farthest out, half of them at either end; `SquaredError` as much at either
/// end as makes the error least. Numbers that are not finite do not count.
ActivationScale chooseActivationScale(const Matrix &values, RangeMethod method,
                                      double percentile);

} // namespace plmc

#endif // PLMC_PASSES_QUANTIZATION_ACTIVATIONRANGE_H
