//===- MPNet.cpp - MPNet --------------------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "BertLayers.h"
#include "Positions.h"
#include <cmath>

using namespace plmc::importer;

namespace plmc::huggingface {

// The model's number of buckets and its farthest distance are not settings:
// relative_attention_num_buckets only sizes the table.
static constexpr int64_t bucketCount = 32, maxDistance = 128;

/// The bucket of key - query, as T5 has it: exact up to 7 positions, then on a
/// logarithmic scale; keys behind the query have buckets of their own. Computed
/// in float, as in the Python model.
static int64_t bucketOf(int64_t difference) {
  int64_t half = bucketCount / 2, exact = half / 2;
  int64_t n = -difference;
  int64_t bucket = n < 0 ? half : 0;
  n = std::abs(n);
  if (n < exact)
    return bucket + n;
  float scaled = std::log(float(n) / float(exact)) /
                 float(std::log(double(maxDistance) / double(exact))) *
                 float(half - exact);
  return bucket + std::min(exact + int64_t(scaled), half - 1);
}

namespace {

class MPNet final : public Encoder {
public:
  explicit MPNet(ModelBuilder &b)
      : Encoder(b, "mpnet."), settings(b.config),
        bucketRows(b.config.integer("relative_attention_num_buckets",
                                    bucketCount, bucketCount, 1 << 20)) {
    width = settings.hidden;
    vocabulary = settings.vocabulary;
    words = base("embeddings.word_embeddings");
    decoder = "lm_head.decoder";
  }

  Tensor encode(const Inputs &inputs) override {
    Tensor x = b.embedding(inputs.ids, wordTable(words, vocabulary, width));
    Tensor positions = b.weight(base("embeddings.position_embeddings.weight"),
                                {settings.positions, width});
    Tensor places =
        countedPositions(b, inputs.ids, padding, settings.positions);
    x = b.graph.add(x, b.embedding(places, positions));
    x = b.layerNorm(x, base("embeddings.LayerNorm"), width, settings.epsilon);
    Tensor bias = positionBias(inputs.ids.dim(1));
    for (int64_t i = 0; i < settings.layers && !b.hasFailed(); ++i)
      x = layer(x, inputs.mask, bias,
                base("encoder.layer." + llvm::Twine(i) + "."));
    return x;
  }

  bool hasPooler() const override { return b.has(base("pooler.dense.weight")); }
  Tensor pooled(const Tensor &hidden) override {
    return bertPooler(b, hidden, base("pooler.dense"), width);
  }
  Tensor predictWords(const Tensor &hidden) override {
    return wordLogits(hidden,
                      {"lm_head.dense", "lm_head.layer_norm", "lm_head.decoder",
                       "lm_head.bias", "gelu", "", width},
                      settings.epsilon);
  }
  Tensor classify(const Tensor &hidden, const Tensor &,
                  int64_t labels) override {
    Tensor x = b.linear(b.firstToken(hidden), "classifier.dense", width, width);
    return b.linear(b.tanh(x), "classifier.out_proj", width, labels);
  }
  Tensor scoreChoice(const Tensor &hidden, const Tensor &) override {
    return b.linear(pooled(hidden), "classifier", width, 1);
  }

private:
  /// One value a head and a distance, for all layers: [1, heads, S, S].
  Tensor positionBias(const DimExpr &length) {
    std::string name = base("encoder.relative_attention_bias");
    b.setModule(name);
    Tensor weight = b.weight(name + ".weight", {bucketRows, settings.heads});
    if (!weight)
      return Tensor();
    HostTensor buckets = weight.literal()->toHost();
    // By distance rather than by bucket, so that a run has nothing to compute.
    int64_t columns = 2 * maxDistance + 1, heads = settings.heads;
    HostTensor byDistance(DType::F32, {heads, columns});
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < columns; ++i)
        byDistance.as<float>()[h * columns + i] =
            buckets.as<float>()[bucketOf(i - maxDistance) * heads + h];
    Tensor bias = lookupByDifference(
        b, b.table(std::move(byDistance), name + ".weight"),
        positionDifferences(b, length, /*keyMinusQuery=*/true), maxDistance);
    return b.graph.reshape(bias, {DimExpr(1), DimExpr(heads), length, length});
  }

  Tensor layer(const Tensor &x, const Tensor &mask, const Tensor &bias,
               const std::string &prefix) {
    Tensor y = attentionBlock(
        b, x, mask,
        {prefix + "attention.attn.q", prefix + "attention.attn.k",
         prefix + "attention.attn.v", prefix + "attention.attn.o",
         prefix + "attention.LayerNorm"},
        width, settings.heads, settings.epsilon,
        [&](const Tensor &, const Tensor &, int64_t) { return bias; });
    return feedForward(b, y,
                       {prefix + "intermediate.dense", prefix + "output.dense",
                        prefix + "output.LayerNorm"},
                       settings);
  }

  static constexpr int64_t padding = 1; // whatever pad_token_id says
  BertSettings settings;
  int64_t bucketRows;
};

} // namespace

std::unique_ptr<Encoder> makeMPNet(ModelBuilder &b) {
  return std::make_unique<MPNet>(b);
}

} // namespace plmc::huggingface
