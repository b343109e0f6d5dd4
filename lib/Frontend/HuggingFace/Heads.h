//===- Heads.h - From architectures to outputs ------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef PLMC_FRONTEND_HUGGINGFACE_HEADS_H
#define PLMC_FRONTEND_HUGGINGFACE_HEADS_H

#include "Encoder.h"

namespace plmc::huggingface {

enum class Head {
  Base,
  MaskedLM,
  SequenceClassification,
  TokenClassification,
  QuestionAnswering,
  MultipleChoice,
  NextSentencePrediction,
  PreTraining,
};

struct Family {
  llvm::StringRef modelType;   // config.json's model_type
  llvm::StringRef classPrefix; // of architectures: "Bert" of "BertModel"
  llvm::StringRef displayName; // for plmc inspect
  /// Whether there is an input token_type_ids.
  bool hasTypes;
  std::unique_ptr<Encoder> (*make)(ModelBuilder &b);
};

/// The family of model_type; a failure that lists the known ones if there is
/// none.
const Family *findFamily(Config &config);
/// The head that `architectures` names; Base if it names none.
Head findHead(Config &config, const Family &family);

/// The outputs, named as optimum names them. With multiple choice the encoder
/// has run over [batch * choices, sequence].
std::vector<Output> buildHead(ModelBuilder &b, Encoder &encoder, Head head,
                              const Tensor &hidden, const Inputs &inputs,
                              const DimExpr &batch, const DimExpr &choices);

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_HEADS_H
