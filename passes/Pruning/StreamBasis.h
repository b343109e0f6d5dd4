//===- StreamBasis.h - Principal components in front of a norm --*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRUNING_STREAMBASIS_H
#define PLMC_PASSES_PRUNING_STREAMBASIS_H

#include "plmc/Calibration/Matrix.h"
#include "llvm/Support/Error.h"

namespace plmc {

/// P [H, k], orthonormal but for one direction: x P are coordinates of x, less
/// its mean, in which a layer norm is the RMS norm that it is in its own.
///
/// A layer norm takes out the mean, (1, .., 1), and divides by the length; only
/// the length is the same in other coordinates. So the k - 1 first principal
/// components of the centred x are turned into the k - 1 directions of R^k
/// that have no mean: the layer norm over k columns then takes out nothing.
/// With k = H nothing is lost.
///
/// Those k - 1 directions are cosines (DCT-II without the constant one), which
/// spreads the first components evenly over the columns: a product in int8
/// scales a row by its greatest element.
///
/// `moments`: [H, H], the mean of x^T x. An error if it is not finite.
llvm::Expected<Matrix> streamBasis(const Matrix &moments, int64_t columns);

} // namespace plmc

#endif // PLMC_PASSES_PRUNING_STREAMBASIS_H
