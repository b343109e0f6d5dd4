//===- Distance.h - How far two models' outputs are apart -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is compared depends on what an output is, which its name and its shape
// tell:
//
//   embedding     [batch, H]             cosine
//   tokens        [batch, sequence, H]   cosine of the means over kept tokens,
//                                        and of each kept token
//   logits        [batch, C]             KL divergence of the softmax, and how
//                                        often the greatest is the same; with
//                                        C = 1, of the sigmoid
//   token logits  [batch, sequence, C]   the same of each kept token
//   positions     [batch, sequence]      the same over the kept tokens
//
// Two shapes fit [batch, *]: it is positions where the second size is the
// model's length. It is logits where the name has "logit", "score" or "prob" in
// it, or where it has at most 32 columns and neither "embed", "pool" nor
// "hidden" in its name. Three sizes are token logits by the same names only.
// Other shapes and integers are not compared.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EVALUATION_DISTANCE_H
#define PLMC_EVALUATION_DISTANCE_H

#include "plmc/Evaluation/TokenBatches.h"

namespace plmc {

enum class OutputMeaning { Embedding, Tokens, Logits, TokenLogits, Positions };

/// "embedding", "tokens", "logits", "token logits", "positions".
llvm::StringRef outputMeaningName(OutputMeaning kind);
inline bool isDistribution(OutputMeaning kind) {
  return kind != OutputMeaning::Embedding && kind != OutputMeaning::Tokens;
}
/// Nullopt for what is not compared.
std::optional<OutputMeaning> outputMeaning(llvm::StringRef name,
                                           mlir::RankedTensorType type,
                                           const InputRoles &roles);

/// One output over all sequences. Values that are no numbers count as cosine -1
/// and infinite divergence.
struct OutputDistance {
  std::string output;
  OutputMeaning kind = OutputMeaning::Embedding;
  int64_t sequences = 0, tokens = 0;
  double meanCosine = 0, minCosine = 1;           // Embedding, Tokens
  double meanTokenCosine = 0, minTokenCosine = 1; // Tokens
  double meanKL = 0, maxKL = 0; // nats; the others. Per token where by token
  double top1 = 0;              // share, 0 to 1
};

struct WorstExample {
  size_t sequence; // of the set
  std::string output;
  double distance; // 1 - cosine, or the divergence
};

struct ModelDistance {
  std::vector<OutputDistance> outputs;
  std::vector<WorstExample> worst; // the worst first, one a sequence

  /// Of the output that is worst; nullopt where none is of the kind.
  std::optional<double> cosine() const;
  std::optional<double> minCosine() const;
  std::optional<double> kl() const;
  std::optional<double> top1() const;
};

/// Adds up the distances of batches.
class DistanceSum {
public:
  struct Output {
    std::string name;
    OutputMeaning kind;
  };
  explicit DistanceSum(std::vector<Output> outputs);

  /// Both in the order of `outputs`. An error if shapes differ.
  llvm::Error add(const TokenBatch &batch, llvm::ArrayRef<HostTensor> expected,
                  llvm::ArrayRef<HostTensor> actual);
  ModelDistance finish(size_t worstCount = 5);

private:
  std::vector<OutputDistance> sums;
  std::vector<WorstExample> all;
};

} // namespace plmc

#endif // PLMC_EVALUATION_DISTANCE_H
