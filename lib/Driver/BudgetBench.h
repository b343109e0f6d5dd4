//===- BudgetBench.h - Builds and measures plans ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_BUDGETBENCH_H
#define PLMC_LIB_DRIVER_BUDGETBENCH_H

#include "BudgetState.h"
#include "Labels.h"
#include "Progress.h"
#include "plmc/Analysis/ModelSummary.h"
#include "plmc/CodeGen/Compile.h"
#include "plmc/Evaluation/Evaluator.h"
#include "plmc/Search/Search.h"
#include "plmc/Support/WeightReclaimer.h"
#include <chrono>
#include <functional>
#include <list>

namespace plmc {

/// What `plmc compress` would write, but under another name, and compared with
/// the original on sequences that no step has seen.
class BudgetBench : public SearchBench {
public:
  /// How a library of this recipe and module is compiled.
  using CompileOptionsOf =
      std::function<CompileOptions(const Recipe &, const ModelSummary &)>;

  /// `recognized` is the module after the steps of `base`; `folder` is where
  /// libraries lie while they are measured.
  BudgetBench(mlir::ModuleOp recognized, const Recipe &base,
              const Inventory &inventory, const Goal &goal,
              CompileOptionsOf compileOptionsOf, std::string folder,
              Progress &line);

  /// The original, and the sequences; labelled texts of `evalPath` where the
  /// goal bounds what they tell. Errors are of bad input.
  llvm::Error prepare(BudgetState *state, llvm::StringRef evalPath);

  llvm::Expected<Measurement> measure(const Plan &plan) override;
  double seconds() const override;
  bool interrupted() const override;
  void progress(llvm::StringRef text) override;

  /// The completed recipe of a plan.
  llvm::Expected<Recipe> recipeOf(const Plan &plan) const;

private:
  llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> build(const Recipe &recipe);
  llvm::Expected<Measurement> measureModule(mlir::ModuleOp module,
                                            const Recipe &recipe);
  llvm::Error measureRuns(LoadedModel &model, Measurement &result);

  mlir::ModuleOp original;
  const Recipe &base;
  const Inventory &inventory;
  const Goal &goal;
  CompileOptionsOf compileOptionsOf;
  std::string folder;
  Progress &line;
  BudgetState *state = nullptr;
  std::unique_ptr<Evaluator> evaluator;
  std::unique_ptr<Labels> labels; // null where none is bounded
  /// Modules after the first steps of recipes, the newest first: plans have
  /// these in common, and pruning is slow. Weights are shared between clones.
  struct Prefix {
    std::string steps;
    mlir::OwningOpRef<mlir::ModuleOp> module;
  };
  std::list<Prefix> prefixes;
  WeightReclaimer reclaimer;
  std::chrono::steady_clock::time_point start =
      std::chrono::steady_clock::now();
};

} // namespace plmc

#endif // PLMC_LIB_DRIVER_BUDGETBENCH_H
