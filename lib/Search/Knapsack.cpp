//===- Knapsack.cpp - One option of each group, within a size -------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Search/Knapsack.h"
#include <limits>

using llvm::ArrayRef;

namespace plmc {

std::optional<std::vector<size_t>> solveKnapsack(ArrayRef<KnapsackGroup> groups,
                                                 int64_t limit, int64_t unit) {
  if (limit < 0)
    return std::nullopt;
  constexpr double none = std::numeric_limits<double>::infinity();
  size_t width = size_t(limit / unit) + 1;
  // best[s]: the least cost of the groups so far in exactly s units.
  std::vector<double> best(width, none), next(width);
  best[0] = 0;
  std::vector<std::vector<uint8_t>> chosen;
  for (const KnapsackGroup &group : groups) {
    std::fill(next.begin(), next.end(), none);
    std::vector<uint8_t> choice(width, 0);
    for (size_t i = 0; i < group.size(); ++i) {
      size_t units = size_t((group[i].bytes + unit - 1) / unit);
      for (size_t s = units; s < width; ++s)
        if (double cost = best[s - units] + group[i].cost; cost < next[s]) {
          next[s] = cost;
          choice[s] = uint8_t(i);
        }
    }
    best.swap(next);
    chosen.push_back(std::move(choice));
  }
  size_t at = 0;
  for (size_t s = 1; s < width; ++s)
    if (best[s] < best[at])
      at = s;
  if (best[at] == none)
    return std::nullopt;
  std::vector<size_t> result(groups.size());
  for (size_t g = groups.size(); g-- > 0;) {
    result[g] = chosen[g][at];
    at -= size_t((groups[g][result[g]].bytes + unit - 1) / unit);
  }
  return result;
}

} // namespace plmc
