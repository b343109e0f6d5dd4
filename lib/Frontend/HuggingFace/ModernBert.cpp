//===- ModernBert.cpp - ModernBERT ----------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Pre-LN, rotary positions, gated feed-forward layers, and attention that is
// limited to a window in most layers (Warner et al., 2024).
//
//===----------------------------------------------------------------------===//

#include "BertLayers.h"
#include "Positions.h"
#include <cmath>

using namespace plmc::importer;

namespace plmc::huggingface {
namespace {

/// Longer sequences are refused at run time: a table for the rotation is made
/// at import, and the setting may be any number.
constexpr int64_t maxPositions = 1 << 16;

class ModernBert final : public Encoder {
public:
  explicit ModernBert(ModelBuilder &b) : Encoder(b, "model.") {
    Config &config = b.config;
    vocabulary = config.size("vocab_size", 50368);
    width = config.size("hidden_size", 768);
    intermediate = config.size("intermediate_size", 1152);
    layers = layerCount(config, "num_hidden_layers", 22);
    heads = headCount(config, "num_attention_heads", 12, width);
    positions =
        std::min(config.size("max_position_embeddings", 8192), maxPositions);
    reach = config.integer("local_attention", 128, 0, 1 << 30) / 2;
    epsilon = config.epsilon("norm_eps", 1e-5);
    normBias = config.boolean("norm_bias", false);
    attentionBias = config.boolean("attention_bias", false);
    mlpBias = config.boolean("mlp_bias", false);
    headBias = config.boolean("classifier_bias", false);
    activation = config.string("hidden_activation", "gelu");
    words = base("embeddings.tok_embeddings");
    decoder = "decoder";
    if (width / heads > 4096)
      config.unsupported("the head size " + llvm::Twine(width / heads) +
                         " is more than 4096");
    if ((width / heads) % 2)
      config.fail("the head size " + llvm::Twine(width / heads) +
                  " is odd, which rotary positions do not allow");
    readLayerTypes();
  }

  Tensor encode(const Inputs &inputs) override {
    Tensor x = b.embedding(inputs.ids, wordTable(words, vocabulary, width));
    x = norm(x, base("embeddings.norm"));
    if (b.hasFailed())
      return Tensor();
    DimExpr length = inputs.ids.dim(1);
    b.setModule(base("rotary_emb"));
    Rotary global(b, theta("full_attention", "global_rope_theta", 160000),
                  width / heads, positions, base("rotary_emb.full"));
    Rotary local(b, theta("sliding_attention", "local_rope_theta", 10000),
                 width / heads, positions, base("rotary_emb.sliding"));
    Tensor window;
    for (int64_t i = 0; i < layers && !b.hasFailed(); ++i) {
      std::string prefix = base("layers." + llvm::Twine(i) + ".");
      if (isLocal[i] && !window) {
        b.setModule(prefix + "attn.window");
        window = windowBias(b, length, reach);
      }
      Tensor y = i ? norm(x, prefix + "attn_norm") : x;
      y = attention(y, inputs.mask, isLocal[i] ? window : Tensor(),
                    isLocal[i] ? local : global, prefix + "attn.");
      x = b.graph.add(x, y);
      y = feedForward(norm(x, prefix + "mlp_norm"), prefix + "mlp.");
      x = b.graph.add(x, y);
    }
    return norm(x, base("final_norm"));
  }

  Tensor predictWords(const Tensor &hidden) override {
    Tensor x = head(hidden);
    Tensor matrix = outputMatrix("decoder", width);
    Tensor bias = b.config.boolean("decoder_bias", true)
                      ? b.weight("decoder.bias", {vocabulary})
                      : Tensor();
    return b.linear(x, matrix, bias);
  }
  Tensor classify(const Tensor &hidden, const Tensor &mask,
                  int64_t labels) override {
    Tensor x = poolsMean() ? b.pool(plm::PoolKind::Mean, hidden, mask)
                           : b.firstToken(hidden);
    return b.linear(head(x), "classifier", width, labels);
  }
  Tensor scoreChoice(const Tensor &hidden, const Tensor &mask) override {
    Tensor x = poolsMean() ? b.pool(plm::PoolKind::Mean, hidden, mask)
                           : firstKept(hidden, mask);
    return b.linear(head(x), "classifier", width, 1);
  }
  Tensor classifyTokens(const Tensor &hidden, int64_t labels) override {
    return b.linear(head(hidden), "classifier", width, labels);
  }
  Tensor answer(const Tensor &hidden) override {
    return b.linear(head(hidden), "classifier", width, 2);
  }

private:
  void readLayerTypes() {
    Config &config = b.config;
    int64_t every = config.integer("global_attn_every_n_layers", 3, 1, 1 << 30);
    for (int64_t i = 0; i < layers; ++i)
      isLocal.push_back(i % every != 0);
    if (!config.has("layer_types"))
      return;
    std::vector<std::string> types = config.strings("layer_types");
    if (int64_t(types.size()) != layers) {
      config.fail("layer_types has " + llvm::Twine(types.size()) +
                  " entries for " + llvm::Twine(layers) + " layers");
      return;
    }
    for (int64_t i = 0; i < layers; ++i) {
      isLocal[i] = types[i] == "sliding_attention";
      if (!isLocal[i] && types[i] != "full_attention")
        config.unsupported("layer_types has an entry that is neither "
                           "full_attention nor sliding_attention");
    }
  }

  /// The base of the rotary angles: in rope_parameters, or a setting of its own
  /// in files of before transformers 5.
  double theta(llvm::StringRef layerType, llvm::StringRef oldKey,
               double fallback) {
    Config &config = b.config;
    if (config.has("rope_scaling"))
      config.unsupported("rope_scaling is not supported");
    double old = config.number(oldKey, fallback, 1, 1e12);
    const Json *all = config.raw("rope_parameters");
    const Json *own = all ? member(*all, layerType) : nullptr;
    if (!own || own->is_null())
      return old;
    const Json *type = member(*own, "rope_type");
    if (type && !type->is_null() && *type != "default")
      config.unsupported("rope_parameters: supported is the rope_type default");
    const Json *value = member(*own, "rope_theta");
    if (!value || value->is_null())
      return old;
    double number = value->is_number() ? value->get<double>() : 0;
    if (number >= 1 && number <= 1e12)
      return number;
    config.fail("rope_parameters: rope_theta is no number from 1 to 1e12");
    return fallback;
  }

  Tensor norm(const Tensor &x, const std::string &name) {
    return b.layerNorm(x, name, width, epsilon, normBias);
  }

  /// Wqkv holds the rows of query, key and value one after the other.
  Tensor attention(const Tensor &x, const Tensor &mask, const Tensor &bias,
                   const Rotary &rotary, const std::string &prefix) {
    b.setModule(prefix + "Wqkv");
    Tensor matrix = b.weight(prefix + "Wqkv.weight", {3 * width, width});
    Tensor vector =
        attentionBias ? b.weight(prefix + "Wqkv.bias", {3 * width}) : Tensor();
    Tensor parts[3];
    for (int64_t i = 0; i < 3; ++i)
      parts[i] = b.linear(x, b.rows(matrix, i * width, width),
                          vector ? b.rows(vector, i * width, width) : Tensor());
    b.setModule(prefix + "rotary");
    Tensor query = rotary.rotate(parts[0], heads);
    Tensor key = rotary.rotate(parts[1], heads);
    b.setModule(prefix + "attention");
    Tensor context = b.attention(query, key, parts[2], mask, bias, heads,
                                 1 / std::sqrt(double(width / heads)));
    return b.linear(context, prefix + "Wo", width, width, attentionBias);
  }

  /// Wo(act(first half of Wi x) * second half).
  Tensor feedForward(const Tensor &x, const std::string &prefix) {
    b.setModule(prefix + "Wi");
    int64_t size = intermediate;
    Tensor matrix = b.weight(prefix + "Wi.weight", {2 * size, width});
    Tensor vector =
        mlpBias ? b.weight(prefix + "Wi.bias", {2 * size}) : Tensor();
    Tensor parts[2];
    for (int64_t i = 0; i < 2; ++i)
      parts[i] = b.linear(x, b.rows(matrix, i * size, size),
                          vector ? b.rows(vector, i * size, size) : Tensor());
    Tensor gated = b.graph.mul(
        b.activation(parts[0], activation, "hidden_activation"), parts[1]);
    return b.linear(gated, prefix + "Wo", size, width, mlpBias);
  }

  /// The layer before every head.
  Tensor head(const Tensor &x) {
    Tensor y = b.linear(x, "head.dense", width, width, headBias);
    y = b.activation(y, b.config.string("classifier_activation", "gelu"),
                     "classifier_activation");
    return norm(y, "head.norm");
  }

  bool poolsMean() {
    std::string pooling = b.config.string("classifier_pooling", "cls");
    if (pooling != "cls" && pooling != "mean")
      b.config.fail("classifier_pooling is neither cls nor mean");
    return pooling == "mean";
  }

  /// The first position that the mask keeps, as the mean over the only one of
  /// them where the running count is 1.
  Tensor firstKept(const Tensor &hidden, const Tensor &mask) {
    GraphBuilder &graph = b.graph;
    if (!hidden || b.hasFailed())
      return Tensor();
    Tensor keep = graph.cast(
        graph.binary(plm::BinaryKind::Ne, mask, graph.scalar(DType::I64, 0)),
        DType::I64);
    Tensor count =
        graph.mul(graph.cumsum(keep, 1, /*exclusive=*/false, false), keep);
    Tensor first =
        graph.binary(plm::BinaryKind::Eq, count, graph.scalar(DType::I64, 1));
    return b.pool(plm::PoolKind::Mean, hidden, graph.cast(first, DType::I64));
  }

  int64_t intermediate, layers, heads, positions, reach;
  double epsilon;
  bool normBias, attentionBias, mlpBias, headBias;
  std::string activation;
  std::vector<bool> isLocal;
};

} // namespace

std::unique_ptr<Encoder> makeModernBert(ModelBuilder &b) {
  return std::make_unique<ModernBert>(b);
}

} // namespace plmc::huggingface
