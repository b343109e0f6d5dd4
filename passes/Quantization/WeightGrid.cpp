//===- WeightGrid.cpp - The values that a weight may take -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightGrid.h"
#include "plmc/Support/BFloat16.h"
#include <algorithm>
#include <cmath>

using namespace plmc;

int8_t GridLine::round(float value, int64_t bits) const {
  float low = -float(1 << (bits - 1)), high = -low - 1;
  return int8_t(
      std::clamp(std::nearbyint(value / scale) + float(zero), low, high));
}

GridLine plmc::chooseLine(llvm::ArrayRef<float> values, const GridShape &shape,
                          llvm::ArrayRef<float> importance) {
  float low = 0, high = 0; // 0 is always on the grid
  for (float value : values) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  GridLine best;
  if (low == high)
    return best; // all are 0
  float half = float(1 << (shape.bits - 1));
  double bestError = INFINITY;
  auto consider = [&](float scale, float zero) {
    if (shape.roundScale)
      scale = roundToBF16(scale);
    if (scale == 0 || !std::isfinite(scale))
      return;
    GridLine line{scale, int8_t(std::clamp(zero, -half, half - 1))};
    double error = 0;
    for (size_t i = 0; i < values.size() && error < bestError; ++i) {
      double e = values[i] - line.value(line.round(values[i], shape.bits));
      error += e * e * (importance.empty() ? 1 : importance[i]);
    }
    if (error < bestError) {
      bestError = error;
      best = line;
    }
  };
  // The fewer the bits, the more it pays to cut off the ends.
  int steps = shape.bits >= 8 ? 4 : 24;
  float least = shape.bits >= 8 ? 0.95f : shape.bits <= 2 ? 0.3f : 0.5f;
  for (int step = 0; step <= steps; ++step) {
    float share = 1 - (1 - least) * float(step) / float(steps);
    if (shape.symmetric) {
      float longer = high > -low ? -high : low;
      consider(share * longer / -half, 0); // the longer side at -half
      consider(share * std::max(high, -low) / (half - 1 + (half == 1)), 0);
      continue;
    }
    float scale = share * (high - low) / (2 * half - 1);
    // Codes begin at -half: zero - half is where `low` falls.
    for (float shift : {0.0f, 0.5f, 1.0f})
      consider(scale,
               std::nearbyint(-share * low / scale - half + shift - 0.5f));
  }
  return best;
}
