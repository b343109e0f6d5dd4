//===- ContribAttention.cpp - com.microsoft attention operators -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the transformer optimizer of ONNX Runtime makes of encoder layers. The
// joined weights are taken apart into one matrix product each for query, key
// and value. A masked score has `mask_filter_value` added, -10000 by default;
// a key that comes later (`unidirectional`) the lowest number there is.
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include "AttentionParts.h"
#include <cmath>
#include <limits>

using namespace llvm;
using namespace plmc::plm;

namespace plmc::importer {
namespace {

/// Query, key and value as [B, heads, length, size], and what is added.
struct Operands {
  Tensor q, k, v;
  Tensor mask, bias;
};

/// 1-D masks are lengths: [B] ends, [2B] ends and starts (padding on the
/// left), [3B+2] lengths and two lists of offsets that repeat them.
Tensor lengthsToKeep(GraphBuilder &b, const Tensor &mask, const DimExpr &batch,
                     const DimExpr &keys) {
  auto piece = [&](const DimExpr &from) {
    return b.slice(mask, {from}, {1}, {batch});
  };
  if (mask.dim(0) == batch * DimExpr(3) + DimExpr(2))
    return lengthMask(b, piece(0), keys);
  if (mask.dim(0) == batch * DimExpr(2)) {
    Tensor before = lengthMask(b, piece(batch), keys);
    return b.binary(BinaryKind::And, lengthMask(b, piece(0), keys),
                    b.unary(UnaryKind::Not, before));
  }
  if (!b.requireEqual(mask.dim(0), batch, "the mask's lengths and the batch"))
    return Tensor();
  return lengthMask(b, mask, keys);
}

/// The mask as booleans that broadcast to [B, heads, S, T].
Tensor keepMask(GraphBuilder &b, const Tensor &mask, const Operands &x) {
  DimExpr batch = x.q.dim(0), queries = x.q.dim(2), keys = x.k.dim(2);
  switch (mask.rank()) {
  case 1:
    return lengthsToKeep(b, mask, batch, keys);
  case 2:
    return b.reshape(b.cast(mask, DType::Bool),
                     {mask.dim(0), 1, 1, mask.dim(1)});
  case 3:
    return b.reshape(b.cast(mask, DType::Bool),
                     {mask.dim(0), 1, mask.dim(1), mask.dim(2)});
  case 4: {
    // Square, for the longest sequence.
    Dims sizes = {mask.dim(0), mask.dim(1), queries, keys};
    b.requireLessEqual(queries, mask.dim(2), "the mask is too short");
    b.requireLessEqual(keys, mask.dim(3), "the mask is too short");
    return b.cast(b.slice(mask, {0, 0, 0, 0}, {1, 1, 1, 1}, sizes),
                  DType::Bool);
  }
  default:
    return b.fail("the mask has rank " + Twine(mask.rank()));
  }
}

/// softmax(scale * Q K^T + mask + bias) V, as [B, S, heads*size].
Tensor attend(Node &node, const Operands &x) {
  GraphBuilder &b = node.b;
  if (b.hasFailed() || !x.q || !x.k || !x.v)
    return Tensor();
  DType dtype = x.q.dtype();
  std::optional<int64_t> size = x.q.dim(3).constant();
  if (!size || *size < 1)
    return b.fail("queries of shape " + shapeText(x.q.dims()));
  // 0 asks for the default, too.
  double scale = node.floatAttr("scale", 0);
  if (scale == 0)
    scale = 1 / std::sqrt(double(*size));
  Tensor scores = b.mul(b.matmul(x.q, b.transpose(x.k, {0, 1, 3, 2})),
                        b.scalar(dtype, scale));
  if (x.mask) {
    Tensor filter =
        b.scalar(dtype, node.floatAttr("mask_filter_value", -10000.0f));
    scores = b.add(scores, keepToBias(b, keepMask(b, x.mask, x), filter));
  }
  if (x.bias)
    scores = b.add(scores, b.cast(x.bias, dtype));
  if (node.intAttr("unidirectional", 0)) {
    double lowest =
        dtype == DType::F16 ? -65504.0 : std::numeric_limits<float>::lowest();
    Tensor visible = windowMask(b, x.q.dim(2), x.k.dim(2), -1, 0, Tensor());
    scores = b.add(scores, keepToBias(b, visible, b.scalar(dtype, lowest)));
  }
  return mergeHeads(b, b.matmul(b.softmax(scores, 3), x.v));
}

/// x W + b for columns [from, from + width) of the joined weight.
Tensor project(GraphBuilder &b, const Tensor &x, const Tensor &weight,
               const Tensor &bias, int64_t from, int64_t width,
               StringRef name) {
  Tensor result = b.matmul(x, b.columns(weight, from, width, name));
  return bias ? b.add(result, b.columns(bias, from, width, name)) : result;
}

} // namespace

/// Inputs and outputs of text generation. An empty cache is as good as none.
bool refuseCache(Node &node, ArrayRef<unsigned> inputs,
                 ArrayRef<unsigned> outputs) {
  for (unsigned index : inputs) {
    Tensor past = node.optionalInput(index);
    if (!past)
      continue;
    std::optional<int64_t> count = past.numElements();
    if (!count || *count != 0) {
      node.b.unsupported("attention with a cache of earlier tokens; optimize "
                         "the model as an encoder (model_type bert)");
      return true;
    }
  }
  for (unsigned index : outputs)
    if (node.usesOutput(index)) {
      node.b.unsupported("attention that gives its cache or its scores away");
      return true;
    }
  return node.b.hasFailed();
}

Tensor contribAttention(Node &node, const Tensor &query, const Tensor &key,
                        const Tensor &value, const Tensor &mask) {
  int64_t heads = node.intAttr("num_heads", 0);
  Operands operands;
  operands.q = splitHeads(node.b, query, heads);
  operands.k = splitHeads(node.b, key, heads);
  operands.v = splitHeads(node.b, value, heads);
  operands.mask = mask;
  return attend(node, operands);
}

static void importAttention(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0), weight = node.input(1),
         bias = node.optionalInput(2);
  if (refuseCache(node, {4, 6}, {1}) || !x || !weight)
    return;
  if (node.intAttr("do_rotary", 0)) {
    b.unsupported("attention with a built-in rotary embedding");
    return;
  }
  int64_t heads = node.intAttr("num_heads", 0);
  std::optional<int64_t> total = weight.dim(-1).constant();
  if (x.rank() != 3 || weight.rank() != 2 || !total || heads < 1) {
    b.fail("an input of shape " + shapeText(x.dims()) +
           " and weights of shape " + shapeText(weight.dims()) +
           " do not fit together");
    return;
  }
  SmallVector<int64_t> sizes(3, *total / 3);
  if (auto given = node.intsAttr("qkv_hidden_sizes"); given && !given->empty())
    sizes = *given;
  if (sizes.size() != 3 ||
      llvm::any_of(sizes,
                   [&](int64_t size) {
                     return size < 1 || size > *total || size % heads;
                   }) ||
      sizes[0] + sizes[1] + sizes[2] != *total || sizes[0] != sizes[1]) {
    b.fail("a weight of " + Twine(*total) + " columns does not divide into " +
           "query, key and value of " + Twine(heads) + " heads");
    return;
  }
  auto part = [&](int64_t from, int64_t width, StringRef name) {
    return splitHeads(b, project(b, x, weight, bias, from, width, name), heads);
  };
  Operands operands;
  operands.q = part(0, sizes[0], "query");
  operands.k = part(sizes[0], sizes[1], "key");
  operands.v = part(sizes[0] + sizes[1], sizes[2], "value");
  operands.mask = node.optionalInput(3);
  operands.bias = node.optionalInput(5);
  node.output(0, attend(node, operands));
}

/// Part `index` of [B, S, heads, parts, size], as [B, heads, S, size].
static Tensor unpack(GraphBuilder &b, const Tensor &packed, int64_t index) {
  Dims sizes(packed.dims().begin(), packed.dims().end());
  sizes[3] = DimExpr(1);
  Tensor part = b.slice(packed, {0, 0, 0, index, 0}, {1, 1, 1, 1, 1}, sizes);
  part = b.reshape(part, {sizes[0], sizes[1], sizes[2], sizes[4]});
  return b.transpose(part, {0, 2, 1, 3});
}

/// Query, key and value separate, or packed head by head into one or two
/// tensors, or (of cross attention) with key and value by heads already.
static void importMultiHeadAttention(Node &node) {
  GraphBuilder &b = node.b;
  Tensor query = node.input(0), key = node.optionalInput(1),
         value = node.optionalInput(2), bias = node.optionalInput(3);
  if (refuseCache(node, {6, 7, 8, 9}, {1, 2, 3}) || !query)
    return;
  int64_t heads = node.intAttr("num_heads", 0);
  Operands x;
  int64_t biasStart = 0;
  auto part = [&](Tensor t, StringRef name) {
    if (t.rank() == 4) // by heads, the bias is in it
      return t;
    if (bias) {
      std::optional<int64_t> width = t.dim(-1).constant();
      if (t.rank() != 3 || !width)
        return b.fail("a " + name + " of shape " + shapeText(t.dims()));
      t = b.add(t, b.columns(bias, biasStart, *width, name));
      biasStart += *width;
    }
    return splitHeads(b, t, heads);
  };
  bool isPacked = query.rank() == 5 || (key && key.rank() == 5);
  if (isPacked && bias) {
    b.unsupported("packed attention with a bias");
    return;
  }
  if (query.rank() == 5 && !key && !value && query.dim(3).isConstant(3)) {
    x = {unpack(b, query, 0), unpack(b, query, 1), unpack(b, query, 2), {}, {}};
  } else if (key && key.rank() == 5 && !value && key.dim(3).isConstant(2)) {
    x = {part(query, "query"), unpack(b, key, 0), unpack(b, key, 1), {}, {}};
  } else if (key && value && !isPacked) {
    x.q = part(query, "query");
    x.k = part(key, "key");
    x.v = part(value, "value");
  } else {
    b.fail("query, key and value do not fit together");
    return;
  }
  x.mask = node.optionalInput(4);
  x.bias = node.optionalInput(5);
  node.output(0, attend(node, x));
}

/// Positions are [B, S], or one number: the position of the first token.
static void importRotaryEmbedding(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0), positions = node.input(1), cos = node.input(2),
         sin = node.input(3);
  if (!x || !positions || !cos || !sin)
    return;
  if (node.intAttr("is_packed_batching", 0)) {
    b.unsupported("a packed batch");
    return;
  }
  bool isFlat = x.rank() == 3;
  if (isFlat) {
    // Without num_heads the tables are as wide as half a head.
    int64_t heads = node.intAttr("num_heads", 0);
    std::optional<int64_t> width = x.dim(2).constant(),
                           half = cos.dim(-1).constant();
    if (!heads && width && half && *half)
      heads = *width / (*half * 2);
    x = splitHeads(b, x, heads);
  }
  if (b.hasFailed())
    return;
  if (positions.rank() <= 1) {
    Tensor first = b.reshape(b.cast(positions, DType::I64), {1, 1});
    DimExpr length = x.dim(2);
    positions =
        b.add(first, b.reshape(b.iota(DType::I64, 0, 1, length), {1, length}));
  }
  Tensor result =
      rotate(b, x, b.gather(cos, positions, 0), b.gather(sin, positions, 0),
             node.intAttr("interleaved", 0) != 0);
  double scale = node.floatAttr("scale", 1);
  if (scale != 1)
    result = b.mul(result, b.scalar(result.dtype(), scale));
  node.output(0, isFlat ? mergeHeads(b, result) : result);
}

/// Batches without padding, and position biases of models that are no BERT:
/// ONNX Runtime itself has these for GPUs only.
static void refuseGPU(Node &node) {
  node.b.unsupported("the operator is for GPUs; optimize the model for CPUs");
}

void registerContribAttention(OpTable &table) {
  table["com.microsoft:Attention"] = importAttention;
  table["com.microsoft:MultiHeadAttention"] = importMultiHeadAttention;
  table["com.microsoft:RotaryEmbedding"] = importRotaryEmbedding;
  for (StringRef name :
       {"PackedAttention", "PackedMultiHeadAttention", "RemovePadding",
        "RestorePadding", "RelativePositionBias", "GatedRelativePositionBias"})
    table[("com.microsoft:" + name).str()] = refuseGPU;
}

} // namespace plmc::importer
