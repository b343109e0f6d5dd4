//===- RowSource.h - A tall matrix, some rows at a time ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_ROWSOURCE_H
#define PLMC_CALIBRATION_ROWSOURCE_H

#include "plmc/Calibration/Matrix.h"
#include <functional>

namespace plmc {

/// A matrix with a row for each token, whose rows are made when they are read,
/// as often as that is. What a wide layer reads is 160 MB for ten thousand
/// tokens, and a calibrated run holds it already: sums over tokens need no
/// second copy that is rounded, centred or without padding.
struct RowSource {
  using Read = std::function<Matrix(int64_t first, int64_t count)>;
  int64_t rows = 0, cols = 0;
  Read read;

  /// The rows of a matrix, which must outlive this.
  static RowSource of(const Matrix &matrix);
  /// These rows, each block of them changed.
  RowSource then(std::function<void(Matrix &block, int64_t first)> change) &&;
  /// The mean row.
  Vector mean() const;
};

} // namespace plmc

#endif // PLMC_CALIBRATION_ROWSOURCE_H
