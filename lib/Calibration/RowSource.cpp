//===- RowSource.cpp - A tall matrix, some rows at a time -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/RowSource.h"

using namespace plmc;

RowSource RowSource::of(const Matrix &matrix) {
  return {matrix.rows(), matrix.cols(),
          [&matrix](int64_t first, int64_t count) -> Matrix {
            return matrix.middleRows(first, count);
          }};
}

RowSource
RowSource::then(std::function<void(Matrix &block, int64_t first)> change) && {
  return {rows, cols,
          [read = std::move(read), change = std::move(change)](int64_t first,
                                                               int64_t count) {
            Matrix block = read(first, count);
            change(block, first);
            return block;
          }};
}

Vector RowSource::mean() const {
  if (!rows)
    return Vector::Zero(cols);
  // In Eigen's order, four rows at a time: the error of the sum grows a quarter
  // as fast with the number of rows.
  constexpr int64_t step = 1024;
  static_assert(step % 4 == 0);
  Vector sum = read(0, 1).transpose();
  for (int64_t first = 1; first < rows; first += step) {
    Matrix block = read(first, std::min(step, rows - first));
    int64_t i = 0;
    for (; i + 4 <= block.rows(); i += 4)
      sum += ((block.row(i) + block.row(i + 1)) +
              (block.row(i + 2) + block.row(i + 3)))
                 .transpose();
    for (; i < block.rows(); ++i)
      sum += block.row(i).transpose();
  }
  return sum / float(rows);
}
