//===- ContribNormalization.cpp - com.microsoft normalisations ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include "NormalizationParts.h"

using namespace plmc::plm;

namespace plmc::importer {

/// input + skip + bias
static Tensor skipSum(Node &node, unsigned biasIndex) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0), skip = node.input(1),
         bias = node.optionalInput(biasIndex);
  if (bias)
    x = b.add(x, bias);
  Tensor sum = b.add(x, skip);
  node.output(3, sum);
  return sum;
}

static void importSkipLayerNormalization(Node &node) {
  Tensor sum = skipSum(node, 4);
  Tensor gamma = node.input(2), beta = node.optionalInput(3);
  node.output(0, layerNormalize(node, sum, gamma, beta, -1,
                                node.floatAttr("epsilon", 1e-12f)));
}

static void importSimplifiedLayerNormalization(Node &node) {
  Tensor x = node.input(0), scale = node.input(1);
  node.output(0, rmsNormalize(node, x, scale, node.intAttr("axis", -1),
                              node.floatAttr("epsilon", 1e-5f)));
}

static void importSkipSimplifiedLayerNormalization(Node &node) {
  Tensor sum = skipSum(node, 3);
  node.output(0, rmsNormalize(node, sum, node.input(2), -1,
                              node.floatAttr("epsilon", 1e-12f)));
}

/// The positions 0 .. S-1 as ids [1, S].
static Tensor positionIds(GraphBuilder &b, const DimExpr &length) {
  return b.reshape(b.iota(DType::I64, 0, 1, length), {1, length});
}

void embedAndNormalize(Node &node, EmbeddingParts parts) {
  GraphBuilder &b = node.b;
  const auto &[ids, segments, words, positions, segmentTable, gamma, beta, mask,
               given] = parts;
  if (b.hasFailed() || !ids || !words)
    return;
  if (ids.rank() != 2) {
    b.fail("input_ids has rank " + llvm::Twine(ids.rank()) + ", expected 2");
    return;
  }
  if (bool(segments) != bool(segmentTable)) {
    b.fail("segment_ids and segment_embedding must be given together");
    return;
  }
  Tensor positionInput = given ? given : positionIds(b, ids.dim(1));
  Tensor sum =
      b.add(b.gather(words, ids, 0), b.gather(positions, positionInput, 0));
  if (segments)
    sum = b.add(sum, b.gather(segmentTable, segments, 0));
  node.output(0, layerNormalize(node, sum, gamma, beta, -1,
                                node.floatAttr("epsilon", 1e-12f)));
  // The number of kept positions of each sequence.
  if (node.usesOutput(1))
    node.output(1,
                mask ? b.reduce(ReduceKind::Sum, b.cast(mask, DType::I32), {1},
                                /*keepdims=*/false)
                     : b.broadcastTo(b.scalar(DType::I32, 0), {ids.dim(0)}));
  node.output(2, sum);
}

static void importEmbedLayerNormalization(Node &node) {
  auto optional = [&](unsigned index) { return node.optionalInput(index); };
  embedAndNormalize(node, {node.input(0), optional(1), node.input(2),
                           node.input(3), optional(4), node.input(5),
                           node.input(6), optional(7), optional(8)});
}

void registerContribNormalization(OpTable &table) {
  table["com.microsoft:SkipLayerNormalization"] = importSkipLayerNormalization;
  table["com.microsoft:SkipSimplifiedLayerNormalization"] =
      importSkipSimplifiedLayerNormalization;
  // ONNX Runtime's own, but in the standard domain.
  table["SimplifiedLayerNormalization"] = importSimplifiedLayerNormalization;
  table["com.microsoft:SimplifiedLayerNormalization"] =
      importSimplifiedLayerNormalization;
  table["com.microsoft:EmbedLayerNormalization"] =
      importEmbedLayerNormalization;
}

} // namespace plmc::importer
