//===- QuantizeMatrix.h - A matrix in 8 or 4 bits ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_SETPRECISION_QUANTIZEMATRIX_H
#define PLMC_PASSES_SETPRECISION_QUANTIZEMATRIX_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <vector>

namespace plmc {

struct QuantizedMatrix {
  std::vector<int8_t> values; // [rows, columns], as the matrix
  std::vector<float> scales;  // [slices] or, by the axis, [rows / b, columns]
};

/// Symmetric, to nearest: value = scale * q with |q| < 2^(bits-1). Each slice
/// along `axis` (0: a row, 1: a column) has a scale; with `block` > 0 every
/// `block` elements of it have one, and the scales are a matrix, the other
/// axis divided by the block. In 8 bits the scale comes from the greatest
/// magnitude; in fewer the best of several below it, by the squared error.
/// `matrix` is row major and need not be aligned.
QuantizedMatrix quantizeMatrix(llvm::ArrayRef<char> matrix, int64_t rows,
                               int64_t columns, int64_t axis, int64_t block,
                               int64_t bits);

} // namespace plmc

#endif // PLMC_PASSES_SETPRECISION_QUANTIZEMATRIX_H
