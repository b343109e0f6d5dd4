//===- Albert.cpp - ALBERT ------------------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "BertLayers.h"

using namespace plmc::importer;

namespace plmc::huggingface {
namespace {

class Albert final : public Encoder {
public:
  explicit Albert(ModelBuilder &b)
      : Encoder(b, "albert."), settings(b.config, "gelu_new"),
        embeddingSize(b.config.size("embedding_size", 128)),
        groups(b.config.integer("num_hidden_groups", 1, 1, 1024)),
        inner(b.config.integer("inner_group_num", 1, 1, 64)) {
    width = settings.hidden;
    vocabulary = settings.vocabulary;
    words = base("embeddings.word_embeddings");
    decoder = "predictions.decoder";
    if (settings.layers * inner > 1024)
      b.config.fail("num_hidden_layers times inner_group_num is more than 1024 "
                    "layers");
    if (settings.positionType != BertSettings::Positions::Absolute)
      b.config.unsupported(
          "position_embedding_type must be absolute in ALBERT");
  }

  Tensor encode(const Inputs &inputs) override {
    int64_t e = embeddingSize;
    Tensor x = bertEmbeddings(b, inputs, wordTable(words, vocabulary, e),
                              base("embeddings."), e, settings);
    x = b.linear(x, base("encoder.embedding_hidden_mapping_in"), e, width);
    for (int64_t i = 0; i < settings.layers; ++i) {
      // In the Python model: int(i / (layers / groups)), in floating point.
      int64_t group =
          int64_t(double(i) / (double(settings.layers) / double(groups)));
      for (int64_t j = 0; j < inner && !b.hasFailed(); ++j)
        x = layer(x, inputs.mask,
                  base("encoder.albert_layer_groups." + llvm::Twine(group) +
                       ".albert_layers." + llvm::Twine(j) + "."));
    }
    return x;
  }

  bool hasPooler() const override { return b.has(base("pooler.weight")); }
  Tensor pooled(const Tensor &hidden) override {
    return bertPooler(b, hidden, base("pooler"), width);
  }

  Tensor predictWords(const Tensor &hidden) override {
    return wordLogits(hidden,
                      {"predictions.dense", "predictions.LayerNorm",
                       "predictions.decoder", "predictions.bias",
                       settings.activation, "hidden_act", embeddingSize},
                      settings.epsilon);
  }
  Tensor classify(const Tensor &hidden, const Tensor &,
                  int64_t labels) override {
    return b.linear(pooled(hidden), "classifier", width, labels);
  }
  Tensor scoreChoice(const Tensor &hidden, const Tensor &) override {
    return b.linear(pooled(hidden), "classifier", width, 1);
  }
  std::vector<Output> preTraining(const Tensor &hidden) override {
    // The classifier of sentence order has num_labels outputs.
    int64_t labels = 2;
    if (auto shape = b.shapeOf("sop_classifier.classifier.weight"))
      if (!shape->empty())
        labels = shape->front();
    return {{"prediction_logits", predictWords(hidden)},
            {"sop_logits", b.linear(pooled(hidden), "sop_classifier.classifier",
                                    width, labels)}};
  }

private:
  Tensor layer(const Tensor &x, const Tensor &mask, const std::string &prefix) {
    Tensor y =
        attentionBlock(b, x, mask,
                       {prefix + "attention.query", prefix + "attention.key",
                        prefix + "attention.value", prefix + "attention.dense",
                        prefix + "attention.LayerNorm"},
                       width, settings.heads, settings.epsilon);
    return feedForward(b, y,
                       {prefix + "ffn", prefix + "ffn_output",
                        prefix + "full_layer_layer_norm"},
                       settings);
  }

  BertSettings settings;
  int64_t embeddingSize, groups, inner;
};

} // namespace

std::unique_ptr<Encoder> makeAlbert(ModelBuilder &b) {
  return std::make_unique<Albert>(b);
}

} // namespace plmc::huggingface
