//===- DebertaV2.cpp - DeBERTa-v2 and -v3 ---------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Disentangled attention (He et al., 2021): to the scores of content with
// content come those of content with relative positions (c2p: a query with the
// projected embedding of its distance to the key) and of positions with content
// (p2c: a key likewise). The distance of query and key picks the same row for
// both: the bucket is an odd function of it.
//
//===----------------------------------------------------------------------===//

#include "BertLayers.h"
#include "Positions.h"
#include <cmath>

using namespace plmc::importer;

namespace plmc::huggingface {
namespace {

struct RelativeSettings {
  bool enabled, contentToPosition = false, positionToContent = false, shared;
  int64_t buckets, maxDistance, span; // span: distances on either side
};

/// The row of the distance table for query - key, before it is cut to the
/// table: exact up to half of the buckets, then on a logarithmic scale. In
/// float, as in the Python model.
int64_t bucketOf(int64_t difference, const RelativeSettings &settings) {
  if (settings.buckets <= 0 || settings.maxDistance <= 0)
    return difference;
  int64_t mid = settings.buckets / 2, distance = std::abs(difference);
  if (distance <= mid)
    return difference;
  float scaled =
      std::log(float(distance) / float(mid)) /
      std::log(float(double(settings.maxDistance - 1) / double(mid))) *
      float(mid - 1);
  float bucket = std::ceil(scaled) + float(mid);
  // Beyond the table all are one.
  bucket = std::min(bucket, float(2 * settings.span));
  return difference < 0 ? -int64_t(bucket) : int64_t(bucket);
}

class DebertaV2 final : public Encoder {
public:
  explicit DebertaV2(ModelBuilder &b) : Encoder(b, "deberta.") {
    Config &config = b.config;
    vocabulary = config.size("vocab_size", 128100);
    width = config.size("hidden_size", 1536);
    embeddingSize = config.size("embedding_size", width);
    layers = layerCount(config, "num_hidden_layers", 24);
    heads = headCount(config, "num_attention_heads", 24, width);
    headSize = config.size("attention_head_size", width / heads);
    intermediate = config.size("intermediate_size", 6144);
    positions = config.size("max_position_embeddings", 512);
    types = config.integer("type_vocab_size", 0, 0, int64_t(1) << 31);
    epsilon = config.epsilon("layer_norm_eps", 1e-7);
    activation = config.string("hidden_act", "gelu");
    words = base("embeddings.word_embeddings");
    decoder = config.boolean("legacy", true) ? "cls.predictions.decoder" : "";
    readRelative();
  }

  Tensor encode(const Inputs &inputs) override {
    Tensor x = embed(inputs);
    if (b.hasFailed())
      return Tensor();
    Tensor distances = relativeEmbeddings();
    Tensor index =
        relative.enabled ? distanceIndex(inputs.ids.dim(1)) : Tensor();
    Tensor first = x;
    for (int64_t i = 0; i < layers && !b.hasFailed(); ++i) {
      std::string prefix = base("encoder.layer." + llvm::Twine(i) + ".");
      x = layer(x, inputs.mask, distances, index, prefix);
      if (i == 0 && b.config.integer("conv_kernel_size", 0, 0, 1 << 10) > 0)
        x = convolve(first, x, inputs.mask);
    }
    return x;
  }

  Tensor predictWords(const Tensor &hidden) override {
    if (b.config.boolean("legacy", true))
      return wordLogits(hidden,
                        {"cls.predictions.transform.dense",
                         "cls.predictions.transform.LayerNorm",
                         "cls.predictions.decoder", "cls.predictions.bias",
                         activation, "hidden_act", embeddingSize},
                        epsilon);
    std::string prefix = "lm_predictions.lm_head.";
    Tensor x = b.linear(hidden, prefix + "dense", width, width);
    x = b.activation(x, activation, "hidden_act");
    x = b.layerNorm(x, prefix + "LayerNorm", width, epsilon);
    return b.linear(x, b.weight(words + ".weight", {vocabulary, width}),
                    b.weight(prefix + "bias", {vocabulary}));
  }
  Tensor classify(const Tensor &hidden, const Tensor &,
                  int64_t labels) override {
    return b.linear(context(hidden), "classifier", width, labels);
  }
  Tensor scoreChoice(const Tensor &hidden, const Tensor &) override {
    return b.linear(context(hidden), "classifier", width, 1);
  }

private:
  void readRelative() {
    Config &config = b.config;
    relative.enabled = config.boolean("relative_attention", false);
    relative.shared = config.boolean("share_att_key", false);
    for (const std::string &entry : config.strings("pos_att_type")) {
      llvm::SmallVector<llvm::StringRef> parts;
      llvm::StringRef(entry).split(parts, '|');
      for (llvm::StringRef part : parts) {
        part = part.trim();
        if (part.equals_insensitive("c2p"))
          relative.contentToPosition = true;
        else if (part.equals_insensitive("p2c"))
          relative.positionToContent = true;
        else if (!part.empty())
          config.unsupported("pos_att_type: supported are c2p and p2c");
      }
    }
    int64_t limit = 1 << 20;
    relative.buckets = config.integer("position_buckets", -1, -1, limit);
    relative.maxDistance =
        config.integer("max_relative_positions", -1, -1, limit);
    if (relative.maxDistance < 1)
      relative.maxDistance = std::min(positions, limit);
    relative.span =
        relative.buckets > 0 ? relative.buckets : relative.maxDistance;
    if (relative.buckets > 0 &&
        (relative.buckets < 4 ||
         relative.maxDistance - 1 <= relative.buckets / 2))
      config.fail("position_buckets and max_relative_positions leave no "
                  "logarithmic scale");
  }

  Tensor embed(const Inputs &inputs) {
    int64_t e = embeddingSize;
    Tensor x = b.embedding(inputs.ids, wordTable(words, vocabulary, e));
    b.setModule(base("embeddings"));
    if (b.config.boolean("position_biased_input", true)) {
      Tensor table = b.weight(base("embeddings.position_embeddings.weight"),
                              {positions, e});
      x = b.graph.add(x, b.positionEmbedding(table, inputs.ids.dim(1)));
    }
    if (types > 0) {
      Tensor table =
          b.weight(base("embeddings.token_type_embeddings.weight"), {types, e});
      x = b.graph.add(x, b.embedding(inputs.types, table));
    }
    if (e != width)
      x = b.linear(x, base("embeddings.embed_proj"), e, width, /*bias=*/false);
    return b.layerNorm(x, base("embeddings.LayerNorm"), width, epsilon);
  }

  /// The embeddings of the distances [2*span, width].
  Tensor relativeEmbeddings() {
    if (!relative.enabled)
      return Tensor();
    b.setModule(base("encoder.rel_embeddings"));
    Tensor table = b.weight(base("encoder.rel_embeddings.weight"),
                            {2 * relative.span, width});
    if (llvm::StringRef(b.config.string("norm_rel_ebd", "none"))
            .contains_insensitive("layer_norm"))
      table = b.layerNorm(table, base("encoder.LayerNorm"), width, epsilon);
    return table;
  }

  /// Row of the distance table for each query and key: i64 [S, S].
  Tensor distanceIndex(const DimExpr &length) {
    if (b.hasFailed())
      return Tensor();
    b.setModule(base("encoder.relative_pos"));
    // From where on all distances share the last row.
    int64_t span = relative.span, limit = 1;
    while (bucketOf(limit, relative) < span && limit < (1 << 21))
      ++limit;
    HostTensor row(DType::I64, {2 * limit + 1});
    for (int64_t i = 0; i <= 2 * limit; ++i)
      row.setInt(i, std::clamp<int64_t>(bucketOf(i - limit, relative) + span, 0,
                                        2 * span - 1));
    return lookupByDifference(
        b, b.table(std::move(row), base("encoder.relative_pos")),
        positionDifferences(b, length, /*keyMinusQuery=*/false), limit);
  }

  /// Scores of x with the projected distances [2*span, heads*D].
  Tensor distanceScores(const Tensor &x, const Tensor &projected,
                        const Tensor &index, bool ofKey) {
    if (!projected || b.hasFailed())
      return Tensor();
    GraphBuilder &graph = b.graph;
    DimExpr rows(2 * relative.span), size(headSize);
    Tensor table = graph.transpose(
        graph.reshape(projected, {rows, DimExpr(heads), size}), {1, 2, 0});
    table = graph.reshape(table, {DimExpr(1), DimExpr(heads), size, rows});
    return scoresByDistance(b, x, table, index, heads, ofKey);
  }

  Tensor layer(const Tensor &x, const Tensor &mask, const Tensor &distances,
               const Tensor &index, const std::string &prefix) {
    int64_t inner = heads * headSize;
    std::string self = prefix + "attention.self.";
    Tensor query = b.linear(x, self + "query_proj", width, inner);
    Tensor key = b.linear(x, self + "key_proj", width, inner);
    Tensor value = b.linear(x, self + "value_proj", width, inner);
    double factor = 1 + relative.contentToPosition + relative.positionToContent;
    double scale = 1 / std::sqrt(double(headSize) * factor);
    Tensor bias;
    if (relative.enabled && relative.contentToPosition) {
      Tensor projected = b.linear(
          distances, self + (relative.shared ? "key_proj" : "pos_key_proj"),
          width, inner);
      bias = distanceScores(query, projected, index, /*ofKey=*/false);
    }
    if (relative.enabled && relative.positionToContent) {
      Tensor projected = b.linear(
          distances, self + (relative.shared ? "query_proj" : "pos_query_proj"),
          width, inner);
      Tensor scores = distanceScores(key, projected, index, /*ofKey=*/true);
      bias = bias ? b.graph.add(bias, scores) : scores;
    }
    if (bias)
      bias = b.graph.mul(bias, b.graph.scalar(DType::F32, scale));
    b.setModule(self + "attention");
    Tensor y = b.attention(query, key, value, mask, bias, heads, scale);
    y = b.linear(y, prefix + "attention.output.dense", inner, width);
    y = b.layerNorm(b.graph.add(y, x), prefix + "attention.output.LayerNorm",
                    width, epsilon);
    Tensor z = b.linear(y, prefix + "intermediate.dense", width, intermediate);
    z = b.activation(z, activation, "hidden_act");
    z = b.linear(z, prefix + "output.dense", intermediate, width);
    return b.layerNorm(b.graph.add(z, y), prefix + "output.LayerNorm", width,
                       epsilon);
  }

  /// The convolution of DeBERTa-v2 beside the first layer: over the embeddings,
  /// padding being zero. The taps are put side by side, so that it is one
  /// product.
  Tensor convolve(const Tensor &x, const Tensor &residual, const Tensor &mask) {
    if (b.hasFailed())
      return Tensor();
    Config &config = b.config;
    GraphBuilder &graph = b.graph;
    int64_t taps = config.integer("conv_kernel_size", 0, 0, 1 << 10);
    if (taps % 2 == 0 || config.integer("conv_groups", 1, 1, 1 << 20) != 1) {
      config.unsupported("conv_kernel_size must be odd and conv_groups 1");
      return Tensor();
    }
    std::string name = base("encoder.conv.conv");
    b.setModule(name);
    Tensor kernel = b.weight(name + ".weight", {width, width, taps});
    if (!kernel)
      return Tensor();
    HostTensor stored = kernel.literal()->toHost();
    HostTensor matrix(DType::F32, {width, taps * width});
    for (int64_t o = 0; o < width; ++o)
      for (int64_t i = 0; i < width; ++i)
        for (int64_t t = 0; t < taps; ++t)
          matrix.as<float>()[(o * taps + t) * width + i] =
              stored.as<float>()[(o * width + i) * taps + t];

    DimExpr batch = x.dim(0), length = x.dim(1);
    Tensor keep =
        graph.reshape(graph.cast(graph.binary(plm::BinaryKind::Ne, mask,
                                              graph.scalar(DType::I64, 0)),
                                 DType::F32),
                      {batch, length, DimExpr(1)});
    Tensor kept = graph.mul(x, keep);
    Tensor edge =
        graph.broadcastTo(graph.reshape(graph.scalar(DType::F32, 0), {1, 1, 1}),
                          {batch, DimExpr(taps / 2), DimExpr(width)});
    Tensor padded = taps > 1 ? graph.concat({edge, kept, edge}, 1) : kept;
    llvm::SmallVector<Tensor> windows;
    for (int64_t t = 0; t < taps; ++t)
      windows.push_back(
          graph.slice(padded, {DimExpr(0), DimExpr(t), DimExpr(0)}, {1, 1, 1},
                      {batch, length, DimExpr(width)}));
    Tensor y = b.linear(graph.concat(windows, 2),
                        b.table(std::move(matrix), name + ".weight"),
                        b.weight(name + ".bias", {width}));
    y = b.activation(y, config.string("conv_act", "tanh"), "conv_act");
    return b.layerNorm(graph.add(residual, y), base("encoder.conv.LayerNorm"),
                       width, epsilon);
  }

  /// What the sequence classifiers read.
  Tensor context(const Tensor &hidden) {
    int64_t size = b.config.size("pooler_hidden_size", width);
    if (size != width)
      b.config.unsupported("pooler_hidden_size differs from hidden_size");
    Tensor x = b.linear(b.firstToken(hidden), "pooler.dense", width, width);
    return b.activation(x, b.config.string("pooler_hidden_act", "gelu"),
                        "pooler_hidden_act");
  }

  int64_t embeddingSize, layers, heads, headSize, intermediate, positions,
      types;
  double epsilon;
  std::string activation;
  RelativeSettings relative;
};

} // namespace

std::unique_ptr<Encoder> makeDebertaV2(ModelBuilder &b) {
  return std::make_unique<DebertaV2>(b);
}

} // namespace plmc::huggingface
