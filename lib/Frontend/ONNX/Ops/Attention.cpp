//===- Attention.cpp - The Attention operator (opset 23) ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Written out in primitives, in the same form that exporters without the
// operator produce, so that one recogniser serves both:
//
//   softmax(Q K^T * scale + bias) V
//
// A row whose keys are all masked is 0 by the operator's definition, while
// softmax over -inf is NaN: such probabilities are replaced by 0.
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include <cmath>
#include <limits>

using namespace llvm;
using namespace plmc::plm;

namespace plmc::importer {

/// [B, S, heads*D] to [B, heads, S, D].
static Tensor splitHeads(GraphBuilder &b, const Tensor &x, int64_t heads) {
  std::optional<int64_t> width = x.dim(2).constant();
  if (heads < 1 || !width || *width % heads)
    return b.fail("a width of " + x.dim(2).str() + " is not a multiple of " +
                  Twine(heads) + " heads");
  Tensor split = b.reshape(x, {x.dim(0), x.dim(1), heads, *width / heads});
  return b.transpose(split, {0, 2, 1, 3});
}

/// Repeats each of the heads `times` times in place (grouped queries).
static Tensor repeatHeads(GraphBuilder &b, const Tensor &x, int64_t times) {
  if (times == 1 || x.rank() != 4)
    return x;
  Tensor grouped = b.reshape(x, {x.dim(0), x.dim(1), 1, x.dim(2), x.dim(3)});
  Tensor repeated =
      b.broadcastTo(grouped, {x.dim(0), x.dim(1), times, x.dim(2), x.dim(3)});
  return b.reshape(repeated,
                   {x.dim(0), x.dim(1) * DimExpr(times), x.dim(2), x.dim(3)});
}

static Tensor minusInfinity(GraphBuilder &b, DType dtype) {
  return b.scalar(dtype, -std::numeric_limits<double>::infinity());
}

/// The mask as a bias: booleans keep, numbers are added as they are.
static Tensor maskBias(GraphBuilder &b, const Tensor &mask, DType dtype) {
  if (mask.dtype() != DType::Bool)
    return b.cast(mask, dtype);
  return b.select(mask, b.scalar(dtype, 0), minusInfinity(b, dtype));
}

/// Which keys a query may see by position: up to its own (causal), and a
/// window around it; -1 leaves a side open. Null when all of them.
static Tensor positionMask(Node &node, const DimExpr &queries,
                           const DimExpr &keys) {
  GraphBuilder &b = node.b;
  int64_t left = node.intAttr("left_window_size", -1);
  int64_t right = node.intAttr("right_window_size", -1);
  if (node.intAttr("is_causal", 0))
    right = 0;
  Tensor row = b.reshape(b.iota(DType::I64, 0, 1, queries), {queries, 1});
  Tensor column = b.reshape(b.iota(DType::I64, 0, 1, keys), {1, keys});
  auto shifted = [&](int64_t by) {
    return by ? b.add(row, b.scalar(DType::I64, double(by))) : row;
  };
  Tensor mask;
  if (right >= 0)
    mask = b.binary(BinaryKind::Le, column, shifted(right));
  if (left >= 0) {
    Tensor lower = b.binary(BinaryKind::Ge, column, shifted(-left));
    mask = mask ? b.binary(BinaryKind::And, mask, lower) : lower;
  }
  return mask;
}

static void importAttention(Node &node) {
  GraphBuilder &b = node.b;
  Tensor q = node.input(0), k = node.input(1), v = node.input(2),
         mask = node.optionalInput(3);
  for (unsigned i = 4; i < node.numInputs(); ++i)
    if (node.optionalInput(i)) {
      b.unsupported("attention with a cache or with key lengths");
      return;
    }
  for (unsigned i = 1; i < node.numOutputs(); ++i)
    if (node.usesOutput(i)) {
      b.unsupported("attention that gives its cache or its scores away");
      return;
    }
  if (!q || !k || !v)
    return;
  bool isFlat = q.rank() == 3;
  if ((q.rank() != 3 && q.rank() != 4) || k.rank() != q.rank() ||
      v.rank() != q.rank()) {
    b.fail("query, key and value must all have rank 3 or 4");
    return;
  }
  if (isFlat) {
    int64_t queryHeads = node.intAttr("q_num_heads", 0);
    int64_t keyHeads = node.intAttr("kv_num_heads", 0);
    q = splitHeads(b, q, queryHeads);
    k = splitHeads(b, k, keyHeads);
    v = splitHeads(b, v, keyHeads);
  }
  std::optional<int64_t> heads = q.dim(1).constant(),
                         kvHeads = k.dim(1).constant();
  std::optional<int64_t> headSize = q.dim(3).constant();
  if (b.hasFailed())
    return;
  if (!heads || !kvHeads || !headSize || *kvHeads < 1 || *heads % *kvHeads ||
      *headSize < 1) {
    b.fail("queries of shape " + shapeText(q.dims()) + " and keys of shape " +
           shapeText(k.dims()) + " do not fit together");
    return;
  }
  k = repeatHeads(b, k, *heads / *kvHeads);
  v = repeatHeads(b, v, *heads / *kvHeads);

  DType dtype = q.dtype();
  double scale = node.floatAttr("scale", 0);
  if (!node.hasAttr("scale"))
    scale = 1 / std::sqrt(double(*headSize));
  Tensor scores = b.matmul(q, b.transpose(k, {0, 1, 3, 2}));
  scores = b.mul(scores, b.scalar(dtype, scale));
  if (double cap = node.floatAttr("softcap", 0)) {
    Tensor bound = b.scalar(dtype, cap);
    scores =
        b.mul(b.activation(ActivationKind::Tanh, b.div(scores, bound)), bound);
  }
  bool isMasked = false;
  if (Tensor visible = positionMask(node, q.dim(2), k.dim(2))) {
    scores = b.add(scores, maskBias(b, visible, dtype));
    isMasked = true;
  }
  if (mask) {
    scores = b.add(scores, maskBias(b, mask, dtype));
    isMasked = true;
  }
  std::optional<DType> precision = dtype;
  if (auto type = node.intAttr("softmax_precision"))
    precision = dtypeFromONNX(static_cast<int32_t>(*type));
  if (!precision || !isFloat(*precision)) {
    b.fail("softmax_precision is no float type");
    return;
  }
  Tensor weights = b.cast(b.softmax(b.cast(scores, *precision), 3), dtype);
  if (isMasked)
    weights = b.select(b.unary(UnaryKind::IsNaN, weights), b.scalar(dtype, 0),
                       weights);
  Tensor result = b.matmul(weights, v);
  if (isFlat) {
    result = b.transpose(result, {0, 2, 1, 3});
    result = b.reshape(
        result, {result.dim(0), result.dim(1), result.dim(2) * result.dim(3)});
  }
  node.output(0, result);
}

void registerAttention(OpTable &table) { table["Attention"] = importAttention; }

} // namespace plmc::importer
