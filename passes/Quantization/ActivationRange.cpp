//===- ActivationRange.cpp - One scale for all of a value -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A value has some ten million numbers in a calibration set. A histogram of a
// few thousand steps stands for them: two passes over the numbers, and then
// every range that is tried costs the steps of the histogram.
//
//===----------------------------------------------------------------------===//

#include "ActivationRange.h"
#include <algorithm>
#include <cmath>

using namespace plmc;

namespace {

constexpr int steps = 8192;

struct Histogram {
  float least = 0, most = 0;   // 0 is between them
  std::vector<double> numbers; // in each step
  double total = 0;

  explicit Histogram(const Matrix &values);
  float width() const { return (most - least) / steps; }
  float middle(int step) const { return least + (step + 0.5f) * width(); }
};

} // namespace

Histogram::Histogram(const Matrix &values) : numbers(steps) {
  const float *begin = values.data(), *end = begin + values.size();
  for (const float *x = begin; x != end; ++x)
    if (std::isfinite(*x)) {
      least = std::min(least, *x);
      most = std::max(most, *x);
    }
  if (least == most)
    return;
  float perStep = 1 / width();
  for (const float *x = begin; x != end; ++x)
    if (std::isfinite(*x)) {
      ++numbers[std::clamp(int((*x - least) * perStep), 0, steps - 1)];
      ++total;
    }
}

static ActivationScale scaleOf(float least, float most) {
  least = std::min(least, 0.0f);
  most = std::max(most, 0.0f);
  ActivationScale result;
  if (!(most - least > 0))
    return result;
  result.scale = (most - least) / 255;
  result.zero = static_cast<int8_t>(
      std::clamp(std::nearbyint(-128 - least / result.scale), -128.f, 127.f));
  return result;
}

static double squaredError(const Histogram &histogram,
                           const ActivationScale &scale) {
  double sum = 0;
  for (int i = 0; i < steps; ++i) {
    if (!histogram.numbers[i])
      continue;
    float x = histogram.middle(i);
    float code =
        std::clamp(std::nearbyint(x / scale.scale) + scale.zero, -128.f, 127.f);
    double difference = (code - scale.zero) * scale.scale - x;
    sum += histogram.numbers[i] * difference * difference;
  }
  return sum;
}

ActivationScale plmc::chooseActivationScale(const Matrix &values,
                                            RangeMethod method,
                                            double percentile) {
  Histogram histogram(values);
  float least = histogram.least, most = histogram.most;
  if (method == RangeMethod::MinMax || least == most)
    return scaleOf(least, most);
  if (method == RangeMethod::Percentile) {
    double outside = histogram.total * (1 - percentile / 100) / 2;
    auto first = [&](bool fromEnd) {
      double seen = 0;
      int i = 0;
      for (; i < steps - 1; ++i) {
        seen += histogram.numbers[fromEnd ? steps - 1 - i : i];
        if (seen > outside)
          break;
      }
      return float(i) * histogram.width();
    };
    return scaleOf(least + first(false), most - first(true));
  }
  ActivationScale best = scaleOf(least, most);
  double bestError = squaredError(histogram, best);
  constexpr int shares = 20; // down to a twentieth of either end
  for (int low = 1; low <= shares; ++low)
    for (int high = 1; high <= shares; ++high) {
      ActivationScale scale =
          scaleOf(least * low / shares, most * high / shares);
      if (double error = squaredError(histogram, scale); error < bestError) {
        bestError = error;
        best = scale;
      }
      // Where there is nothing on one side, its shares are all the same.
      if (most == 0)
        break;
    }
  return best;
}
