//===- LinearFit.h - A linear layer from examples ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_LINEARFIT_H
#define PLMC_CALIBRATION_LINEARFIT_H

#include "plmc/Calibration/Gemm.h"

namespace plmc {

/// What calibration tells about a linear layer y = W x + b, W [N, K]: its
/// inputs x as they now are (with the errors of earlier layers) and by how much
/// the layer's output is then off, r = wanted - (W x + b). Both about their
/// means, over the tokens.
struct LinearStatistics {
  Matrix hessian;      // [K, K]: mean of (x - xbar)(x - xbar)^T
  Matrix cross;        // [N, K]: mean of (r - rbar)(x - xbar)^T
  Vector inputMean;    // [K]
  Vector residualMean; // [N]
  int64_t tokens = 0;
};

/// The inputs' part of it, the same for all layers that read one value.
struct InputStatistics {
  RowSource centred; // [tokens, K]
  Matrix hessian;
  Vector mean;

  static llvm::Expected<InputStatistics> of(Gemm &gemm, RowSource inputs);
  /// Of a layer that is wanted to give `wanted` [tokens, N], but for the
  /// Hessian. What the layer gives is not computed for that: its part of the
  /// sums follows from the Hessian.
  llvm::Expected<LinearStatistics> with(Gemm &gemm, const RowSource &wanted,
                                        const Matrix &weight,
                                        const Vector &bias) const;
};

/// W + cross (hessian + lambda mean(diagonal) I)^-1: the least-squares fit that
/// gives the wanted output, held near W. An error if the Hessian is not finite.
llvm::Expected<Matrix> fitWeight(const Matrix &weight,
                                 const LinearStatistics &statistics,
                                 double lambda);

/// The change of the bias that makes the mean output right after W has become
/// `changed`.
Vector biasChange(const Matrix &weight, const Matrix &changed,
                  const LinearStatistics &statistics);

/// The inverse of h + damping mean(diagonal) I.
llvm::Expected<Matrix> dampedInverse(const Matrix &h, double damping);

/// U, upper triangular, with U^T U that inverse.
llvm::Expected<Matrix> inverseCholesky(const Matrix &h, double damping);

/// Rows as a product in int8 sees them: 255 steps of each row's own range
/// (plm.linear).
void roundRowsToInt8(Matrix &rows);

} // namespace plmc

#endif // PLMC_CALIBRATION_LINEARFIT_H
