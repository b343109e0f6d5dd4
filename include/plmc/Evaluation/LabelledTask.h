//===- LabelledTask.h - A model, asked what labels answer -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a model is asked follows from its outputs (OutputMeaning) and the file:
//
//   logits [batch, C], labels 0 to C - 1   the greatest: accuracy, f1, matthews
//   logits [batch, 1], labels 0 and 1      the sign: the same
//   logits [batch, 1], other labels        the value: spearman, pearson
//   embeddings or tokens, pairs of texts   cosine of the two (of the means over
//                                          tokens): spearman, pearson
//   token logits over the vocabulary       hidden tokens (MaskedTokens.h):
//                                          perplexity; labels are not needed
//
// Logits come first, if the labels suit them. Two texts go into a model of
// logits as one sequence, into the others one by one.
//
// Ids of hidden tokens are the tokenizer's, which is the model's as it is now:
// where rows of a vocabulary were dropped it has the new ids, and where dropped
// ids were aliased the decoder still has a column for each of the old.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EVALUATION_LABELLEDTASK_H
#define PLMC_EVALUATION_LABELLEDTASK_H

#include "plmc/Evaluation/Distance.h"
#include "plmc/Evaluation/LabelledSet.h"
#include "plmc/Evaluation/Scores.h"
#include "plmc/Execution/LoadedModel.h"
#include "plmc/Tokenizer/Tokenizer.h"

namespace plmc {

class LabelledTask {
public:
  /// `module` is recognized. Of its outputs only `outputs` are looked at, or
  /// all if there are none. Errors name what does not fit: no output that the
  /// labels or texts could be about, a label that is no class.
  static llvm::Expected<LabelledTask>
  create(mlir::ModuleOp module, LabelledSet set, const Tokenizer &tokenizer,
         llvm::ArrayRef<std::string> outputs = {});

  /// Of the module, compiled, or of what was made of it. The tokenizer is the
  /// model's own.
  llvm::Expected<Scores> score(LoadedModel &model,
                               const Tokenizer &tokenizer) const;

  /// What score will give.
  bool gives(Metric metric) const;
  const LabelledSet &data() const { return set; }
  /// The output that is looked at.
  llvm::StringRef outputName() const { return output; }

private:
  enum class Kind { Classes, Sign, Value, Similarity, Masked };
  static llvm::Expected<LabelledTask> classify(LabelledTask task);
  llvm::Expected<Scores> judge(const std::vector<std::vector<double>> &) const;
  llvm::Expected<Scores> scoreMasked(LoadedModel &model, CalibrationSet ids,
                                     const Tokenizer &tokenizer) const;
  llvm::Error
  ask(LoadedModel &model, llvm::ArrayRef<TokenBatch> batches,
      llvm::function_ref<void(const HostTensor &, const TokenBatch &)> take)
      const;

  LabelledSet set;
  InputRoles roles;
  Kind kind = Kind::Similarity;
  std::string output;
  OutputMeaning meaning = OutputMeaning::Tokens;
  int64_t classes = 0; // or words
};

} // namespace plmc

#endif // PLMC_EVALUATION_LABELLEDTASK_H
