//===- Positions.h - Relative and rotary positions --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef PLMC_FRONTEND_HUGGINGFACE_POSITIONS_H
#define PLMC_FRONTEND_HUGGINGFACE_POSITIONS_H

#include "ModelBuilder.h"

namespace plmc::huggingface {

/// query - key, or key - query with `keyMinusQuery`: i64 [length, length].
Tensor positionDifferences(ModelBuilder &b, const DimExpr &length,
                           bool keyMinusQuery);
/// values[d + limit] for every difference d, those beyond +-limit cut to it.
/// `table` holds 2*limit + 1 values along its last dimension:
/// [2*limit+1] gives [length, length], [heads, 2*limit+1] gives
/// [heads, length, length].
Tensor lookupByDifference(ModelBuilder &b, const Tensor &table,
                          const Tensor &differences, int64_t limit);

/// [B, S, heads*size] to [B, heads, S, size].
Tensor splitHeads(ModelBuilder &b, const Tensor &x, int64_t heads);

/// Scores of every position with an embedding of its distance to another one:
/// x [B, S, heads*size] and `table` [1, heads|1, size, R] give
/// [B, heads, S, S], where `index` [S, S] holds, for query and key, a number
/// below R. x is the query's, or with `ofKey` the key's.
///
/// Exporters gather along the last dimension of [B, heads, S, R], by an index
/// as large as the scores. Since it depends on the two positions alone, one
/// gather from [S * R] by an index [S, S] does for all heads and sentences.
Tensor scoresByDistance(ModelBuilder &b, const Tensor &x, const Tensor &table,
                        const Tensor &index, int64_t heads, bool ofKey);

/// 0 where |query - key| <= reach, else -inf: f32 [1, 1, length, length].
Tensor windowBias(ModelBuilder &b, const DimExpr &length, int64_t reach);

/// Rotary position embedding (Su et al., 2021), the pairs half a head apart:
/// one table for all layers that share a base.
class Rotary {
public:
  /// Angles p * theta^(-2i/size) for positions below `positions`, as f32.
  Rotary(ModelBuilder &b, double theta, int64_t size, int64_t positions,
         const std::string &name);
  /// x [B, S, heads*size] with every head turned by its position's angles.
  Tensor rotate(const Tensor &x, int64_t heads) const;

private:
  ModelBuilder &b;
  int64_t size, positions;
  Tensor cosines, sines; // [positions, size / 2]
};

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_POSITIONS_H
