//===- Factors.cpp - A matrix as a product of two -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// With H = C C^T the error of the outputs, tr((W - W')H(W - W')^T), is the
// squared norm of W C - W' C, so the best W' is the truncated singular value
// decomposition of W C, times C^-1. With U its left vectors that is U U^T W:
// they are the eigenvectors of W H W^T, N x N, and C is not needed at all.
// Where K is smaller the right ones, V of C^T W^T W C, cost less: W' = W C V
// V^T C^-1.
//
// Between the factors stands diag(s)^(1/2) on both sides, s the deviations of
// the outputs along each vector: without it the components that are given on
// would be of very different size, which 8 bits a row do not bear.
//
//===----------------------------------------------------------------------===//

#include "Factors.h"

using namespace plmc;

int64_t Spectrum::rankFor(double energy) const {
  double wanted = values.sum() * energy, kept = 0;
  int64_t rank = 0;
  while (rank < values.size() && kept < wanted)
    kept += values[rank++];
  return std::max<int64_t>(rank, 1);
}

llvm::Expected<Spectrum>
plmc::decompose(const Matrix &weight, const Matrix &hessian, double damping) {
  auto notFinite = [] {
    return llvm::createStringError(
        "the model's activations on the calibration data are not finite");
  };
  if (!hessian.allFinite() || !weight.allFinite())
    return notFinite();
  Matrix moments = hessian;
  moments.diagonal().array() +=
      float(damping) * hessian.diagonal().mean() + 1e-12f;
  Spectrum result;
  Matrix square;
  if (weight.rows() <= weight.cols()) {
    Matrix product = weight * moments;
    square = product * weight.transpose();
  } else {
    Eigen::LLT<Eigen::MatrixXf> llt{Eigen::MatrixXf(moments)};
    if (llt.info() != Eigen::Success)
      return notFinite();
    result.root = llt.matrixL();
    Matrix product = weight * result.root;
    square = product.transpose() * product;
  }
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(
      Eigen::MatrixXd(square.cast<double>()));
  if (solver.info() != Eigen::Success)
    return notFinite();
  // Ascending there.
  result.values = solver.eigenvalues().reverse().cwiseMax(0);
  result.vectors = solver.eigenvectors().rowwise().reverse().cast<float>();
  // Of two opposite vectors the one whose largest element is positive.
  for (int64_t i = 0; i < result.vectors.cols(); ++i) {
    Eigen::Index largest;
    result.vectors.col(i).cwiseAbs().maxCoeff(&largest);
    if (result.vectors(largest, i) < 0)
      result.vectors.col(i) *= -1;
  }
  return result;
}

Factors plmc::factorsOf(const Matrix &weight, const Spectrum &spectrum,
                        int64_t rank) {
  Matrix vectors = spectrum.vectors.leftCols(rank);
  double floor = std::max(spectrum.values[0], 1e-30) * 1e-12;
  Vector deviations =
      spectrum.values.head(rank).cwiseMax(floor).cwiseSqrt().cast<float>();
  Vector up = deviations.cwiseSqrt(), down = up.cwiseInverse();
  Factors result;
  if (!spectrum.root.size()) {
    result.left = vectors * up.asDiagonal();
    result.right = down.asDiagonal() * vectors.transpose() * weight;
    return result;
  }
  Matrix product = weight * spectrum.root;
  result.left = product * vectors * down.asDiagonal();
  // V^T C^-1: a triangular system.
  Eigen::MatrixXf solved = Eigen::MatrixXf(spectrum.root)
                               .triangularView<Eigen::Lower>()
                               .transpose()
                               .solve(Eigen::MatrixXf(vectors));
  result.right = up.asDiagonal() * Matrix(solved.transpose());
  return result;
}
