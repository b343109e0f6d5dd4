//===- Precision.h - Operands of products below f32 -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_INTERPRETER_PRECISION_H
#define PLMC_LIB_INTERPRETER_PRECISION_H

#include "llvm/ADT/ArrayRef.h"
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace plmc::interp {

/// Replaces a row by its codes and returns what they stand for, scale * code +
/// shift: `precision int8` of plm.linear. The codes are found in f32, so that
/// every implementation finds the same. A row that is not finite: codes 0, NaN.
struct Int8Row {
  float scale, shift;
};
inline Int8Row encodeInt8(llvm::MutableArrayRef<float> row) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  float min = std::numeric_limits<float>::infinity(), max = -min;
  bool finite = true;
  for (float x : row) {
    finite &= std::isfinite(x);
    min = std::fmin(min, x);
    max = std::fmax(max, x);
  }
  finite &= std::isfinite(max - min);
  float shift = 0.5f * min + 0.5f * max;
  float inverse = finite && max > min ? 254.0f / (max - min) : 0;
  for (float &x : row)
    x = finite ? std::nearbyint(std::fmin(
                     std::fmax((x - shift) * inverse, -127.0f), 127.0f))
               : 0;
  if (!finite)
    return {nan, nan};
  return {(max - min) * (1.0f / 254.0f), shift};
}

} // namespace plmc::interp

#endif // PLMC_LIB_INTERPRETER_PRECISION_H
