//===- Bert.cpp - BERT ----------------------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "BertLayers.h"

using namespace plmc::importer;

namespace plmc::huggingface {
namespace {

class Bert final : public Encoder {
public:
  explicit Bert(ModelBuilder &b) : Encoder(b, "bert."), settings(b.config) {
    width = settings.hidden;
    vocabulary = settings.vocabulary;
    words = base("embeddings.word_embeddings");
    decoder = "cls.predictions.decoder";
  }

  Tensor encode(const Inputs &inputs) override {
    Tensor x = bertEmbeddings(b, inputs, wordTable(words, vocabulary, width),
                              base("embeddings."), width, settings);
    for (int64_t i = 0; i < settings.layers && !b.hasFailed(); ++i)
      x = bertLayer(b, x, inputs.mask,
                    base("encoder.layer." + llvm::Twine(i) + "."), settings);
    return x;
  }

  bool hasPooler() const override { return b.has(base("pooler.dense.weight")); }
  Tensor pooled(const Tensor &hidden) override {
    return bertPooler(b, hidden, base("pooler.dense"), width);
  }

  Tensor predictWords(const Tensor &hidden) override {
    return wordLogits(hidden,
                      {"cls.predictions.transform.dense",
                       "cls.predictions.transform.LayerNorm",
                       "cls.predictions.decoder", "cls.predictions.bias",
                       settings.activation, "hidden_act", width},
                      settings.epsilon);
  }
  Tensor classify(const Tensor &hidden, const Tensor &,
                  int64_t labels) override {
    return b.linear(pooled(hidden), "classifier", width, labels);
  }
  Tensor scoreChoice(const Tensor &hidden, const Tensor &) override {
    return b.linear(pooled(hidden), "classifier", width, 1);
  }
  Tensor nextSentence(const Tensor &hidden) override {
    return b.linear(pooled(hidden), "cls.seq_relationship", width, 2);
  }
  std::vector<Output> preTraining(const Tensor &hidden) override {
    return {{"prediction_logits", predictWords(hidden)},
            {"seq_relationship_logits", nextSentence(hidden)}};
  }

private:
  BertSettings settings;
};

} // namespace

std::unique_ptr<Encoder> makeBert(ModelBuilder &b) {
  return std::make_unique<Bert>(b);
}

} // namespace plmc::huggingface
