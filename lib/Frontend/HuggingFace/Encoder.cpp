//===- Encoder.cpp - What the families have in common ---------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Encoder.h"

using namespace plmc::importer;

namespace plmc::huggingface {

Encoder::Encoder(ModelBuilder &b, llvm::StringRef basePrefix) : b(b) {
  if (b.hasPrefix(basePrefix))
    prefix = basePrefix.str();
  b.config.refuse("is_decoder", "decoders are not supported");
  b.config.refuse("add_cross_attention", "cross attention is not supported");
}

Encoder::~Encoder() = default;

std::string Encoder::base(const llvm::Twine &name) const {
  return (prefix + name).str();
}

Tensor Encoder::refuse(llvm::StringRef what) {
  b.config.unsupported("architectures: a " +
                       b.config.string("model_type", "model") +
                       " model has no counterpart of " + what);
  return Tensor();
}

Tensor Encoder::classifyTokens(const Tensor &hidden, int64_t labels) {
  return b.linear(hidden, "classifier", width, labels);
}

Tensor Encoder::answer(const Tensor &hidden) {
  return b.linear(hidden, "qa_outputs", width, 2);
}

/// Which of two tied weights a checkpoint stores is a matter of the library
/// that wrote it. Where both are there, each is read by its own name (as
/// transformers does): if they are equal, they become one parameter anyway.
Tensor Encoder::wordTable(const std::string &name, int64_t vocabulary,
                          int64_t width) {
  b.setModule(name);
  bool fromDecoder = !b.has(name + ".weight") && !decoder.empty() &&
                     b.has(decoder + ".weight") &&
                     b.config.boolean("tie_word_embeddings", true);
  return b.weight((fromDecoder ? decoder : name) + ".weight",
                  {vocabulary, width});
}

Tensor Encoder::outputMatrix(const std::string &decoder, int64_t width) {
  b.setModule(decoder);
  bool tied = b.config.boolean("tie_word_embeddings", true) &&
              !b.has(decoder + ".weight");
  return b.weight((tied ? words : decoder) + ".weight", {vocabulary, width});
}

Tensor Encoder::wordLogits(const Tensor &hidden, const WordHead &head,
                           double epsilon) {
  Tensor x = b.linear(hidden, head.dense, width, head.width);
  x = b.activation(x, head.activation, head.activationKey);
  x = b.layerNorm(x, head.norm, head.width, epsilon);
  Tensor matrix = outputMatrix(head.decoder, head.width);
  // The bias is stored under one name or two, which are one tensor.
  std::string bias = head.decoder + ".bias";
  if (!b.has(bias) && !head.bias.empty())
    bias = head.bias;
  return b.linear(x, matrix, b.weight(bias, {vocabulary}));
}

} // namespace plmc::huggingface
