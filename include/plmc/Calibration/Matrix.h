//===- Matrix.h - Dense matrices on the host --------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_MATRIX_H
#define PLMC_CALIBRATION_MATRIX_H

#include <Eigen/Dense>

namespace plmc {

/// Row major, as tensors are: a row is a token, or an output of a weight.
using Matrix =
    Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXf;

} // namespace plmc

#endif // PLMC_CALIBRATION_MATRIX_H
