//===- BudgetBench.cpp - Builds and measures plans ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BudgetBench.h"
#include "Latency.h"
#include "Memory.h"
#include "Output.h"
#include "mlir/Pass/PassManager.h"
#include "plmc/Evaluation/TemporaryModel.h"
#include "plmc/Support/Interrupt.h"
#include "plmc/Support/TemporaryFile.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;
using Clock = std::chrono::steady_clock;

namespace plmc {

/// Clones that are kept: four steps (layers, neurons, two of the table) of as
/// many plans as a search explores shapes.
constexpr size_t maxPrefixes = 12;

BudgetBench::BudgetBench(ModuleOp recognized, const Recipe &base,
                         const Inventory &inventory, const Goal &goal,
                         CompileOptionsOf compileOptionsOf, std::string folder,
                         Progress &line)
    : original(recognized), base(base), inventory(inventory), goal(goal),
      compileOptionsOf(std::move(compileOptionsOf)), folder(std::move(folder)),
      line(line), reclaimer(recognized.getContext()) {}

static bool boundsKind(const Goal &goal, bool ofEmbeddings) {
  return llvm::any_of(goal.all(), [&](const Condition &c) {
    bool cosine = c.metric == Metric::Cosine || c.metric == Metric::MinCosine;
    bool other = c.metric == Metric::Kl || c.metric == Metric::Top1;
    return ofEmbeddings ? cosine : other;
  });
}

Error BudgetBench::prepare(BudgetState *known, StringRef evalPath) {
  state = known;
  std::string data = base.calibration.part(/*heldOut=*/true);
  Expected<CalibrationSet> set = CalibrationSet::read(data);
  if (!set)
    return withCode(set.takeError(), ExitCode::BadInput);
  OwningOpRef<ModuleOp> copy = original.clone();
  Expected<std::unique_ptr<Evaluator>> created =
      Evaluator::create(*copy, std::move(*set));
  if (!created)
    return withCode(created.takeError(), ExitCode::BadInput);
  evaluator = std::move(*created);
  if (boundsKind(goal, true) && !evaluator->hasEmbeddings())
    return makeError(ExitCode::Usage, "--budget: the model gives logits; bound "
                                      "kl or top1 instead of a cosine");
  if (boundsKind(goal, false) && !evaluator->hasDistributions())
    return makeError(ExitCode::Usage, "--budget: the model gives no logits; "
                                      "bound a cosine instead of kl or top1");
  for (const Condition &condition : goal.all())
    if (metricInfo(condition.metric).hasShape)
      if (Error error = checkShape("--budget '" + condition.text + "'",
                                   evaluator->original(),
                                   {condition.batch, condition.sequence}))
        return error;
  if (!needsLabels(goal.all()))
    return Error::success();
  auto read = Labels::read(evalPath, base);
  if (!read)
    return read.takeError();
  labels = std::move(*read);
  return labels->prepare(*copy, "--budget", goal.all());
}

double BudgetBench::seconds() const {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

bool BudgetBench::interrupted() const { return wasInterrupted(); }

void BudgetBench::progress(StringRef text) {
  line.clear();
  llvm::errs() << "plmc: " << int64_t(seconds()) << " s: " << text << "\n";
}

Expected<Recipe> BudgetBench::recipeOf(const Plan &plan) const {
  Recipe recipe = planRecipe(base, inventory, plan);
  if (Error error = completeRecipe(recipe))
    return std::move(error);
  return recipe;
}

static Error runStep(ModuleOp module, const RecipeStep &step) {
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  if (Error error = addStep(pm, step))
    return error;
  DiagnosticCollector diagnostics(module.getContext(), /*quiet=*/true);
  if (succeeded(pm.run(module)))
    return Error::success();
  return llvm::createStringError("step '" + step.name +
                                 "': " + diagnostics.firstError());
}

Expected<OwningOpRef<ModuleOp>> BudgetBench::build(const Recipe &recipe) {
  ArrayRef<RecipeStep> steps =
      ArrayRef(recipe.steps).drop_front(base.steps.size());
  std::vector<std::string> texts; // of the first 1, 2, ... steps
  for (const RecipeStep &step : steps)
    texts.push_back((texts.empty() ? "" : texts.back()) + step.name +
                    printOptions(step) + "\n");
  OwningOpRef<ModuleOp> module;
  size_t done = 0;
  for (size_t count = steps.size(); count > 0 && !module; --count)
    for (Prefix &prefix : prefixes)
      if (prefix.steps == texts[count - 1]) {
        module = prefix.module->clone();
        done = count;
        break;
      }
  if (!module)
    module = original.clone();
  for (size_t i = done; i < steps.size(); ++i) {
    line.show("plmc: " + Twine(int64_t(seconds())) + " s: " + steps[i].name);
    if (Error error = runStep(*module, steps[i]))
      return std::move(error);
    // What is quantised is another plan's with the same bits only.
    if (steps[i].name == "quantize" || steps[i].name == "set-precision")
      continue;
    prefixes.push_front({texts[i], OwningOpRef<ModuleOp>(module->clone())});
    if (prefixes.size() > maxPrefixes)
      prefixes.pop_back();
  }
  return std::move(module);
}

Error BudgetBench::measureRuns(LoadedModel &model, Measurement &result) {
  for (const Condition &condition : goal.all()) {
    Shape shape{condition.batch, condition.sequence};
    if (condition.metric == Metric::Latency) {
      Expected<double> latency = measureQuietLatency(model, shape);
      if (!latency)
        return latency.takeError();
      result.ofRun(condition) = *latency / 1000;
    } else if (condition.metric == Metric::Memory) {
      Expected<int64_t> bytes = measureMemory(model, shape);
      if (!bytes)
        return bytes.takeError();
      result.ofRun(condition) = double(*bytes);
    }
  }
  return Error::success();
}

Expected<Measurement> BudgetBench::measureModule(ModuleOp module,
                                                 const Recipe &recipe) {
  ModelSummary summary = summarizeModel(module);
  CompileOptions options = compileOptionsOf(recipe, summary);
  OwningOpRef<ModuleOp> copy = module.clone();
  DiagnosticCollector diagnostics(module.getContext(), /*quiet=*/true);
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  buildLoweringPipeline(pm, options);
  if (failed(pm.run(*copy)))
    return llvm::createStringError("cannot be compiled: " +
                                   diagnostics.firstError());
  SmallString<128> pattern(folder), path;
  llvm::sys::path::append(pattern, ".plmc-%%%%%%%%%%.so");
  llvm::sys::fs::createUniquePath(pattern, path, /*MakeAbsolute=*/false);
  TemporaryFile file(path);
  auto emitted =
      emitLibrary(*copy, options, OutputKind::SharedLibrary, file.path);
  if (!emitted)
    return emitted.takeError();
  Measurement result;
  result.fileBytes = int64_t(fileBytes(file.path));
  Expected<std::unique_ptr<LoadedModel>> model = LoadedModel::open(file.path);
  bool isForHere = bool(model);
  if (!model) {
    if (goal.boundsLatency())
      return llvm::createStringError(
          "a latency is measured here, and a library for '" + options.cpu +
          "' does not run here: " + llvm::toString(model.takeError()));
    llvm::consumeError(model.takeError());
    model = compileTemporary(module);
    if (!model)
      return model.takeError();
  }
  Expected<ModelDistance> distance = evaluator->compare(**model);
  if (!distance)
    return distance.takeError();
  auto set = [&](Metric metric, std::optional<double> value) {
    if (value)
      result.metrics[metric] = *value;
  };
  set(Metric::Cosine, distance->cosine());
  set(Metric::MinCosine, distance->minCosine());
  set(Metric::Kl, distance->kl());
  set(Metric::Top1, distance->top1());
  set(Metric::Parameters, double(summary.parameters));
  set(Metric::Macs, double(summary.macsPerToken));
  if (labels) {
    Expected<Scores> scores = labels->score(**model);
    if (!scores)
      return scores.takeError();
    result.metrics.insert(scores->begin(), scores->end());
  }
  if (isForHere)
    if (Error error = measureRuns(**model, result))
      return std::move(error);
  return result;
}

Expected<Measurement> BudgetBench::measure(const Plan &plan) {
  std::string key = plan.key();
  Clock::time_point begin = Clock::now();
  const Measurement *known = state ? state->find(key) : nullptr;
  if (known && goal.isAnswered(*known))
    return *known;
  Expected<Recipe> recipe = recipeOf(plan);
  if (!recipe)
    return recipe.takeError();
  llvm::scope_exit reclaim([&] { // when the module is gone
    SmallVector<ModuleOp> kept{original};
    for (Prefix &prefix : prefixes)
      kept.push_back(*prefix.module);
    reclaimer.freeAllBut(kept);
  });
  Expected<OwningOpRef<ModuleOp>> module = build(*recipe);
  if (!module)
    return module.takeError();
  Expected<Measurement> result = measureModule(**module, *recipe);
  if (!result)
    return result;
  result->seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  if (known) // of another budget
    result->runs.insert(known->runs.begin(), known->runs.end());
  if (state)
    if (Error error = state->add(key, *result))
      return std::move(error);
  return result;
}

} // namespace plmc
