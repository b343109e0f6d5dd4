//===- BertLayers.cpp - The layers that BERT's relatives share ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "BertLayers.h"
#include "../ONNX/Diagnostics.h"
#include "Positions.h"
#include <cmath>

using namespace plmc::importer;

namespace plmc::huggingface {

BertSettings::BertSettings(Config &config, llvm::StringRef defaultActivation) {
  vocabulary = config.size("vocab_size", 30522);
  hidden = config.size("hidden_size", 768);
  layers = layerCount(config, "num_hidden_layers", 12);
  heads = headCount(config, "num_attention_heads", 12, hidden);
  intermediate = config.size("intermediate_size", 3072);
  positions = config.size("max_position_embeddings", 512);
  types = config.size("type_vocab_size", 2);
  epsilon = config.epsilon("layer_norm_eps", 1e-12);
  activation = config.string("hidden_act", defaultActivation);
  std::string type = config.string("position_embedding_type", "absolute");
  positionType = type == "relative_key"         ? Positions::RelativeKey
                 : type == "relative_key_query" ? Positions::RelativeKeyQuery
                                                : Positions::Absolute;
  if (positionType == Positions::Absolute && type != "absolute")
    config.unsupported("position_embedding_type is '" + printable(type, 40) +
                       "'; supported are absolute, relative_key, "
                       "relative_key_query");
}

int64_t layerCount(Config &config, llvm::StringRef key, int64_t fallback) {
  return config.integer(key, fallback, 1, 1024);
}

int64_t headCount(Config &config, llvm::StringRef key, int64_t fallback,
                  int64_t width) {
  int64_t heads = config.size(key, fallback);
  if (width % heads == 0)
    return heads;
  config.fail(key + " is " + llvm::Twine(heads) +
              ", which does not divide the width " + llvm::Twine(width));
  return 1;
}

Tensor attentionBlock(ModelBuilder &b, const Tensor &x, const Tensor &mask,
                      const AttentionNames &names, int64_t width, int64_t heads,
                      double epsilon, ScoreBias bias) {
  int64_t size = width / heads, inner = width;
  if (auto shape = b.shapeOf(names.query + ".weight"))
    if (shape->size() == 2 && (*shape)[0] > 0 && (*shape)[0] < width &&
        (*shape)[0] % size == 0)
      inner = (*shape)[0];
  Tensor query = b.linear(x, names.query, width, inner);
  Tensor key = b.linear(x, names.key, width, inner);
  Tensor value = b.linear(x, names.value, width, inner);
  Tensor added = bias ? bias(query, key, inner / size) : Tensor();
  Tensor context = b.attention(query, key, value, mask, added, inner / size,
                               1 / std::sqrt(double(size)));
  Tensor y = b.linear(context, names.output, inner, width);
  return b.layerNorm(b.graph.add(y, x), names.norm, width, epsilon);
}

Tensor feedForward(ModelBuilder &b, const Tensor &x,
                   const FeedForwardNames &names,
                   const BertSettings &settings) {
  Tensor y = b.linear(x, names.in, settings.hidden, settings.intermediate);
  y = b.activation(y, settings.activation, "hidden_act");
  y = b.linear(y, names.out, settings.intermediate, settings.hidden);
  return b.layerNorm(b.graph.add(y, x), names.norm, settings.hidden,
                     settings.epsilon);
}

Tensor bertEmbeddings(ModelBuilder &b, const Inputs &inputs,
                      const Tensor &words, const std::string &prefix,
                      int64_t width, const BertSettings &settings) {
  Tensor x = b.embedding(inputs.ids, words);
  b.setModule(prefix + "token_type_embeddings");
  Tensor types = b.weight(prefix + "token_type_embeddings.weight",
                          {settings.types, width});
  x = b.graph.add(x, b.embedding(inputs.types, types));
  if (settings.positionType == BertSettings::Positions::Absolute) {
    b.setModule(prefix + "position_embeddings");
    Tensor positions = b.weight(prefix + "position_embeddings.weight",
                                {settings.positions, width});
    x = b.graph.add(x, b.positionEmbedding(positions, inputs.ids.dim(1)));
  }
  return b.layerNorm(x, prefix + "LayerNorm", width, settings.epsilon);
}

/// Scores of queries, and perhaps keys, with an embedding of the distance
/// between the two, scaled as all scores: [B, heads, S, S]. `prefix` is that of
/// the self-attention.
static Tensor distanceBias(ModelBuilder &b, const Tensor &query,
                           const Tensor &key, const std::string &prefix,
                           int64_t heads, const BertSettings &settings) {
  GraphBuilder &graph = b.graph;
  int64_t size = settings.hidden / settings.heads, limit = settings.positions;
  int64_t rows = 2 * limit - 1;
  b.setModule(prefix + "distance_embedding");
  Tensor table = b.weight(prefix + "distance_embedding.weight", {rows, size});
  if (!table || !query || !key || b.hasFailed())
    return Tensor();
  b.limitSequence(query.dim(1), limit);
  table = graph.reshape(graph.transpose(table, {1, 0}),
                        {1, 1, DimExpr(size), DimExpr(rows)});
  Tensor index =
      graph.add(positionDifferences(b, query.dim(1), /*keyMinusQuery=*/false),
                graph.scalar(DType::I64, double(limit - 1)));
  Tensor scores =
      scoresByDistance(b, query, table, index, heads, /*ofKey=*/false);
  if (settings.positionType == BertSettings::Positions::RelativeKeyQuery)
    scores = graph.add(
        scores, scoresByDistance(b, key, table, index, heads, /*ofKey=*/true));
  return graph.mul(scores,
                   graph.scalar(DType::F32, 1 / std::sqrt(double(size))));
}

Tensor bertLayer(ModelBuilder &b, const Tensor &x, const Tensor &mask,
                 const std::string &prefix, const BertSettings &settings) {
  auto bias = [&](const Tensor &query, const Tensor &key, int64_t heads) {
    if (settings.positionType == BertSettings::Positions::Absolute)
      return Tensor();
    return distanceBias(b, query, key, prefix + "attention.self.", heads,
                        settings);
  };
  Tensor y = attentionBlock(
      b, x, mask,
      {prefix + "attention.self.query", prefix + "attention.self.key",
       prefix + "attention.self.value", prefix + "attention.output.dense",
       prefix + "attention.output.LayerNorm"},
      settings.hidden, settings.heads, settings.epsilon, bias);
  return feedForward(b, y,
                     {prefix + "intermediate.dense", prefix + "output.dense",
                      prefix + "output.LayerNorm"},
                     settings);
}

Tensor bertPooler(ModelBuilder &b, const Tensor &hidden,
                  const std::string &prefix, int64_t width) {
  b.setModule(prefix);
  return b.tanh(b.linear(b.firstToken(hidden), prefix, width, width));
}

Tensor countedPositions(ModelBuilder &b, const Tensor &ids, int64_t padding,
                        int64_t rows) {
  b.setModule("embeddings.position_ids");
  GraphBuilder &graph = b.graph;
  b.limitSequence(ids.dim(1), rows - 1 - padding);
  Tensor id = graph.scalar(DType::I64, double(padding));
  Tensor token =
      graph.cast(graph.binary(plm::BinaryKind::Ne, ids, id), DType::I64);
  Tensor count = graph.cumsum(token, 1, /*exclusive=*/false, /*reverse=*/false);
  return graph.add(graph.mul(count, token), id);
}

} // namespace plmc::huggingface
