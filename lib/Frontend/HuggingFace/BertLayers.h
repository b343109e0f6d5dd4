//===- BertLayers.h - The layers that BERT's relatives share ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef PLMC_FRONTEND_HUGGINGFACE_BERTLAYERS_H
#define PLMC_FRONTEND_HUGGINGFACE_BERTLAYERS_H

#include "Encoder.h"

namespace plmc::huggingface {

/// The settings that BERT, RoBERTa, ELECTRA, ALBERT and MPNet have in common.
struct BertSettings {
  /// Reads and checks them.
  explicit BertSettings(Config &config, llvm::StringRef activation = "gelu");

  int64_t vocabulary, hidden, layers, heads, intermediate, positions;
  int64_t types; // rows of the token type table
  double epsilon;
  std::string activation;
  /// Where positions come in: added to the embeddings, or, in models that only
  /// transformers 4 can run, as distances in every attention block (Shaw et
  /// al., 2018), to the query's side or to both.
  enum class Positions { Absolute, RelativeKey, RelativeKeyQuery };
  Positions positionType;
};

/// Reads num_hidden_layers: bounded, since layers may share their weights.
int64_t layerCount(Config &config, llvm::StringRef key, int64_t fallback);
/// Reads a number of heads that divides `width`.
int64_t headCount(Config &config, llvm::StringRef key, int64_t fallback,
                  int64_t width);

/// What the linear layers of an attention block are called.
struct AttentionNames {
  std::string query, key, value, output, norm;
};

/// What is added to the scores, of the block's queries and keys [B, S, width]
/// and its number of heads; null for nothing.
using ScoreBias =
    llvm::function_ref<Tensor(const Tensor &, const Tensor &, int64_t)>;

/// Self-attention, its output layer and the norm of the sum (post-LN). Heads
/// may have been pruned in this layer: the query's rows tell how many are left.
Tensor attentionBlock(ModelBuilder &b, const Tensor &x, const Tensor &mask,
                      const AttentionNames &names, int64_t width, int64_t heads,
                      double epsilon, ScoreBias bias = nullptr);

/// The sum of word, token type and (where they are absolute) position
/// embeddings, and its norm. `width` is that of the tables, `prefix` what comes
/// before "token_type_embeddings".
Tensor bertEmbeddings(ModelBuilder &b, const Inputs &inputs,
                      const Tensor &words, const std::string &prefix,
                      int64_t width, const BertSettings &settings);

/// dense, activation, dense and the norm of the sum (post-LN).
struct FeedForwardNames {
  std::string in, out, norm;
};
Tensor feedForward(ModelBuilder &b, const Tensor &x,
                   const FeedForwardNames &names, const BertSettings &settings);

/// A layer with BERT's names below `prefix` ("encoder.layer.0.").
Tensor bertLayer(ModelBuilder &b, const Tensor &x, const Tensor &mask,
                 const std::string &prefix, const BertSettings &settings);

/// tanh(W x[0] + b).
Tensor bertPooler(ModelBuilder &b, const Tensor &hidden,
                  const std::string &prefix, int64_t width);

/// Positions counted from the padding, as RoBERTa does: padding + the number
/// of tokens up to here that are no padding; padding itself gets `padding`.
/// i64 [batch, sequence]. The table must have `rows` rows.
Tensor countedPositions(ModelBuilder &b, const Tensor &ids, int64_t padding,
                        int64_t rows);

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_BERTLAYERS_H
