//===- Electra.cpp - ELECTRA, discriminator and generator -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "../ONNX/Diagnostics.h"
#include "BertLayers.h"

using namespace plmc::importer;

namespace plmc::huggingface {
namespace {

class Electra final : public Encoder {
public:
  explicit Electra(ModelBuilder &b)
      : Encoder(b, "electra."), settings(b.config),
        embeddingSize(b.config.size("embedding_size", 128)) {
    width = settings.hidden;
    vocabulary = settings.vocabulary;
    words = base("embeddings.word_embeddings");
    decoder = "generator_lm_head";
  }

  Tensor encode(const Inputs &inputs) override {
    int64_t e = embeddingSize;
    Tensor x = bertEmbeddings(b, inputs, wordTable(words, vocabulary, e),
                              base("embeddings."), e, settings);
    if (e != width)
      x = b.linear(x, base("embeddings_project"), e, width);
    for (int64_t i = 0; i < settings.layers && !b.hasFailed(); ++i)
      x = bertLayer(b, x, inputs.mask,
                    base("encoder.layer." + llvm::Twine(i) + "."), settings);
    return x;
  }

  Tensor predictWords(const Tensor &hidden) override {
    return wordLogits(hidden,
                      {"generator_predictions.dense",
                       "generator_predictions.LayerNorm", "generator_lm_head",
                       "", "gelu", "", embeddingSize},
                      settings.epsilon);
  }
  Tensor classify(const Tensor &hidden, const Tensor &,
                  int64_t labels) override {
    Tensor x = b.linear(b.firstToken(hidden), "classifier.dense", width, width);
    return b.linear(b.activation(x, "gelu", ""), "classifier.out_proj", width,
                    labels);
  }

  Tensor scoreChoice(const Tensor &hidden, const Tensor &) override {
    std::string type = b.config.string("summary_type", "first");
    if (type != "first") {
      b.config.unsupported("summary_type is '" + printable(type, 40) +
                           "'; supported is first");
      return Tensor();
    }
    Tensor x = b.firstToken(hidden);
    if (b.config.boolean("summary_use_proj", true))
      x = b.linear(x, "sequence_summary.summary", width, width);
    std::string activation = b.config.string("summary_activation", "gelu");
    if (!activation.empty())
      x = b.activation(x, activation, "summary_activation");
    return b.linear(x, "classifier", width, 1);
  }

  /// The discriminator: was this token replaced? [batch, sequence].
  std::vector<Output> preTraining(const Tensor &hidden) override {
    Tensor x =
        b.linear(hidden, "discriminator_predictions.dense", width, width);
    x = b.activation(x, settings.activation, "hidden_act");
    x = b.linear(x, "discriminator_predictions.dense_prediction", width, 1);
    if (!x)
      return {};
    return {{"logits", b.graph.reshape(x, {x.dim(0), x.dim(1)})}};
  }

private:
  BertSettings settings;
  int64_t embeddingSize;
};

} // namespace

std::unique_ptr<Encoder> makeElectra(ModelBuilder &b) {
  return std::make_unique<Electra>(b);
}

} // namespace plmc::huggingface
