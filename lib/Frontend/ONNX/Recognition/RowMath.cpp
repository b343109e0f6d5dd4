//===- RowMath.cpp - Arithmetic on rows -----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowMath.h"
#include <cmath>
#include <limits>
#include <random>

using namespace plmc::plm;

namespace plmc::recognition {

double reduceRow(ReduceKind kind, const Row &row) {
  double sum = 0, absolute = 0, square = 0;
  double least = row.front(), greatest = row.front();
  for (double x : row) {
    sum += x;
    absolute += std::fabs(x);
    square += x * x;
    least = std::min(least, x);
    greatest = std::max(greatest, x);
  }
  switch (kind) {
  case ReduceKind::Sum:
    return sum;
  case ReduceKind::Mean:
    return sum / row.size();
  case ReduceKind::Max:
    return greatest;
  case ReduceKind::Min:
    return least;
  case ReduceKind::L1:
    return absolute;
  case ReduceKind::L2:
    return std::sqrt(square);
  case ReduceKind::SumSquare:
    return square;
  default:
    return NAN;
  }
}

Row randomRow(int64_t width, unsigned seed, double spread, double shift) {
  // Not std::normal_distribution: its numbers differ between libraries.
  std::mt19937 random(seed);
  Row row(width);
  for (double &x : row)
    x = shift + spread * (random() / 2147483648.0 - 1);
  return row;
}

double rowDifference(const Row &a, const Row &b) {
  double difference = 0, scale = 0;
  if (a.size() != b.size())
    return std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i]))
      return std::numeric_limits<double>::infinity();
    difference = std::max(difference, std::fabs(a[i] - b[i]));
    scale = std::max(scale, std::fabs(b[i]));
  }
  return difference / (scale > 0 ? scale : 1);
}

} // namespace plmc::recognition
