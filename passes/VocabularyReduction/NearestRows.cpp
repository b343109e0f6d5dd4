//===- NearestRows.cpp - A kept row for each row
//-----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NearestRows.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace plmc;

// The nearest of K rows k_j to a row x, by one product of matrices:
//
//   euclidean   |x - k_j|^2 = |x|^2 - 2 (x k_j - |k_j|^2 / 2)
//   cosine      x k_j / (|x| |k_j|)
//
// In both |x| is the same for all j: what is left is a maximum over j of
// x k_j a_j + b_j, where a scales column j of the product and b is added.
llvm::Expected<std::vector<int32_t>>
plmc::nearestRows(Gemm &gemm, const Matrix &table, llvm::ArrayRef<int32_t> kept,
                  RowDistance distance) {
  int64_t rows = table.rows(), width = table.cols();
  std::vector<int32_t> nearest(rows, -1);
  Matrix columns(width, kept.size());
  Vector offset = Vector::Zero(kept.size());
  for (auto [place, id] : llvm::enumerate(kept)) {
    nearest[id] = place;
    columns.col(place) = table.row(id).transpose();
    float norm = table.row(id).norm();
    if (distance == RowDistance::Euclidean)
      offset[place] = -norm * norm / 2;
    else if (norm > 0)
      columns.col(place) /= norm;
  }
  std::vector<int32_t> dropped;
  for (int64_t id = 0; id < rows; ++id)
    if (nearest[id] < 0)
      dropped.push_back(id);
  constexpr int64_t atOnce = 1024; // bounds the memory of the product
  for (size_t first = 0; first < dropped.size(); first += atOnce) {
    auto part = llvm::ArrayRef(dropped).drop_front(first).take_front(atOnce);
    Matrix wanted(part.size(), width);
    for (auto [i, id] : llvm::enumerate(part))
      wanted.row(i) = table.row(id);
    auto products = gemm.times(wanted, columns);
    if (!products)
      return products.takeError();
    for (auto [i, id] : llvm::enumerate(part)) {
      int32_t best = 0;
      float most = -INFINITY;
      for (int32_t place = 0; place < int32_t(kept.size()); ++place)
        if (float value = (*products)(i, place) + offset[place]; value > most) {
          most = value;
          best = place;
        }
      nearest[id] = best;
    }
  }
  return nearest;
}
