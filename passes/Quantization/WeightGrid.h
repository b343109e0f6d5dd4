//===- WeightGrid.h - The values that a weight may take ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_QUANTIZATION_WEIGHTGRID_H
#define PLMC_PASSES_QUANTIZATION_WEIGHTGRID_H

#include "plmc/Calibration/Matrix.h"
#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace plmc {

/// scale * (q - zero), q an integer of `bits` bits, [-2^(bits-1), 2^(bits-1)).
struct GridLine {
  float scale = 1;
  int8_t zero = 0;

  int8_t round(float value, int64_t bits) const;
  float value(int8_t q) const { return scale * float(q - zero); }
};

struct GridShape {
  int64_t bits = 4;
  bool symmetric = true;
  /// The scale is rounded to bfloat16, as scales of groups are stored.
  bool roundScale = false;
};

/// The line of least squared error on these values among a few scales; with a
/// weight for each value, or none. Symmetric lines may have a negative scale:
/// -2^(bits-1) has no counterpart, so the longer side gets it.
GridLine chooseLine(llvm::ArrayRef<float> values, const GridShape &shape,
                    llvm::ArrayRef<float> importance = {});

} // namespace plmc

#endif // PLMC_PASSES_QUANTIZATION_WEIGHTGRID_H
