//===- ColumnChoice.cpp - Which inputs of a layer can go ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ColumnChoice.h"
#include "plmc/Calibration/LinearFit.h"
#include "llvm/ADT/STLExtras.h"
#include <numeric>

using namespace plmc;

namespace {

using LLT = Eigen::LLT<Eigen::MatrixXf>;

/// Damage to the squared error of the outputs.
std::vector<double> leastSquaresScore(const Matrix &weight,
                                      const Matrix &inverse, int64_t size) {
  std::vector<double> result;
  for (int64_t at = 0; at < weight.cols(); at += size) {
    if (size == 1) {
      result.push_back(weight.col(at).squaredNorm() /
                       std::max(inverse(at, at), 1e-20f));
      continue;
    }
    LLT llt(Eigen::MatrixXf(inverse.block(at, at, size, size)));
    Eigen::MatrixXf part = weight.middleCols(at, size).transpose();
    result.push_back(part.cwiseProduct(llt.solve(part)).sum());
  }
  return result;
}

/// The columns of some blocks.
std::vector<int64_t> expand(llvm::ArrayRef<int64_t> blocks, int64_t size) {
  std::vector<int64_t> columns;
  for (int64_t block : blocks)
    for (int64_t i = 0; i < size; ++i)
      columns.push_back(block * size + i);
  return columns;
}

Matrix pick(const Matrix &from, llvm::ArrayRef<int64_t> rows,
            llvm::ArrayRef<int64_t> columns) {
  Matrix result(int64_t(rows.size()), int64_t(columns.size()));
  for (auto [i, row] : llvm::enumerate(rows))
    for (auto [j, column] : llvm::enumerate(columns))
      result(i, j) = from(row, column);
  return result;
}

} // namespace

llvm::Expected<ColumnChoice>
plmc::chooseColumns(const Matrix &weight, const Matrix &hessian, int64_t keep,
                    double damping, int64_t size, BlockScore score) {
  auto inverse = dampedInverse(hessian, damping);
  if (!inverse)
    return inverse.takeError();
  ColumnChoice result;
  std::vector<int64_t> left(weight.cols() / size), outputs(weight.rows());
  std::iota(left.begin(), left.end(), 0);
  std::iota(outputs.begin(), outputs.end(), 0);
  // Of the columns that are left only.
  Matrix w = weight, h = std::move(*inverse);
  while (int64_t(left.size()) > keep) {
    int64_t count = std::min<int64_t>(left.size() - keep,
                                      std::max<int64_t>(1, left.size() / 64));
    std::vector<double> cost =
        score ? score(w, h, left) : leastSquaresScore(w, h, size);
    std::vector<int64_t> order(left.size());
    std::iota(order.begin(), order.end(), 0);
    llvm::stable_sort(order,
                      [&](int64_t a, int64_t b) { return cost[a] < cost[b]; });
    std::vector<int64_t> gone(order.begin(), order.begin() + count),
        stay(order.begin() + count, order.end());
    for (int64_t block : gone)
      result.damages.push_back(cost[block]);
    llvm::sort(gone);
    llvm::sort(stay);
    // W -= W_P (H^-1_PP)^-1 H^-1_P., and the same of H^-1.
    std::vector<int64_t> out = expand(gone, size), in = expand(stay, size);
    Matrix rows = pick(h, out, in), lost = pick(w, outputs, out);
    LLT llt{Eigen::MatrixXf(pick(h, out, out))};
    Matrix solved = llt.solve(Eigen::MatrixXf(rows));
    Matrix kept = pick(w, outputs, in), next = pick(h, in, in);
    kept.noalias() -= lost * solved;
    next.noalias() -= rows.transpose() * solved;
    w = std::move(kept);
    h = std::move(next);
    std::vector<int64_t> remaining;
    for (int64_t i : stay)
      remaining.push_back(left[i]);
    left = std::move(remaining);
  }
  if (!w.allFinite())
    return llvm::createStringError("neurons cannot be chosen: the activations "
                                   "of a layer do not vary enough; give more "
                                   "calibration text");
  result.kept = expand(left, size);
  result.weight = Matrix::Zero(weight.rows(), weight.cols());
  for (auto [from, to] : llvm::enumerate(result.kept))
    result.weight.col(to) = w.col(from);
  return result;
}
