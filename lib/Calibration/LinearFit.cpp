//===- LinearFit.cpp - A linear layer from examples -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/LinearFit.h"

using namespace plmc;

llvm::Expected<InputStatistics> InputStatistics::of(Gemm &gemm,
                                                    const Matrix &inputs) {
  InputStatistics result;
  result.mean = inputs.colwise().mean();
  result.centred = inputs.rowwise() - result.mean.transpose();
  auto hessian = gemm.gram(result.centred);
  if (!hessian)
    return hessian.takeError();
  result.hessian = *hessian / float(std::max<int64_t>(inputs.rows(), 1));
  return result;
}

llvm::Expected<LinearStatistics>
InputStatistics::with(Gemm &gemm, const Matrix &wanted, const Matrix &weight,
                      const Vector &bias) const {
  LinearStatistics result;
  result.tokens = wanted.rows();
  result.inputMean = mean;
  // r = t - W x - b; the means of t and b meet a mean of x that is 0.
  result.residualMean = wanted.colwise().mean();
  result.residualMean -= weight * mean + bias;
  auto cross = gemm.transposedTimes(wanted, centred);
  if (!cross)
    return cross.takeError();
  auto given = gemm.times(weight, hessian);
  if (!given)
    return given.takeError();
  result.cross = *cross / float(std::max<int64_t>(result.tokens, 1)) - *given;
  result.hessian = hessian;
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

llvm::Expected<Matrix> plmc::dampedInverse(const Matrix &h, double damping) {
  if (!h.allFinite())
    return notFinite();
  for (; damping < 100; damping *= 10) {
    Eigen::LLT<Eigen::MatrixXf> llt(damped(h, damping));
    if (llt.info() != Eigen::Success)
      continue; // not positive in f32: more damping
    Matrix inverse = llt.solve(Eigen::MatrixXf::Identity(h.rows(), h.cols()));
    if (inverse.allFinite())
      return inverse;
  }
  return notFinite();
}

llvm::Expected<Matrix> plmc::fitWeight(const Matrix &weight,
                                       const LinearStatistics &statistics,
                                       double lambda) {
  if (!statistics.hessian.allFinite() || !statistics.cross.allFinite())
    return notFinite();
  Eigen::LLT<Eigen::MatrixXf> llt(damped(statistics.hessian, lambda));
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
