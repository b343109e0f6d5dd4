//===- LinearFit.cpp - A linear layer from examples -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/LinearFit.h"

using namespace plmc;

llvm::Expected<InputStatistics> InputStatistics::of(Gemm &gemm,
                                                    RowSource inputs) {
  InputStatistics result;
  result.mean = inputs.mean();
  result.centred =
      std::move(inputs).then([mean = result.mean](Matrix &block, int64_t) {
        block.rowwise() -= mean.transpose();
      });
  auto hessian = gemm.gram(result.centred);
  if (!hessian)
    return hessian.takeError();
  result.hessian = std::move(*hessian);
  result.hessian /= float(std::max<int64_t>(result.centred.rows, 1));
  return result;
}

llvm::Expected<LinearStatistics>
InputStatistics::with(Gemm &gemm, const RowSource &wanted, const Matrix &weight,
                      const Vector &bias) const {
  LinearStatistics result;
  result.tokens = wanted.rows;
  result.inputMean = mean;
  // r = t - W x - b; the means of t and b meet a mean of x that is 0.
  result.residualMean = wanted.mean();
  result.residualMean -= weight * mean + bias;
  auto cross = gemm.transposedTimes(wanted, centred);
  if (!cross)
    return cross.takeError();
  auto given = gemm.times(weight, hessian);
  if (!given)
    return given.takeError();
  result.cross = *cross / float(std::max<int64_t>(result.tokens, 1)) - *given;
  return result;
}

static llvm::Error notFinite() {
  return llvm::createStringError(
      "the model's activations on the calibration data are not finite");
}

static Matrix damped(const Matrix &h, double damping) {
  Matrix result = h;
  float mean = h.diagonal().mean();
  // A feature that never varies has to stay invertible.
  result.diagonal().array() += float(damping) * mean + 1e-12f;
  return result;
}

/// With the rows and columns of H in reverse order H = L L^T; so, in order
/// again, H = R R^T with R upper triangular, and H^-1 = (R^-1)^T R^-1. That
/// takes a fifth of the arithmetic of inverting H and factoring the inverse.
llvm::Expected<Matrix> plmc::inverseCholesky(const Matrix &h, double damping) {
  if (!h.allFinite())
    return notFinite();
  int64_t n = h.rows();
  for (; damping < 100; damping *= 10) {
    Eigen::MatrixXf reversed = damped(h, damping).reverse();
    Eigen::LLT<Eigen::Ref<Eigen::MatrixXf>> llt(reversed); // in place
    if (llt.info() != Eigen::Success)
      continue; // not positive in f32: more damping
    // L^-1, some columns at a time: what is above them is 0.
    Matrix inverse = Matrix::Zero(n, n);
    constexpr int64_t step = 128;
    for (int64_t j = 0; j < n; j += step) {
      int64_t columns = std::min(step, n - j), rows = n - j;
      Eigen::MatrixXf part = Eigen::MatrixXf::Identity(rows, columns);
      reversed.bottomRightCorner(rows, rows)
          .triangularView<Eigen::Lower>()
          .solveInPlace(part);
      inverse.block(j, j, rows, columns) = part;
    }
    reversed.resize(0, 0);
    inverse.reverseInPlace();
    if (inverse.allFinite())
      return inverse;
  }
  return notFinite();
}

llvm::Expected<Matrix> plmc::dampedInverse(const Matrix &h, double damping) {
  auto upper = inverseCholesky(h, damping);
  if (!upper)
    return upper.takeError();
  Matrix inverse = Matrix::Zero(h.rows(), h.cols());
  inverse.selfadjointView<Eigen::Lower>().rankUpdate(upper->transpose());
  inverse.triangularView<Eigen::StrictlyUpper>() = inverse.transpose();
  return inverse;
}

llvm::Expected<Matrix> plmc::fitWeight(const Matrix &weight,
                                       const LinearStatistics &statistics,
                                       double lambda) {
  if (!statistics.hessian.allFinite() || !statistics.cross.allFinite())
    return notFinite();
  Eigen::MatrixXf hessian = damped(statistics.hessian, lambda);
  Eigen::LLT<Eigen::Ref<Eigen::MatrixXf>> llt(hessian); // in place
  if (llt.info() != Eigen::Success)
    return notFinite();
  Matrix change =
      llt.solve(Eigen::MatrixXf(statistics.cross.transpose())).transpose();
  return Matrix(weight + change);
}

Vector plmc::biasChange(const Matrix &weight, const Matrix &changed,
                        const LinearStatistics &statistics) {
  return statistics.residualMean - (changed - weight) * statistics.inputMean;
}

void plmc::roundRowsToInt8(Matrix &rows) {
  for (int64_t i = 0; i < rows.rows(); ++i) {
    auto row = rows.row(i).array();
    float low = row.minCoeff(), high = row.maxCoeff(), range = high - low;
    if (!(range > 0))
      continue;
    float middle = 0.5f * low + 0.5f * high, step = range / 254;
    row = ((row - middle) / step).round() * step + middle;
  }
}
