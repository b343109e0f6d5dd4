//===- QuantizeMatrix.cpp - A matrix in 8 or 4 bits -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantizeMatrix.h"
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace plmc;

/// Values that are not finite count as 0, so that they do not make nothing of
/// their neighbours.
static float magnitude(float value) {
  return std::isfinite(value) ? std::fabs(value) : 0;
}

static int8_t code(float value, float inverse, float limit) {
  if (std::isnan(value))
    return 0;
  return static_cast<int8_t>(
      std::nearbyint(std::clamp(value * inverse, -limit, limit)));
}

/// The scale of some values, see quantizeMatrix.
static float chooseScale(llvm::ArrayRef<float> values, int64_t bits) {
  float limit = (1 << (bits - 1)) - 1;
  float max = 0;
  for (float value : values)
    max = std::max(max, magnitude(value));
  if (max == 0)
    return 0;
  if (bits >= 8)
    return max / limit;
  float best = max / limit;
  double bestError = INFINITY;
  for (int step = 0; step <= 20; ++step) {
    float scale = max / limit * (1 - 0.02f * step);
    double error = 0;
    for (float value : values) {
      double difference = value - double(scale) * code(value, 1 / scale, limit);
      error += difference * difference;
    }
    if (error < bestError) {
      bestError = error;
      best = scale;
    }
  }
  return best;
}

QuantizedMatrix plmc::quantizeMatrix(llvm::ArrayRef<char> matrix, int64_t rows,
                                     int64_t columns, int64_t axis,
                                     int64_t block, int64_t bits) {
  QuantizedMatrix result;
  result.values.resize(rows * columns);
  int64_t slices = axis == 0 ? rows : columns;
  int64_t length = axis == 0 ? columns : rows;
  int64_t size = block ? block : length;
  int64_t blocks = (length + size - 1) / size;
  result.scales.resize(slices * blocks);
  float limit = (1 << (bits - 1)) - 1;
  auto at = [&](int64_t slice, int64_t i) {
    return axis == 0 ? slice * columns + i : i * columns + slice;
  };
  std::vector<float> values;
  for (int64_t slice = 0; slice < slices; ++slice)
    for (int64_t b = 0; b < blocks; ++b) {
      int64_t first = b * size, last = std::min(length, first + size);
      values.resize(last - first);
      for (int64_t i = first; i < last; ++i)
        std::memcpy(&values[i - first], matrix.data() + at(slice, i) * 4, 4);
      float scale = chooseScale(values, bits);
      float inverse = scale > 0 ? 1 / scale : 0;
      result.scales[axis == 0 ? slice * blocks + b : b * slices + slice] =
          scale;
      for (int64_t i = first; i < last; ++i)
        result.values[at(slice, i)] = code(values[i - first], inverse, limit);
    }
  return result;
}
