//===- SentenceTransformers.h - modules.json --------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef PLMC_FRONTEND_HUGGINGFACE_SENTENCETRANSFORMERS_H
#define PLMC_FRONTEND_HUGGINGFACE_SENTENCETRANSFORMERS_H

#include "Encoder.h"

namespace plmc::huggingface {

/// The modules of a sentence-transformers folder: a transformer, then pooling
/// and what follows it.
class SentenceModules {
public:
  /// Reads folder/modules.json. The error is an ImportError.
  static llvm::Expected<SentenceModules> open(llvm::StringRef folder);

  /// The folder with config.json and the weights.
  const std::string &getTransformerFolder() const { return transformer; }
  /// sentence_embedding [batch, width] of the hidden state.
  Tensor build(ModelBuilder &b, const Tensor &hidden, const Tensor &mask) const;

private:
  enum class Kind { Pooling, Dense, Normalize };
  struct Module {
    Kind kind;
    std::string folder; // its own, or "" if it has none
  };
  Tensor pool(ModelBuilder &b, const Module &module, const Tensor &hidden,
              const Tensor &mask) const;
  Tensor dense(ModelBuilder &b, const Module &module, const Tensor &x) const;

  std::string displayName, transformer;
  std::vector<Module> modules;
};

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_SENTENCETRANSFORMERS_H
