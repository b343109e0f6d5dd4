//===- Factors.h - A matrix as a product of two -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_LOWRANK_FACTORS_H
#define PLMC_PASSES_LOWRANK_FACTORS_H

#include "plmc/Calibration/Matrix.h"
#include "llvm/Support/Error.h"

namespace plmc {

/// The decomposition of a weight [N, K] by the variance of its outputs.
struct Spectrum {
  Matrix vectors;         // [N or K, min(N, K)], the largest first
  Eigen::VectorXd values; // variance of the outputs along each
  Matrix root;            // where K < N: C with H = C C^T

  /// The least rank that keeps this share of the variance.
  int64_t rankFor(double energy) const;
};

/// Of W with inputs whose second moments are `hessian` + damping mean(diagonal)
/// I. An error if they are not finite.
llvm::Expected<Spectrum> decompose(const Matrix &weight, const Matrix &hessian,
                                   double damping);

struct Factors {
  Matrix left, right; // [N, rank], [rank, K]
};
Factors factorsOf(const Matrix &weight, const Spectrum &spectrum, int64_t rank);

/// The largest rank at which the two factors are smaller than the matrix.
inline int64_t breakEvenRank(int64_t n, int64_t k) {
  return (n * k - 1) / (n + k);
}

} // namespace plmc

#endif // PLMC_PASSES_LOWRANK_FACTORS_H
