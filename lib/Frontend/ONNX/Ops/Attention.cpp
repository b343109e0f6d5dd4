//===- Attention.cpp - The Attention operator (opset 23 and up) -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A row whose keys are all masked is 0 by the operator's definition, while
// softmax over -inf is NaN: such probabilities are replaced by 0.
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include "AttentionParts.h"
#include <cmath>

using namespace llvm;
using namespace plmc::plm;

namespace plmc::importer {
namespace {

class StandardAttention {
public:
  explicit StandardAttention(Node &node) : node(node), b(node.b) {}
  void run();

private:
  bool readOperands();
  void appendCache();
  /// Keys that a mask of fewer than T leaves out are masked.
  Tensor padMask(const Tensor &mask);
  /// The mask input, positions and lengths; null when nothing is masked.
  Tensor bias();
  void giveScores(int64_t mode, const Tensor &scores);

  Node &node;
  GraphBuilder &b;
  Tensor q, k, v, mask, lengths, offset;
  int64_t heads = 0, headSize = 0;
  bool isFlat = false;
};

bool StandardAttention::readOperands() {
  q = node.input(0), k = node.input(1), v = node.input(2);
  mask = node.optionalInput(3), lengths = node.optionalInput(6);
  if (!q || !k || !v)
    return false;
  isFlat = q.rank() == 3;
  if ((q.rank() != 3 && q.rank() != 4) || k.rank() != q.rank() ||
      v.rank() != q.rank()) {
    b.fail("query, key and value must all have rank 3 or 4");
    return false;
  }
  if (isFlat) {
    int64_t keyHeads = node.intAttr("kv_num_heads", 0);
    q = splitHeads(b, q, node.intAttr("q_num_heads", 0));
    k = splitHeads(b, k, keyHeads);
    v = splitHeads(b, v, keyHeads);
  }
  appendCache();
  std::optional<int64_t> queryHeads = q.dim(1).constant(),
                         kvHeads = k.dim(1).constant(),
                         size = q.dim(3).constant();
  if (b.hasFailed())
    return false;
  if (!queryHeads || !kvHeads || !size || *kvHeads < 1 ||
      *queryHeads % *kvHeads || *size < 1) {
    b.fail("queries of shape " + shapeText(q.dims()) + " and keys of shape " +
           shapeText(k.dims()) + " do not fit together");
    return false;
  }
  heads = *queryHeads;
  headSize = *size;
  k = repeatHeads(b, k, heads / *kvHeads);
  v = repeatHeads(b, v, heads / *kvHeads);
  return !b.hasFailed();
}

/// Keys and values of earlier calls come first; their number is where the
/// queries start.
void StandardAttention::appendCache() {
  Tensor pastKey = node.optionalInput(4), pastValue = node.optionalInput(5);
  if (bool(pastKey) != bool(pastValue)) {
    b.fail("past_key and past_value must be given together");
    return;
  }
  if (pastKey && lengths) {
    b.fail("nonpad_kv_seqlen cannot be given together with a cache");
    return;
  }
  if (pastKey) {
    if (pastKey.rank() != 4 || pastValue.rank() != 4) {
      b.fail("the cache must have rank 4");
      return;
    }
    offset = b.sizeScalar(pastKey.dim(2));
    k = b.concat({pastKey, k}, 2);
    v = b.concat({pastValue, v}, 2);
  } else if (lengths) {
    offset = b.sub(b.cast(lengths, DType::I64), b.sizeScalar(q.dim(2)));
  }
  node.output(1, k);
  node.output(2, v);
}

Tensor StandardAttention::padMask(const Tensor &mask) {
  DimExpr keys = k.dim(2);
  if (!mask || mask.rank() == 0 || mask.dim(-1) == keys)
    return mask;
  std::optional<int64_t> have = mask.dim(-1).constant(), want = keys.constant();
  if (!have || !want || *have >= *want)
    return mask;
  Dims rest(mask.dims().begin(), mask.dims().end());
  rest.back() = DimExpr(*want - *have);
  Tensor filler = mask.dtype() == DType::Bool ? b.scalar(DType::Bool, 0)
                                              : minusInfinity(b, mask.dtype());
  return b.concat({mask, b.broadcastTo(filler, rest)}, mask.rank() - 1);
}

Tensor StandardAttention::bias() {
  DType dtype = q.dtype();
  Tensor off = minusInfinity(b, dtype), sum;
  auto include = [&](const Tensor &term) {
    sum = sum ? b.add(sum, term) : term;
  };
  int64_t left = node.intAttr("left_window_size", -1),
          right = node.intAttr("right_window_size", -1);
  if (node.intAttr("is_causal", 0))
    right = 0;
  if (left >= 0 || right >= 0)
    include(keepToBias(
        b, windowMask(b, q.dim(2), k.dim(2), left, right, offset), off));
  if (mask = padMask(mask); mask)
    include(mask.dtype() == DType::Bool ? keepToBias(b, mask, off)
                                        : b.cast(mask, dtype));
  if (lengths)
    include(keepToBias(b, lengthMask(b, lengths, k.dim(2)), off));
  return sum;
}

void StandardAttention::giveScores(int64_t mode, const Tensor &scores) {
  if (node.intAttr("qk_matmul_output_mode", 0) == mode)
    node.output(3, b.cast(scores, q.dtype()));
}

void StandardAttention::run() {
  if (!readOperands())
    return;
  DType dtype = q.dtype();
  double scale = node.floatAttr("scale", 0);
  if (!node.hasAttr("scale"))
    scale = 1 / std::sqrt(double(headSize));
  Tensor scores = b.matmul(q, b.transpose(k, {0, 1, 3, 2}));
  scores = b.mul(scores, b.scalar(dtype, scale));
  giveScores(0, scores);
  // Mode 1 is what softcap gives; opset 23 had 1 and 2 the other way round in
  // its text, but not in its function body.
  if (double cap = node.floatAttr("softcap", 0)) {
    Tensor bound = b.scalar(dtype, cap);
    scores =
        b.mul(b.activation(ActivationKind::Tanh, b.div(scores, bound)), bound);
  }
  giveScores(1, scores);
  Tensor masked = bias();
  if (masked)
    scores = b.add(scores, masked);
  giveScores(2, scores);
  std::optional<DType> precision = dtype;
  if (auto type = node.intAttr("softmax_precision"))
    precision = dtypeFromONNX(static_cast<int32_t>(*type));
  if (!precision || !isFloat(*precision)) {
    b.fail("softmax_precision is no float type");
    return;
  }
  Tensor weights = b.cast(b.softmax(b.cast(scores, *precision), 3), dtype);
  if (masked)
    weights = b.select(b.unary(UnaryKind::IsNaN, weights), b.scalar(dtype, 0),
                       weights);
  giveScores(3, weights);
  Tensor result = b.matmul(weights, v);
  node.output(0, isFlat ? mergeHeads(b, result) : result);
}

} // namespace

static void importAttention(Node &node) { StandardAttention(node).run(); }

/// Rows of the tables by position, or given as [B, S, R/2] already.
static void importRotaryEmbedding(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0), cos = node.input(1), sin = node.input(2),
         positions = node.optionalInput(3);
  if (!x || !cos || !sin)
    return;
  bool isFlat = x.rank() == 3;
  if (isFlat)
    x = splitHeads(b, x, node.intAttr("num_heads", 0));
  if (positions) {
    cos = b.gather(cos, positions, 0);
    sin = b.gather(sin, positions, 0);
  }
  std::optional<int64_t> half = cos.dim(-1).constant();
  int64_t width = node.intAttr("rotary_embedding_dim", 0);
  if (width && half && *half * 2 != width) {
    b.fail("the angles are for " + Twine(*half * 2) +
           " elements, rotary_embedding_dim is " + Twine(width));
    return;
  }
  Tensor result = rotate(b, x, cos, sin, node.intAttr("interleaved", 0) != 0);
  node.output(0, isFlat ? mergeHeads(b, result) : result);
}

void registerAttention(OpTable &table) {
  table["Attention"] = importAttention;
  table["RotaryEmbedding"] = importRotaryEmbedding;
}

} // namespace plmc::importer
