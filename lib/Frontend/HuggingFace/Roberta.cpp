//===- Roberta.cpp - RoBERTa, XLM-RoBERTa, CamemBERT ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "BertLayers.h"

using namespace plmc::importer;

namespace plmc::huggingface {
namespace {

class Roberta final : public Encoder {
public:
  explicit Roberta(ModelBuilder &b)
      : Encoder(b, "roberta."), settings(b.config),
        padding(
            b.config.integer("pad_token_id", 1, 0, settings.vocabulary - 1)) {
    width = settings.hidden;
    vocabulary = settings.vocabulary;
    words = base("embeddings.word_embeddings");
    decoder = "lm_head.decoder";
  }

  Tensor encode(const Inputs &inputs) override {
    Tensor x = b.embedding(inputs.ids, wordTable(words, vocabulary, width));
    b.setModule(base("embeddings"));
    // There is no input for token types: every token is of type 0.
    Tensor types = b.weight(base("embeddings.token_type_embeddings.weight"),
                            {settings.types, width});
    Tensor typeZero =
        b.graph.reshape(b.rows(types, 0, 1), {1, 1, DimExpr(width)});
    x = b.graph.add(x, typeZero);
    if (settings.positionType == BertSettings::Positions::Absolute) {
      Tensor places =
          countedPositions(b, inputs.ids, padding, settings.positions);
      Tensor positions = b.weight(base("embeddings.position_embeddings.weight"),
                                  {settings.positions, width});
      x = b.graph.add(x, b.embedding(places, positions));
    }
    x = b.layerNorm(x, base("embeddings.LayerNorm"), width, settings.epsilon);
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
    // Whatever hidden_act says, this head has the erf GELU.
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
  BertSettings settings;
  int64_t padding; // id of the padding token
};

} // namespace

std::unique_ptr<Encoder> makeRoberta(ModelBuilder &b) {
  return std::make_unique<Roberta>(b);
}

} // namespace plmc::huggingface
