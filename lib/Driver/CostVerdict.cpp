//===- CostVerdict.cpp - What was written, and what was asked of it -------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The end of what CostMeter does: scores and times of the library itself, and
// the conditions of --fail-if.
//
//===----------------------------------------------------------------------===//

#include "CostMeter.h"
#include "Latency.h"
#include "Memory.h"
#include "Stopwatch.h"
#include "plmc/Evaluation/TemporaryModel.h"
#include <cmath>

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace plmc {

constexpr double secondsEach = 0.5; // of a latency

Error CostMeter::measureLabels() {
  if (!labels)
    return Error::success();
  progress.show("plmc: scoring the result on labelled texts");
  Expected<Scores> scores = labels->score(*result);
  if (!scores)
    return scores.takeError();
  report.labels->after = std::move(*scores);
  return Error::success();
}

Error CostMeter::measureRuns() {
  auto time = [&](LoadedModel &model, const Shape &shape) -> Expected<double> {
    progress.show("plmc: timing " + Twine(shape.batch) + "x" +
                  Twine(shape.sequence));
    Expected<Latency> latency =
        measureLatency(model, shape, /*threads=*/1, secondsEach);
    if (!latency)
      return latency.takeError();
    return latency->median / 1000;
  };
  auto measure = [&](LoadedModel &model, const Shape &shape, double &seconds,
                     int64_t &memory) -> Error {
    Expected<double> latency = time(model, shape);
    if (!latency)
      return latency.takeError();
    seconds = *latency;
    Expected<int64_t> bytes = measureMemory(model, shape);
    if (!bytes)
      return bytes.takeError();
    memory = *bytes;
    return Error::success();
  };
  auto add = [&](Shape shape, bool withBefore) -> Error {
    for (const RunReport &known : report.runs)
      if (known.batch == shape.batch && known.sequence == shape.sequence)
        return Error::success();
    RunReport row{shape.batch, shape.sequence};
    if (Error error = measure(*result, shape, row.after, row.memoryAfter))
      return error;
    if (withBefore) {
      Expected<LoadedModel *> before = originalModel();
      if (!before)
        return before.takeError();
      if (Error error = measure(**before, shape, row.before, row.memoryBefore))
        return error;
    }
    report.runs.push_back(row);
    return Error::success();
  };
  for (const std::string &text : options.latencyShapes)
    if (Error error = add(*parseShape("--report-latency", text), true))
      return error;
  for (const Condition &condition : options.failIf)
    if (metricInfo(condition.metric).hasShape)
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
  case Metric::Memory:
    for (const RunReport &row : report.runs)
      if (row.batch == condition.batch && row.sequence == condition.sequence)
        return condition.metric == Metric::Latency ? row.after
                                                   : double(row.memoryAfter);
    break;
  case Metric::Cosine:
    return known(last->cosine());
  case Metric::MinCosine:
    return known(last->minCosine());
  case Metric::Kl:
    return known(last->kl());
  case Metric::Top1:
    return known(last->top1());
  case Metric::Accuracy:
  case Metric::F1:
  case Metric::Matthews:
  case Metric::Spearman:
  case Metric::Pearson:
  case Metric::Perplexity:
    if (report.labels)
      if (auto it = report.labels->after.find(condition.metric);
          it != report.labels->after.end())
        return it->second;
    break;
  }
  return makeError(ExitCode::Internal,
                   "'" + condition.text + "' was not measured");
}

Error CostMeter::finish(StringRef written) {
  Stopwatch watch(spent);
  if (final) {
    Expected<std::unique_ptr<LoadedModel>> model = LoadedModel::open(written);
    if (!model) { // no library, or one for another machine
      llvm::consumeError(model.takeError());
      model = compileTemporary(*final);
    }
    if (!model)
      return withCode(model.takeError(), ExitCode::Unsupported);
    result = std::move(*model);
    if (Error error = measureLabels())
      return error;
    if (Error error = measureRuns())
      return error;
  }
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
