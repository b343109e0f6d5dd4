//===- NeuronChoice.cpp - Which inputs of a layer can go ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NeuronChoice.h"
#include "plmc/Calibration/LinearFit.h"
#include "llvm/ADT/STLExtras.h"
#include <numeric>

using namespace plmc;

llvm::Expected<NeuronChoice> plmc::chooseNeurons(const Matrix &weight,
                                                 const Matrix &hessian,
                                                 int64_t keep, double damping) {
  auto inverse = dampedInverse(hessian, damping);
  if (!inverse)
    return inverse.takeError();
  NeuronChoice result;
  result.weight = weight;
  std::vector<int64_t> left(weight.cols());
  std::iota(left.begin(), left.end(), 0);
  // Of the columns that are left only.
  Matrix w = weight, h = *inverse;
  while (int64_t(left.size()) > keep) {
    int64_t count = std::min<int64_t>(left.size() - keep,
                                      std::max<int64_t>(1, left.size() / 64));
    Vector cost = w.colwise().squaredNorm().transpose().array() /
                  h.diagonal().array().max(1e-20f);
    std::vector<int64_t> order(left.size());
    std::iota(order.begin(), order.end(), 0);
    llvm::stable_sort(order,
                      [&](int64_t a, int64_t b) { return cost[a] < cost[b]; });
    std::vector<int64_t> gone(order.begin(), order.begin() + count),
        stay(order.begin() + count, order.end());
    llvm::sort(gone);
    llvm::sort(stay);
    // W -= W_P (H^-1_PP)^-1 H^-1_P., and the same of H^-1.
    Matrix corner(count, count), rows(count, int64_t(stay.size()));
    Matrix lost(w.rows(), count), kept(w.rows(), int64_t(stay.size()));
    Matrix next(int64_t(stay.size()), int64_t(stay.size()));
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t j = 0; j < count; ++j)
        corner(i, j) = h(gone[i], gone[j]);
      for (size_t j = 0; j < stay.size(); ++j)
        rows(i, j) = h(gone[i], stay[j]);
      lost.col(i) = w.col(gone[i]);
    }
    for (size_t i = 0; i < stay.size(); ++i) {
      kept.col(i) = w.col(stay[i]);
      for (size_t j = 0; j < stay.size(); ++j)
        next(i, j) = h(stay[i], stay[j]);
    }
    Eigen::LLT<Eigen::MatrixXf> llt{Eigen::MatrixXf(corner)};
    Matrix solved = llt.solve(Eigen::MatrixXf(rows));
    kept.noalias() -= lost * solved;
    next.noalias() -= rows.transpose() * solved;
    w = std::move(kept);
    h = std::move(next);
    std::vector<int64_t> remaining;
    for (int64_t i : stay)
      remaining.push_back(left[i]);
    left = std::move(remaining);
  }
  if (!w.allFinite())
    return llvm::createStringError("neurons cannot be chosen: the activations "
                                   "of a layer do not vary enough; give more "
                                   "calibration text");
  result.weight.setZero();
  for (size_t i = 0; i < left.size(); ++i)
    result.weight.col(left[i]) = w.col(i);
  result.kept = std::move(left);
  return result;
}
