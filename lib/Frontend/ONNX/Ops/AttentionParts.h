//===- AttentionParts.h - What attention operators share --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention operators of every domain are written out in the primitives that
// exporters without the operator produce, so that one recogniser serves all:
//
//   softmax(Q K^T * scale + bias) V
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_OPS_ATTENTIONPARTS_H
#define PLMC_FRONTEND_ONNX_OPS_ATTENTIONPARTS_H

#include "../Node.h"

namespace plmc::importer {

/// [B, S, heads*D] to [B, heads, S, D].
Tensor splitHeads(GraphBuilder &b, const Tensor &x, int64_t heads);
/// [B, heads, S, D] to [B, S, heads*D].
Tensor mergeHeads(GraphBuilder &b, const Tensor &x);
/// [B, heads, S, D]: each head `times` times in place (grouped queries).
Tensor repeatHeads(GraphBuilder &b, const Tensor &x, int64_t times);

Tensor minusInfinity(GraphBuilder &b, DType dtype);
/// A boolean mask as a bias: 0 where it is true, `off` elsewhere.
Tensor keepToBias(GraphBuilder &b, const Tensor &keep, const Tensor &off);

/// Which keys a query may see by position, as [S, T] or, with a vector
/// `offset`, [B, 1, S, T]: a key j is seen by the query i with
/// left <= j - (i + offset) <= right; a side of -1 is open. Null when both are.
Tensor windowMask(GraphBuilder &b, const DimExpr &queries, const DimExpr &keys,
                  int64_t left, int64_t right, const Tensor &offset);
/// Lengths [B] as a keep-mask [B, 1, 1, T] of the keys before them.
Tensor lengthMask(GraphBuilder &b, const Tensor &lengths, const DimExpr &keys);

/// Rotates pairs of the last dimension: x [B, heads, S, D], cos and sin
/// [B|1, S, R/2] for the first R elements of each head; the rest stays.
/// `interleaved`: pairs are neighbours, else halves.
Tensor rotate(GraphBuilder &b, const Tensor &x, Tensor cos, Tensor sin,
              bool interleaved);

/// What com.microsoft's attention operators compute of projections [B, S, h]:
/// scale and masking after the node's attributes. `mask` may be null and has
/// any of the operator's forms.
Tensor contribAttention(Node &node, const Tensor &query, const Tensor &key,
                        const Tensor &value, const Tensor &mask);
/// True, after a failure, if the node reads or gives away the tokens of earlier
/// calls by one of these inputs or outputs.
bool refuseCache(Node &node, llvm::ArrayRef<unsigned> inputs,
                 llvm::ArrayRef<unsigned> outputs);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_OPS_ATTENTIONPARTS_H
