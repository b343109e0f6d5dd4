//===- KMeans.h - Weighted k-means of small vectors -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRODUCTQUANTIZATION_KMEANS_H
#define PLMC_PASSES_PRODUCTQUANTIZATION_KMEANS_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <vector>

namespace plmc {

/// Entries [count, size] such that the weighted squared distances of `points`
/// [n, size] to the nearest entry are small; at most as many entries as there
/// are points. The result is a function of the arguments alone.
std::vector<float> kMeans(llvm::ArrayRef<float> points, int64_t size,
                          llvm::ArrayRef<double> weights, int64_t count,
                          int64_t iterations, uint64_t seed);

} // namespace plmc

#endif // PLMC_PASSES_PRODUCTQUANTIZATION_KMEANS_H
