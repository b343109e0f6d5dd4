//===- Budget.cpp - The recipe that suits a budget ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Joins the search (lib/Search), which knows plans and numbers, to what builds
// and measures them. What comes out is a recipe and nothing else: the run that
// follows takes it like one that was given, so the recipe that it prints makes
// the same bytes again.
//
//===----------------------------------------------------------------------===//

#include "Budget.h"
#include "Import.h"
#include "Output.h"
#include "mlir/Pass/PassManager.h"
#include "plmc/Driver/Version.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Support/Interrupt.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;
using Json = nlohmann::ordered_json;

namespace plmc {

Error checkBudgetOptions(const CompressOptions &options, OutputFormat format) {
  if (options.budget.empty()) {
    if (!options.resumePath.empty() || !options.paretoPath.empty())
      return makeError(ExitCode::Usage, "--resume and --pareto go with "
                                        "--budget");
    return Error::success();
  }
  auto refuse = [](const Twine &message) {
    return makeError(ExitCode::Usage, "--budget " + message);
  };
  if (!options.recipePath.empty() || !options.preset.empty() ||
      options.precision != "f32")
    return refuse("chooses the recipe: leave out --recipe, --preset and "
                  "--precision");
  if (options.output.empty() || format != OutputFormat::SharedLibrary)
    return refuse("measures libraries: name one to write, -o FILE.so");
  if (options.calibration.empty())
    return refuse("measures on token sequences: give --calibration=FILE.npz");
  if (!(options.budgetSeconds > 0))
    return refuse("needs time: --budget-time is in seconds, above 0");
  if (needsLabels(options.budget) && options.evalPath.empty())
    return refuse("asks how good answers are; name texts with labels: "
                  "--eval=FILE.tsv");
  return Error::success();
}

/// What measurements are of. Two models of one name and size are told apart.
static std::string subjectOf(const Recipe &base,
                             const CompressOptions &options) {
  std::string text = versionText().str() + " " + options.input + " " +
                     std::to_string(modelBytes(options.input)) + " " +
                     options.cpu +
                     (options.computePadding ? " compute " : " ") +
                     options.tokenizer + " "; // its size is the library's
  for (const std::string &path : {options.input, options.evalPath})
    if (auto file = llvm::MemoryBuffer::getFile(
            path, /*IsText=*/false, /*RequiresNullTerminator=*/false))
      text += std::to_string(llvm::xxh3_64bits((*file)->getBuffer())) + " ";
  return text + printRecipe(base);
}

static Expected<OwningOpRef<ModuleOp>> recognize(ModuleOp imported,
                                                 const Recipe &base) {
  OwningOpRef<ModuleOp> module = imported.clone();
  PassManager pm(module->getContext(), ModuleOp::getOperationName());
  buildRecognitionPipeline(pm);
  for (const RecipeStep &step : base.steps)
    if (Error error = addStep(pm, step))
      return withCode(std::move(error), ExitCode::BadInput);
  DiagnosticCollector diagnostics(module->getContext(), /*quiet=*/true);
  if (failed(pm.run(*module)))
    return makeError(ExitCode::Unsupported, diagnostics.firstError());
  return std::move(module);
}

static Error writePareto(StringRef path, const SearchResult &result,
                         const Goal &goal, const BudgetBench &bench,
                         const Inventory &inventory) {
  Json json = {{"budget", Json::array()}, {"points", Json::array()}};
  for (const Condition &condition : goal.all())
    json["budget"].push_back(condition.text);
  for (size_t i : result.pareto) {
    const MeasuredPlan &one = result.all[i];
    Json point = measurementToJson(one.measurement);
    point["meets"] = goal.isMet(one.measurement);
    point["chosen"] = i == result.best;
    point["plan"] = one.plan.text(inventory);
    Expected<Recipe> recipe = bench.recipeOf(one.plan);
    if (!recipe)
      return recipe.takeError();
    point["recipe"] = printRecipe(*recipe);
    json["points"].push_back(std::move(point));
  }
  return writeFile(path, [&](llvm::raw_ostream &os) {
    os << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  });
}

/// What a group loses alone is known from the model in which it alone has fewer
/// bits.
static std::optional<double> lossAlone(const SearchResult &result,
                                       size_t group) {
  const Measurement &base = result.all.front().measurement;
  for (const MeasuredPlan &one : result.all) {
    Plan alone = result.all.front().plan;
    if (group >= alone.bits.size())
      return std::nullopt;
    alone.bits[group] = 3;
    if (one.plan.key() == alone.key())
      return std::max(0.0, one.measurement.cost() - base.cost());
  }
  return std::nullopt;
}

static SearchReport reportOf(const SearchResult &result, const Goal &goal,
                             const Inventory &inventory, double seconds) {
  SearchReport report;
  for (const Condition &condition : goal.all())
    report.conditions.push_back(condition.text);
  report.sizeLimit = goal.sizeLimit();
  const MeasuredPlan &best = result.all[result.best];
  report.lossName = best.measurement.metrics.count(Metric::Cosine)
                        ? "noise over signal, 1/cosine^2 - 1"
                        : "divergence in nats";
  report.met = goal.isMet(best.measurement);
  report.interrupted = result.interrupted;
  report.seconds = seconds;
  for (auto [i, one] : llvm::enumerate(result.all))
    report.points.push_back({one.measurement.fileBytes, one.measurement.cost(),
                             one.plan.text(inventory), one.plan.calibrated,
                             llvm::is_contained(result.pareto, i),
                             i == result.best});
  for (auto [i, group] : llvm::enumerate(inventory.groups))
    report.sensitivities.push_back({group.layer, group.role, group.names,
                                    lossAlone(result, i), best.plan.bits[i]});
  return report;
}

Expected<BudgetOutcome>
chooseByBudget(ModuleOp imported, const Recipe &base,
               const CompressOptions &options,
               BudgetBench::CompileOptionsOf compileOptionsOf,
               std::string folder, Progress &line) {
  InterruptGuard guard;
  Goal goal(options.budget);
  std::unique_ptr<BudgetState> state;
  if (!options.resumePath.empty()) {
    auto opened =
        BudgetState::open(options.resumePath, subjectOf(base, options));
    if (!opened)
      return opened.takeError();
    state = std::move(*opened);
  }
  Expected<OwningOpRef<ModuleOp>> module = recognize(imported, base);
  if (!module)
    return module.takeError();
  Inventory inventory = takeInventory(**module);
  BudgetBench bench(**module, base, inventory, goal,
                    std::move(compileOptionsOf), std::move(folder), line);
  if (Error error = bench.prepare(state.get(), options.evalPath))
    return std::move(error);
  SearchLimits limits;
  limits.seconds = options.budgetSeconds;
  Expected<SearchResult> result = search(inventory, goal, limits, bench);
  if (!result)
    return withCode(result.takeError(), ExitCode::Unsupported);
  const MeasuredPlan &best = result->all[result->best];
  bench.progress(
      (result->interrupted ? "interrupted; the best of " : "the best of ") +
      std::to_string(result->all.size()) +
      " plans: " + best.plan.text(inventory));
  if (!options.paretoPath.empty())
    if (Error error =
            writePareto(options.paretoPath, *result, goal, bench, inventory))
      return std::move(error);
  BudgetOutcome outcome;
  Expected<Recipe> recipe = bench.recipeOf(best.plan);
  if (!recipe)
    return recipe.takeError();
  outcome.recipe = std::move(*recipe);
  outcome.met = goal.isMet(best.measurement);
  outcome.missed = goal.missed(best.measurement);
  outcome.report = reportOf(*result, goal, inventory, bench.seconds());
  return outcome;
}

} // namespace plmc
