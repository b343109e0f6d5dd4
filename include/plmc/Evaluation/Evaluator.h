//===- Evaluator.h - What a change of a model costs -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EVALUATION_EVALUATOR_H
#define PLMC_EVALUATION_EVALUATOR_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Evaluation/Distance.h"
#include "plmc/Execution/LoadedModel.h"

namespace plmc {

/// Compares models with an original on token sequences.
class Evaluator {
public:
  /// `reference` is a recognized module whose inputs are named as those of the
  /// models to come. Of the sequences as many are used as make up 16384 tokens,
  /// at most 256, spread over the set. Errors for a model that cannot be given
  /// token sequences, or has no output to compare.
  static llvm::Expected<std::unique_ptr<Evaluator>>
  create(mlir::ModuleOp reference, CalibrationSet set);
  ~Evaluator();

  /// Outputs that the other model has, too, are compared, by name.
  llvm::Expected<ModelDistance> compare(LoadedModel &model);
  /// The same of a module after recognition and passes, compiled for this
  /// machine.
  llvm::Expected<ModelDistance> compare(mlir::ModuleOp module);

  /// The sequences that are used; WorstExample counts in these.
  const CalibrationSet &sequences() const { return set; }
  /// The original, as it runs here.
  LoadedModel &original() { return *reference; }
  /// What the original's outputs are compared as.
  bool hasEmbeddings() const;
  bool hasDistributions() const;

private:
  Evaluator() = default;
  llvm::Expected<std::vector<HostTensor>> expected(size_t batch);

  CalibrationSet set;
  std::vector<TokenBatch> batches;
  std::unique_ptr<LoadedModel> reference;
  std::unique_ptr<LoadedModel::Context> context;   // goes before its library
  std::vector<std::optional<OutputMeaning>> kinds; // of the reference's outputs
  /// Outputs of the reference where they are few; else they are computed again.
  std::vector<std::vector<HostTensor>> known;
  uint64_t knownBytes = 0;
};

} // namespace plmc

#endif // PLMC_EVALUATION_EVALUATOR_H
