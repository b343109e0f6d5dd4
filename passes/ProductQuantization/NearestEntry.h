//===- NearestEntry.h - The nearest of up to 256 points ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRODUCTQUANTIZATION_NEARESTENTRY_H
#define PLMC_PASSES_PRODUCTQUANTIZATION_NEARESTENTRY_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>
#include <vector>

namespace plmc {

/// Entries laid out for a search: by vectors of 8 of them, absent ones never
/// the nearest.
class NearestEntry {
public:
  /// `entries` is [count, size], count at most 256.
  NearestEntry(llvm::ArrayRef<float> entries, int64_t size);

  /// For every point of [n, size] the entry that is nearest, of equally near
  /// ones the first; and in `distances`, if it is there, the squared distance
  /// less the point's own square. Gives the same on every CPU.
  void find(llvm::ArrayRef<float> points, uint8_t *codes,
            float *distances = nullptr) const;

private:
  int64_t size, vectors;
  std::vector<float> columns; // [1 + size][vectors * 8]: |c|^2, then -2 c
};

} // namespace plmc

#endif // PLMC_PASSES_PRODUCTQUANTIZATION_NEARESTENTRY_H
