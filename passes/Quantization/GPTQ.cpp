//===- GPTQ.cpp - Rounding that makes up for itself -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GPTQ.h"
#include "mlir/IR/Threading.h"
#include "plmc/Calibration/LinearFit.h"
#include <numeric>

using namespace plmc;

/// Grids of all outputs, [N, blocks].
static RoundedWeight chooseGrids(const Matrix &weight, int64_t block,
                                 const GridShape &shape,
                                 llvm::ArrayRef<float> importance = {}) {
  RoundedWeight result;
  int64_t n = weight.rows(), k = weight.cols(), size = block ? block : k;
  result.blocks = (k + size - 1) / size;
  result.lines.resize(n * result.blocks);
  result.codes.resize(n * k);
  result.values.resize(n, k);
  for (int64_t row = 0; row < n; ++row)
    for (int64_t b = 0; b < result.blocks; ++b) {
      int64_t count = std::min(size, k - b * size);
      result.lines[row * result.blocks + b] = chooseLine(
          llvm::ArrayRef(weight.row(row).data() + b * size, count), shape,
          importance.empty() ? importance : importance.slice(b * size, count));
    }
  return result;
}

RoundedWeight plmc::roundToNearest(const Matrix &weight, int64_t block,
                                   const GridShape &shape) {
  RoundedWeight result = chooseGrids(weight, block, shape);
  int64_t k = weight.cols(), size = block ? block : k;
  for (int64_t row = 0; row < weight.rows(); ++row)
    for (int64_t column = 0; column < k; ++column) {
      const GridLine &line = result.lines[row * result.blocks + column / size];
      int8_t code = line.round(weight(row, column), shape.bits);
      result.codes[row * k + column] = code;
      result.values(row, column) = line.value(code);
    }
  return result;
}

llvm::Expected<RoundedWeight>
plmc::roundByGPTQ(const Matrix &weight, const Matrix &hessian, int64_t block,
                  const GridShape &shape, double damping) {
  int64_t n = weight.rows(), k = weight.cols(), size = block ? block : k;
  Vector diagonal = hessian.diagonal();
  RoundedWeight result = chooseGrids(
      weight, block, shape, llvm::ArrayRef(diagonal.data(), diagonal.size()));
  std::vector<int> order(k);
  std::iota(order.begin(), order.end(), 0);
  llvm::stable_sort(order,
                    [&](int a, int b) { return diagonal[a] > diagonal[b]; });
  // Inputs are rows here: a step touches one row of all outputs.
  Matrix w(k, n);
  Matrix h(k, k);
  for (int64_t i = 0; i < k; ++i) {
    w.row(i) = weight.col(order[i]).transpose();
    for (int64_t j = 0; j < k; ++j)
      h(i, j) = hessian(order[i], order[j]);
  }
  auto cholesky = inverseCholesky(h, damping);
  if (!cholesky)
    return cholesky.takeError();
  const Matrix &upper = *cholesky;

  constexpr int64_t step = 128; // of inputs whose effect on the rest is summed
  for (int64_t first = 0; first < k; first += step) {
    int64_t last = std::min(first + step, k);
    Matrix errors(last - first, n);
    for (int64_t i = first; i < last; ++i) {
      int64_t column = order[i];
      for (int64_t row = 0; row < n; ++row) {
        const GridLine &line =
            result.lines[row * result.blocks + column / size];
        int8_t code = line.round(w(i, row), shape.bits);
        float value = line.value(code);
        result.codes[row * k + column] = code;
        result.values(row, column) = value;
        errors(i - first, row) = (w(i, row) - value) / upper(i, i);
      }
      for (int64_t j = i + 1; j < last; ++j)
        w.row(j) -= upper(i, j) * errors.row(i - first);
    }
    if (last < k)
      w.bottomRows(k - last).noalias() -=
          upper.block(first, last, last - first, k - last).transpose() * errors;
  }
  return result;
}
