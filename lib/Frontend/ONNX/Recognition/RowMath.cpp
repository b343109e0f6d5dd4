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

double applyUnary(UnaryKind kind, double x) {
  switch (kind) {
  case UnaryKind::Neg:
    return -x;
  case UnaryKind::Abs:
    return std::fabs(x);
  case UnaryKind::Exp:
    return std::exp(x);
  case UnaryKind::Log:
    return std::log(x);
  case UnaryKind::Sqrt:
    return std::sqrt(x);
  case UnaryKind::Rsqrt:
    return 1 / std::sqrt(x);
  case UnaryKind::Reciprocal:
    return 1 / x;
  case UnaryKind::Erf:
    return std::erf(x);
  case UnaryKind::Sign:
    return (x > 0) - (x < 0);
  case UnaryKind::Softplus:
    return std::log1p(std::exp(x));
  default:
    return NAN;
  }
}

double applyBinary(BinaryKind kind, double a, double b) {
  switch (kind) {
  case BinaryKind::Add:
    return a + b;
  case BinaryKind::Sub:
    return a - b;
  case BinaryKind::Mul:
    return a * b;
  case BinaryKind::Div:
    return a / b;
  case BinaryKind::Pow:
    return std::pow(a, b);
  case BinaryKind::Min:
    return std::min(a, b);
  case BinaryKind::Max:
    return std::max(a, b);
  default:
    return NAN;
  }
}

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

double evaluateActivation(ActivationKind kind, double x) {
  switch (kind) {
  case ActivationKind::Gelu:
    return x * 0.5 * (1 + std::erf(x * M_SQRT1_2));
  case ActivationKind::GeluTanh:
    return x * 0.5 *
           (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  case ActivationKind::Relu:
    return std::max(x, 0.0);
  case ActivationKind::Silu:
    return x / (1 + std::exp(-x));
  case ActivationKind::Tanh:
    return std::tanh(x);
  case ActivationKind::Sigmoid:
    return 1 / (1 + std::exp(-x));
  }
  return NAN;
}

} // namespace plmc::recognition
