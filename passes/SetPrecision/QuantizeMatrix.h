//===- QuantizeMatrix.h - A matrix in 2 to 8 bits --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_SETPRECISION_QUANTIZEMATRIX_H
#define PLMC_PASSES_SETPRECISION_QUANTIZEMATRIX_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <tuple>
#include <vector>

namespace plmc {

struct QuantizedMatrix {
  std::vector<int8_t> values; // [rows, columns], as the matrix
  std::vector<float> scales;  // [slices] or, by the axis, [rows / b, columns]
  std::vector<int8_t> zeroPoints; // as the scales; none: symmetric
};

/// How a matrix is quantized. Each slice along `axis` (0: a row, 1: a column)
/// has a scale; with `block` > 0 every `block` elements of it have one, and the
/// scales are a matrix, the other axis divided by the block.
struct QuantizedForm {
  int64_t axis = 0, block = 0, bits = 8;
  /// With zero points: all 2^bits values are used, not one less.
  bool asymmetric = false;
  /// Symmetric, and all 2^bits values are used: the one that has no opposite
  /// goes where the greatest magnitude is, by the sign of the scale.
  bool signedScales = false;
  /// Scales are rounded to bfloat16.
  bool scalesInBF16 = false;
  bool operator<(const QuantizedForm &other) const {
    return std::tie(axis, block, bits, asymmetric, signedScales, scalesInBF16) <
           std::tie(other.axis, other.block, other.bits, other.asymmetric,
                    other.signedScales, other.scalesInBF16);
  }
};

/// To nearest: value = scale * (q - zero), -2^(bits-1) <= q < 2^(bits-1);
/// symmetric: zero = 0, and |q| < 2^(bits-1) unless scales have signs. In 8
/// bits the scale comes from the greatest magnitude; in fewer the best of
/// several below it, by the squared error. `matrix` is row major and need not
/// be aligned.
QuantizedMatrix quantizeMatrix(llvm::ArrayRef<char> matrix, int64_t rows,
                               int64_t columns, const QuantizedForm &form);

} // namespace plmc

#endif // PLMC_PASSES_SETPRECISION_QUANTIZEMATRIX_H
