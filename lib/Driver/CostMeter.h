//===- CostMeter.h - What compression costs, step by step -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_COSTMETER_H
#define PLMC_LIB_DRIVER_COSTMETER_H

#include "Labels.h"
#include "Progress.h"
#include "mlir/IR/OwningOpRef.h"
#include "plmc/Driver/Compress.h"
#include "plmc/Evaluation/Evaluator.h"
#include "plmc/Recipe/Recipe.h"

namespace plmc {

/// Measures what the report and --fail-if ask for, and nothing else: outputs on
/// held-out sequences, which needs the model compiled after each step that
/// changes it, and latencies.
class CostMeter {
public:
  CostMeter(const CompressOptions &options, const Recipe &recipe,
            CompressReport &report, Progress &progress)
      : options(options), recipe(recipe), report(report), progress(progress) {}

  /// Usage errors: sequences that are needed and not named, shapes.
  llvm::Error check();
  /// The recognized module, before the first step.
  llvm::Error begin(mlir::ModuleOp module);
  /// After a step that is the last in `report`-to-be.
  llvm::Error afterStep(mlir::ModuleOp module, StepReport &step);
  /// The module after all steps, not yet lowered.
  llvm::Error afterSteps(mlir::ModuleOp module);
  /// Times what was written (or, if that is no library for this machine, the
  /// module compiled for it), and evaluates the conditions.
  llvm::Error finish(llvm::StringRef written);

  /// LimitMissed when a condition of --fail-if holds.
  llvm::Error verdict() const;
  /// What measuring took so far.
  double seconds() const { return spent; }

private:
  bool wantsDistance() const;
  bool conditionNeedsSequences() const;
  bool wantsShapes() const;
  llvm::Error checkShapes();
  llvm::Error createEvaluator(mlir::ModuleOp module);
  llvm::Error compare(mlir::ModuleOp module);
  llvm::Expected<LoadedModel *> originalModel();
  llvm::Error measureLabels();
  llvm::Error measureRuns();
  void addWorstExamples();
  llvm::Expected<double> valueOf(const Condition &condition);

  const CompressOptions &options;
  const Recipe &recipe;
  CompressReport &report;
  Progress &progress;
  std::unique_ptr<Evaluator> evaluator;
  /// For latencies: the model before and after the steps.
  mlir::OwningOpRef<mlir::ModuleOp> original, final;
  std::unique_ptr<LoadedModel> compiledOriginal; // where there's no evaluator
  std::unique_ptr<LoadedModel> result;           // what was written, or `final`
  std::unique_ptr<Labels> labels;                // of --eval
  mlir::Attribute vocabulary;                    // before the steps
  std::optional<ModelDistance> last;             // of the module as it now is
  double spent = 0;
};

} // namespace plmc

#endif // PLMC_LIB_DRIVER_COSTMETER_H
