//===- CostMeter.cpp - What compression costs, step by step ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CostMeter.h"
#include "Latency.h"
#include "plmc/Evaluation/TemporaryModel.h"
#include "plmc/Recipe/Steps.h"
#include "llvm/ADT/ScopeExit.h"
#include <chrono>

using namespace mlir;
using llvm::Error;
using llvm::Expected;
using Clock = std::chrono::steady_clock;

namespace plmc {

namespace {

/// Adds the time while it lives.
class Stopwatch {
public:
  explicit Stopwatch(double &sum) : sum(sum) {}
  ~Stopwatch() {
    sum += std::chrono::duration<double>(Clock::now() - start).count();
  }

private:
  double &sum;
  Clock::time_point start = Clock::now();
};

constexpr double secondsEach = 0.5; // of a latency

} // namespace

bool CostMeter::conditionNeedsSequences() const {
  return llvm::any_of(options.failIf, [](const Condition &condition) {
    return metricInfo(condition.metric).needsSequences;
  });
}

bool CostMeter::wantsDistance() const {
  return conditionNeedsSequences() ||
         (!options.reportPaths.empty() && !recipe.calibration.files.empty());
}

Error CostMeter::check() {
  if (conditionNeedsSequences() && recipe.calibration.files.empty())
    return makeError(ExitCode::Usage,
                     "--fail-if compares outputs on token sequences; name "
                     "some: --calibration=FILE.npz");
  for (const std::string &shape : options.latencyShapes)
    if (Expected<Shape> parsed = parseShape("--report-latency", shape); !parsed)
      return parsed.takeError();
  return Error::success();
}

Error CostMeter::createEvaluator(ModuleOp module) {
  EvaluationReport result;
  result.data = recipe.calibration.part(/*heldOut=*/true);
  auto fail = [&](Error error) -> Error {
    // A report says why it lacks something; a condition has to be judged.
    std::string text = llvm::toString(std::move(error));
    if (conditionNeedsSequences())
      return makeError(ExitCode::BadInput, "--fail-if: " + text);
    printWarningLine("the report has no output distances: " + text);
    result.problem = text;
    report.evaluation = std::move(result);
    return Error::success();
  };
  Expected<CalibrationSet> set = CalibrationSet::read(result.data);
  if (!set)
    return fail(set.takeError());
  progress.show("plmc: compiling the original to compare with");
  Expected<std::unique_ptr<Evaluator>> created =
      Evaluator::create(module, std::move(*set));
  if (!created)
    return fail(created.takeError());
  evaluator = std::move(*created);
  for (const Condition &condition : options.failIf) {
    const MetricInfo &info = metricInfo(condition.metric);
    bool distribution =
        condition.metric == Metric::Kl || condition.metric == Metric::Top1;
    if (info.needsSequences && !(distribution ? evaluator->hasDistributions()
                                              : evaluator->hasEmbeddings()))
      return makeError(ExitCode::Usage,
                       "--fail-if '" + condition.text +
                           "': the model has no output of " +
                           (distribution ? "logits; cosine"
                                         : "embeddings or tokens; kl, top1") +
                           " can be asked for");
  }
  result.sequences = evaluator->sequences().sequences.size();
  result.tokens = evaluator->sequences().numTokens();
  report.evaluation = std::move(result);
  return Error::success();
}

Error CostMeter::begin(ModuleOp module) {
  Stopwatch watch(spent);
  report.componentsBefore = weightBreakdown(module);
  report.recognized = summarizeModel(module);
  if (!options.latencyShapes.empty())
    original = module.clone();
  return wantsDistance() ? createEvaluator(module) : Error::success();
}

Error CostMeter::compare(ModuleOp module) {
  progress.show("plmc: comparing outputs with the original's");
  Expected<ModelDistance> distance = evaluator->compare(module);
  if (!distance)
    return withCode(distance.takeError(), ExitCode::Unsupported);
  last = std::move(*distance);
  return Error::success();
}

Error CostMeter::afterStep(ModuleOp module, StepReport &step) {
  Stopwatch watch(spent);
  const StepInfo *info = findStep(step.name);
  if (!evaluator || (info && info->exact))
    return Error::success();
  if (Error error = compare(module))
    return error;
  step.distance = last;
  return Error::success();
}

Error CostMeter::afterSteps(ModuleOp module) {
  Stopwatch watch(spent);
  report.componentsAfter = weightBreakdown(module);
  bool timed = llvm::any_of(options.failIf, [](const Condition &condition) {
    return condition.metric == Metric::Latency;
  });
  if (timed || !options.latencyShapes.empty())
    final = module.clone();
  if (!evaluator)
    return Error::success();
  if (!last)
    if (Error error = compare(module))
      return error;
  EvaluationReport &result = *report.evaluation;
  result.distance = *last;
  const CalibrationSet &set = evaluator->sequences();
  for (const WorstExample &worst : last->worst) {
    EvaluationReport::Example example;
    example.row = set.rows[worst.sequence];
    example.output = worst.output;
    example.ids = set.sequences[worst.sequence];
    example.tokens = example.ids.size();
    example.ids.resize(std::min<size_t>(example.ids.size(), 32));
    example.distance = worst.distance;
    result.worst.push_back(std::move(example));
  }
  return Error::success();
}

Error CostMeter::measureLatencies(StringRef written) {
  if (!final)
    return Error::success();
  Expected<std::unique_ptr<LoadedModel>> after = LoadedModel::open(written);
  if (!after) { // no library, or one for another machine
    llvm::consumeError(after.takeError());
    after = compileTemporary(*final);
  }
  if (!after)
    return withCode(after.takeError(), ExitCode::Unsupported);
  auto time = [&](LoadedModel &model, const Shape &shape) -> Expected<double> {
    progress.show("plmc: timing " + Twine(shape.batch) + "x" +
                  Twine(shape.sequence));
    Expected<Latency> latency =
        measureLatency(model, shape, /*threads=*/1, secondsEach);
    if (!latency)
      return latency.takeError();
    return latency->median / 1000;
  };
  std::unique_ptr<LoadedModel> compiled;
  LoadedModel *before = evaluator ? &evaluator->original() : nullptr;
  if (!before && original) {
    Expected<std::unique_ptr<LoadedModel>> model = compileTemporary(*original);
    if (!model)
      return withCode(model.takeError(), ExitCode::Unsupported);
    compiled = std::move(*model);
    before = compiled.get();
  }
  auto add = [&](Shape shape, bool withBefore) -> Error {
    for (const LatencyReport &known : report.latencies)
      if (known.batch == shape.batch && known.sequence == shape.sequence)
        return Error::success();
    LatencyReport row{shape.batch, shape.sequence, 0, 0};
    Expected<double> seconds = time(**after, shape);
    if (!seconds)
      return seconds.takeError();
    row.after = *seconds;
    if (withBefore) {
      seconds = time(*before, shape);
      if (!seconds)
        return seconds.takeError();
      row.before = *seconds;
    }
    report.latencies.push_back(row);
    return Error::success();
  };
  for (const std::string &text : options.latencyShapes)
    if (Error error = add(*parseShape("--report-latency", text), before))
      return error;
  for (const Condition &condition : options.failIf)
    if (condition.metric == Metric::Latency)
      if (Error error = add({condition.batch, condition.sequence}, false))
        return error;
  return Error::success();
}

Expected<double> CostMeter::valueOf(const Condition &condition) {
  auto known = [](std::optional<double> value) {
    return value.value_or(std::nan(""));
  };
  switch (condition.metric) {
  case Metric::Size:
    return double(report.outputBytes);
  case Metric::Parameters:
    return double(report.after.parameters);
  case Metric::Macs:
    return double(report.after.macsPerToken);
  case Metric::Latency:
    for (const LatencyReport &row : report.latencies)
      if (row.batch == condition.batch && row.sequence == condition.sequence)
        return row.after;
    break;
  case Metric::Cosine:
    return known(last->cosine());
  case Metric::MinCosine:
    return known(last->minCosine());
  case Metric::Kl:
    return known(last->kl());
  case Metric::Top1:
    return known(last->top1());
  }
  return makeError(ExitCode::Internal,
                   "'" + condition.text + "' was not measured");
}

Error CostMeter::finish(StringRef written) {
  Stopwatch watch(spent);
  if (Error error = measureLatencies(written))
    return error;
  for (const Condition &condition : options.failIf) {
    Expected<double> value = valueOf(condition);
    if (!value)
      return value.takeError();
    // What is no number is no good value.
    bool holds = condition.holds(*value) || std::isnan(*value);
    report.conditions.push_back({condition, *value, holds});
  }
  return Error::success();
}

Error CostMeter::verdict() const {
  std::string text;
  for (const ConditionReport &row : report.conditions)
    if (row.holds)
      text += (text.empty() ? "" : "; ") +
              metricInfo(row.condition.metric).name.str() + " is " +
              formatMetric(row.condition.metric, row.measured) + " ('" +
              row.condition.text + "')";
  if (text.empty())
    return Error::success();
  return makeError(ExitCode::LimitMissed, "--fail-if: " + text + "; '" +
                                              options.output +
                                              "' was written all the same");
}

} // namespace plmc
