//===- StreamBasis.cpp - Principal components in front of a norm ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamBasis.h"
#include <Eigen/Eigenvalues>
#include <cmath>

using namespace plmc;

/// The n - 1 cosines of length n that sum to nothing, as columns.
static Eigen::MatrixXd cosines(int64_t n) {
  Eigen::MatrixXd result(n, n - 1);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 1; j < n; ++j)
      result(i, j - 1) =
          std::sqrt(2.0 / double(n)) *
          std::cos(M_PI * (double(i) + 0.5) * double(j) / double(n));
  return result;
}

llvm::Expected<Matrix> plmc::streamBasis(const Matrix &moments,
                                         int64_t columns) {
  if (!moments.allFinite())
    return llvm::createStringError(
        "the hidden states on the calibration data are not finite");
  // Within what has no mean, so that the constant direction is not taken for a
  // component where calibration leaves others empty.
  Eigen::MatrixXd centred = cosines(moments.rows());
  Eigen::MatrixXd inside =
      centred.transpose() * moments.cast<double>() * centred;
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(inside);
  if (solver.info() != Eigen::Success)
    return llvm::createStringError(
        "the principal components of the hidden states are not found");
  // Eigenvalues ascend.
  Eigen::MatrixXd first =
      centred *
      solver.eigenvectors().rightCols(columns - 1).rowwise().reverse();
  return Matrix((first * cosines(columns).transpose()).cast<float>());
}
