//===- Heads.cpp - From architectures to outputs --------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Heads.h"
#include "../ONNX/Diagnostics.h"

using namespace plmc::importer;

namespace plmc::huggingface {

static const Family families[] = {
    {"bert", "Bert", "BERT", true, makeBert},
    {"distilbert", "DistilBert", "DistilBERT", false, makeDistilBert},
    {"roberta", "Roberta", "RoBERTa", false, makeRoberta},
    {"xlm-roberta", "XLMRoberta", "XLM-RoBERTa", false, makeRoberta},
    {"camembert", "Camembert", "CamemBERT", false, makeRoberta},
    {"albert", "Albert", "ALBERT", true, makeAlbert},
    {"electra", "Electra", "ELECTRA", true, makeElectra},
    {"mpnet", "MPNet", "MPNet", false, makeMPNet},
    {"modernbert", "ModernBert", "ModernBERT", false, makeModernBert},
    {"deberta-v2", "DebertaV2", "DeBERTa-v2", true, makeDebertaV2},
};

static const std::pair<llvm::StringRef, Head> heads[] = {
    {"Model", Head::Base},
    {"ForMaskedLM", Head::MaskedLM},
    {"ForSequenceClassification", Head::SequenceClassification},
    {"ForTokenClassification", Head::TokenClassification},
    {"ForQuestionAnswering", Head::QuestionAnswering},
    {"ForMultipleChoice", Head::MultipleChoice},
    {"ForNextSentencePrediction", Head::NextSentencePrediction},
    {"ForPreTraining", Head::PreTraining},
};

const Family *findFamily(Config &config) {
  std::string type = config.string("model_type", "");
  for (const Family &family : families)
    if (family.modelType == type)
      return &family;
  std::string known;
  for (const Family &family : families)
    known += (known.empty() ? "" : ", ") + family.modelType.str();
  config.unsupported((type.empty()
                          ? std::string("it has no model_type")
                          : "model_type is '" + printable(type, 60) + "'") +
                     "; supported are " + known);
  return nullptr;
}

Head findHead(Config &config, const Family &family) {
  std::vector<std::string> names = config.strings("architectures");
  if (names.empty())
    return Head::Base;
  llvm::StringRef name = names.front();
  // A class of another family ("BertModel" in a RoBERTa folder) would read
  // other weights.
  if (name.consume_front(family.classPrefix))
    for (const auto &[suffix, head] : heads)
      if (name == suffix)
        return head;
  std::string known;
  for (const auto &[suffix, head] : heads)
    known += (known.empty() ? "" : ", ") + (family.classPrefix + suffix).str();
  config.unsupported("architectures names '" + printable(names.front(), 80) +
                     "'; supported are " + known);
  return Head::Base;
}

/// num_labels, as the Python library finds it.
static int64_t labelCount(Config &config) {
  const Json *labels = config.raw("id2label");
  if (labels && labels->is_object() && !labels->empty())
    return labels->size();
  return config.size("num_labels", 2);
}

/// Column `index` of [B, S, 2] as [B, S].
static Tensor column(ModelBuilder &b, const Tensor &x, int64_t index) {
  if (!x || b.hasFailed())
    return Tensor();
  Tensor part = b.graph.slice(x, {DimExpr(0), DimExpr(0), DimExpr(index)},
                              {1, 1, 1}, {x.dim(0), x.dim(1), DimExpr(1)});
  return b.graph.reshape(part, {x.dim(0), x.dim(1)});
}

std::vector<Output> buildHead(ModelBuilder &b, Encoder &encoder, Head head,
                              const Tensor &hidden, const Inputs &inputs,
                              const DimExpr &batch, const DimExpr &choices) {
  switch (head) {
  case Head::Base: {
    std::vector<Output> outputs = {{"last_hidden_state", hidden}};
    if (encoder.hasPooler())
      outputs.push_back({"pooler_output", encoder.pooled(hidden)});
    return outputs;
  }
  case Head::MaskedLM:
    return {{"logits", encoder.predictWords(hidden)}};
  case Head::SequenceClassification:
    return {{"logits",
             encoder.classify(hidden, inputs.mask, labelCount(b.config))}};
  case Head::TokenClassification:
    return {{"logits", encoder.classifyTokens(hidden, labelCount(b.config))}};
  case Head::QuestionAnswering: {
    Tensor logits = encoder.answer(hidden);
    return {{"start_logits", column(b, logits, 0)},
            {"end_logits", column(b, logits, 1)}};
  }
  case Head::MultipleChoice: {
    Tensor scores = encoder.scoreChoice(hidden, inputs.mask);
    return {{"logits", b.graph.reshape(scores, {batch, choices})}};
  }
  case Head::NextSentencePrediction:
    return {{"logits", encoder.nextSentence(hidden)}};
  case Head::PreTraining:
    return encoder.preTraining(hidden);
  }
  return {};
}

} // namespace plmc::huggingface
