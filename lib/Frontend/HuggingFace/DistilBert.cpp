//===- DistilBert.cpp - DistilBERT ----------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "BertLayers.h"

using namespace plmc::importer;

namespace plmc::huggingface {
namespace {

class DistilBert final : public Encoder {
public:
  explicit DistilBert(ModelBuilder &b) : Encoder(b, "distilbert.") {
    Config &config = b.config;
    vocabulary = config.size("vocab_size", 30522);
    width = config.size("dim", 768);
    layers = layerCount(config, "n_layers", 6);
    heads = headCount(config, "n_heads", 12, width);
    hiddenDim = config.size("hidden_dim", 3072);
    positions = config.size("max_position_embeddings", 512);
    activation = config.string("activation", "gelu");
    words = base("embeddings.word_embeddings");
    decoder = "vocab_projector";
  }

  Tensor encode(const Inputs &inputs) override {
    Tensor x = b.embedding(inputs.ids, wordTable(words, vocabulary, width));
    b.setModule(base("embeddings"));
    Tensor table = b.weight(base("embeddings.position_embeddings.weight"),
                            {positions, width});
    x = b.graph.add(x, b.positionEmbedding(table, inputs.ids.dim(1)));
    x = b.layerNorm(x, base("embeddings.LayerNorm"), width, epsilon);
    for (int64_t i = 0; i < layers && !b.hasFailed(); ++i)
      x = layer(x, inputs.mask,
                base("transformer.layer." + llvm::Twine(i) + "."));
    return x;
  }

  Tensor predictWords(const Tensor &hidden) override {
    return wordLogits(hidden,
                      {"vocab_transform", "vocab_layer_norm", "vocab_projector",
                       "", activation, "activation", width},
                      epsilon);
  }
  Tensor classify(const Tensor &hidden, const Tensor &,
                  int64_t labels) override {
    return b.linear(preClassify(hidden), "classifier", width, labels);
  }
  Tensor scoreChoice(const Tensor &hidden, const Tensor &) override {
    return b.linear(preClassify(hidden), "classifier", width, 1);
  }

private:
  Tensor preClassify(const Tensor &hidden) {
    Tensor x = b.linear(b.firstToken(hidden), "pre_classifier", width, width);
    return b.activation(x, "relu", "");
  }

  Tensor layer(const Tensor &x, const Tensor &mask, const std::string &prefix) {
    Tensor y =
        attentionBlock(b, x, mask,
                       {prefix + "attention.q_lin", prefix + "attention.k_lin",
                        prefix + "attention.v_lin",
                        prefix + "attention.out_lin", prefix + "sa_layer_norm"},
                       width, heads, epsilon);
    Tensor z = b.linear(y, prefix + "ffn.lin1", width, hiddenDim);
    z = b.activation(z, activation, "activation");
    z = b.linear(z, prefix + "ffn.lin2", hiddenDim, width);
    return b.layerNorm(b.graph.add(z, y), prefix + "output_layer_norm", width,
                       epsilon);
  }

  static constexpr double epsilon = 1e-12; // no setting
  int64_t layers, heads, hiddenDim, positions;
  std::string activation;
};

} // namespace

std::unique_ptr<Encoder> makeDistilBert(ModelBuilder &b) {
  return std::make_unique<DistilBert>(b);
}

} // namespace plmc::huggingface
