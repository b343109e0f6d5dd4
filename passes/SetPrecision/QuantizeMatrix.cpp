//===- QuantizeMatrix.cpp - A matrix in 2 to 8 bits ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantizeMatrix.h"
#include "plmc/Support/BFloat16.h"
#include <algorithm>
#include <cmath>
#include <cstring>

using namespace plmc;

namespace {
/// What some values have in common.
struct Affine {
  float scale = 0;
  int zero = 0;
};

/// Finds the scale and zero point of some values, and their codes.
class Quantizer {
public:
  explicit Quantizer(const QuantizedForm &form)
      : form(form), most((1 << (form.bits - 1)) - 1),
        least(form.asymmetric || form.signedScales ? -most - 1 : -most) {}

  Affine choose(llvm::ArrayRef<float> values) const;
  int8_t code(float value, const Affine &affine) const {
    if (std::isnan(value))
      return static_cast<int8_t>(affine.zero);
    float inverse = affine.scale != 0 ? 1 / affine.scale : 0;
    return static_cast<int8_t>(std::nearbyint(
        std::clamp(value * inverse + float(affine.zero), least, most)));
  }

private:
  double error(llvm::ArrayRef<float> values, const Affine &affine) const;

  const QuantizedForm &form;
  const float most, least;
};
} // namespace

double Quantizer::error(llvm::ArrayRef<float> values,
                        const Affine &affine) const {
  double sum = 0;
  for (float value : values) {
    double difference =
        value - double(affine.scale) * (code(value, affine) - affine.zero);
    sum += difference * difference;
  }
  return sum;
}

Affine Quantizer::choose(llvm::ArrayRef<float> values) const {
  // Values that are not finite do not count, so that they do not make nothing
  // of their neighbours. 0 is always among the values that can be stored.
  float max = 0, min = 0;
  for (float value : values)
    if (std::isfinite(value)) {
      max = std::max(max, value);
      min = std::min(min, value);
    }
  if (max == min)
    return {};
  if (form.bits >= 8) {
    float scale = std::max(max, -min) / most;
    // To nearest, even below: the greatest value is then off by a quarter of a
    // step at most, as others are by half of one.
    return {form.scalesInBF16 ? roundToBF16(scale) : scale, 0};
  }
  Affine best;
  double bestError = INFINITY;
  // The zero point that fits the range and its neighbours: what is cut off at
  // one end may be worth it.
  int first = 0, last = 0;
  if (form.asymmetric) {
    int middle =
        int(std::nearbyint(least - min / (max - min) * (most - least)));
    first = std::max(int(least), middle - 1);
    last = std::min(int(most), middle + 1);
  }
  // Down to this part of the range: the fewer the bits, the more is cut off.
  float part = form.bits == 2 ? 0.3f : form.bits == 3 ? 0.5f : 0.6f;
  constexpr int steps = 20;
  auto tryParts = [&](float whole, int zero) {
    for (int step = 0; step <= steps; ++step) {
      Affine affine{whole * (1 - (1 - part) * step / steps), zero};
      if (form.scalesInBF16)
        affine.scale = roundToBF16(affine.scale);
      if (double found = error(values, affine); found < bestError) {
        bestError = found;
        best = affine;
      }
    }
  };
  for (int zero = first; zero <= last; ++zero) {
    float whole = 0;
    if (most > zero)
      whole = max / (most - zero);
    if (zero > least)
      whole = std::max(whole, min / (least - zero));
    tryParts(whole, zero);
  }
  if (form.signedScales) // the same of the values' opposites
    tryParts(-std::max(-min / most, -max / least), 0);
  return best;
}

QuantizedMatrix plmc::quantizeMatrix(llvm::ArrayRef<char> matrix, int64_t rows,
                                     int64_t columns,
                                     const QuantizedForm &form) {
  QuantizedMatrix result;
  result.values.resize(rows * columns);
  int64_t slices = form.axis == 0 ? rows : columns;
  int64_t length = form.axis == 0 ? columns : rows;
  int64_t size = form.block ? form.block : length;
  int64_t blocks = (length + size - 1) / size;
  result.scales.resize(slices * blocks);
  if (form.asymmetric)
    result.zeroPoints.resize(slices * blocks);
  Quantizer quantizer(form);
  auto at = [&](int64_t slice, int64_t i) {
    return form.axis == 0 ? slice * columns + i : i * columns + slice;
  };
  std::vector<float> values;
  for (int64_t slice = 0; slice < slices; ++slice)
    for (int64_t b = 0; b < blocks; ++b) {
      int64_t first = b * size, last = std::min(length, first + size);
      values.resize(last - first);
      for (int64_t i = first; i < last; ++i)
        std::memcpy(&values[i - first], matrix.data() + at(slice, i) * 4, 4);
      Affine affine = quantizer.choose(values);
      int64_t index = form.axis == 0 ? slice * blocks + b : b * slices + slice;
      result.scales[index] = affine.scale;
      if (form.asymmetric)
        result.zeroPoints[index] = static_cast<int8_t>(affine.zero);
      for (int64_t i = first; i < last; ++i)
        result.values[at(slice, i)] = quantizer.code(values[i - first], affine);
    }
  return result;
}
