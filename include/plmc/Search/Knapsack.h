//===- Knapsack.h - One option of each group, within a size -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SEARCH_KNAPSACK_H
#define PLMC_SEARCH_KNAPSACK_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <optional>
#include <vector>

namespace plmc {

struct KnapsackOption {
  int64_t bytes = 0; // not negative
  double cost = 0;
};
using KnapsackGroup = std::vector<KnapsackOption>;

/// The option of each group that makes the sum of costs least while the bytes,
/// each rounded up to a multiple of `unit`, do not exceed `limit`. Nullopt
/// where there is none. Of equal choices the one with fewer bytes, then the
/// first.
///
/// By dynamic programming: exact but for the rounding, which only errs towards
/// less. Time and memory grow with groups * limit / unit.
std::optional<std::vector<size_t>>
solveKnapsack(llvm::ArrayRef<KnapsackGroup> groups, int64_t limit,
              int64_t unit = 1);

} // namespace plmc

#endif // PLMC_SEARCH_KNAPSACK_H
