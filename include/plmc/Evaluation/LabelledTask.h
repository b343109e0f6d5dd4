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
//
// Logits come first, if the labels suit them. Two texts go into a model of
// logits as one sequence, into one of embeddings one by one.
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
  /// labels could be about, a label that is no class.
  static llvm::Expected<LabelledTask>
  create(mlir::ModuleOp module, LabelledSet set,
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
  enum class Kind { Classes, Sign, Value, Similarity };
  llvm::Expected<Scores> judge(const std::vector<std::vector<double>> &) const;

  LabelledSet set;
  InputRoles roles;
  Kind kind = Kind::Similarity;
  std::string output;
  OutputMeaning meaning = OutputMeaning::Tokens;
  int64_t classes = 0;
};

} // namespace plmc

#endif // PLMC_EVALUATION_LABELLEDTASK_H
