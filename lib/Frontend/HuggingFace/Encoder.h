//===- Encoder.h - What every family of models can be asked for -*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef PLMC_FRONTEND_HUGGINGFACE_ENCODER_H
#define PLMC_FRONTEND_HUGGINGFACE_ENCODER_H

#include "ModelBuilder.h"

namespace plmc::huggingface {

/// The inputs, [batch, sequence] each; those that the family has not are null.
struct Inputs {
  Tensor ids, mask, types;
};

struct Output {
  std::string name;
  Tensor tensor;
};

/// One model of one family. A subclass knows the family's modules and what
/// their weights are called; Heads.cpp puts them together. A head that the
/// family lacks is refused by the defaults here.
class Encoder {
public:
  Encoder(ModelBuilder &b, llvm::StringRef basePrefix);
  virtual ~Encoder();

  /// The last hidden state [batch, sequence, width].
  virtual Tensor encode(const Inputs &inputs) = 0;
  /// Of the hidden state.
  int64_t getWidth() const { return width; }

  /// Whether there is a pooler, and its weights in the checkpoint.
  virtual bool hasPooler() const { return false; }
  /// pooler_output [batch, width].
  virtual Tensor pooled(const Tensor &hidden) { return refuse("a pooler"); }

  /// Masked-language-model logits [batch, sequence, vocabulary].
  virtual Tensor predictWords(const Tensor &hidden) {
    return refuse("a masked-language-model head");
  }
  /// [batch, labels].
  virtual Tensor classify(const Tensor &hidden, const Tensor &mask,
                          int64_t labels) = 0;
  /// Multiple choice: [batch, 1].
  virtual Tensor scoreChoice(const Tensor &hidden, const Tensor &mask) = 0;
  /// [batch, sequence, labels].
  virtual Tensor classifyTokens(const Tensor &hidden, int64_t labels);
  /// [batch, sequence, 2].
  virtual Tensor answer(const Tensor &hidden);
  virtual Tensor nextSentence(const Tensor &hidden) {
    return refuse("a next-sentence head");
  }
  virtual std::vector<Output> preTraining(const Tensor &hidden) {
    refuse("a pre-training head");
    return {};
  }

protected:
  /// The weight's name with the prefix of the base model, if this checkpoint
  /// has it ("bert.encoder.layer.0...").
  std::string base(const llvm::Twine &name) const;
  Tensor refuse(llvm::StringRef what);
  /// The words' table, or the output layer's where the two are tied and only
  /// that is stored.
  Tensor wordTable(const std::string &name, int64_t vocabulary, int64_t width);
  struct WordHead {
    std::string dense, norm, decoder, bias;
    std::string activation, activationKey;
    int64_t width; // of what the decoder reads
  };
  /// dense, activation, norm and the output layer, which may be tied to the
  /// words' table.
  Tensor wordLogits(const Tensor &hidden, const WordHead &head, double epsilon);
  /// The output layer's matrix [vocabulary, width], tied or not.
  Tensor outputMatrix(const std::string &decoder, int64_t width);

  ModelBuilder &b;
  int64_t width = 0, vocabulary = 0;
  std::string words;   // the name of the words' table
  std::string decoder; // the name of the output layer that may be tied to it

private:
  std::string prefix;
};

std::unique_ptr<Encoder> makeBert(ModelBuilder &b);
std::unique_ptr<Encoder> makeRoberta(ModelBuilder &b); // XLM-R, CamemBERT too
std::unique_ptr<Encoder> makeElectra(ModelBuilder &b);
std::unique_ptr<Encoder> makeAlbert(ModelBuilder &b);
std::unique_ptr<Encoder> makeDistilBert(ModelBuilder &b);
std::unique_ptr<Encoder> makeMPNet(ModelBuilder &b);
std::unique_ptr<Encoder> makeModernBert(ModelBuilder &b);
std::unique_ptr<Encoder> makeDebertaV2(ModelBuilder &b);

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_ENCODER_H
