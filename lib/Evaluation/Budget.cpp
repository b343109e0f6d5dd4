//===- Budget.cpp - Conditions that must hold -----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/Condition.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace plmc {

static Error refuse(const Twine &message) {
  return llvm::createStringError(
      std::make_error_code(std::errc::invalid_argument),
      "--budget: " + message);
}

static Error checkSide(const Condition &condition) {
  const MetricInfo &info = metricInfo(condition.metric);
  if (condition.isUpper() != info.higherIsBetter)
    return Error::success();
  return refuse("'" + condition.text + "' asks for a worse model; " +
                info.name + " is better when it is " +
                (info.higherIsBetter ? "higher: write >=" : "lower: write <"));
}

/// What no model can fulfil, whatever else it is.
static Error checkPossible(const Condition &condition) {
  const MetricInfo &info = metricInfo(condition.metric);
  double best = info.higherIsBetter ? info.most : info.least;
  bool strict = condition.relation == Condition::Relation::Less ||
                condition.relation == Condition::Relation::Greater;
  bool none = info.needsSequences || info.needsLabels
                  ? strict && condition.value == best
                  : condition.value <= best;
  if (!none)
    return Error::success();
  return refuse("'" + condition.text + "' holds for no model; the best is " +
                formatMetric(condition.metric, best));
}

static Error checkPair(const Condition &a, const Condition &b) {
  if (a.metric != b.metric)
    return Error::success();
  if (a.batch == b.batch && a.sequence == b.sequence)
    return refuse("'" + a.text + "' and '" + b.text +
                  "' bound the same; keep the one that is meant");
  // Of runs: more to compute never takes less.
  bool aIsLarger = a.batch >= b.batch && a.sequence >= b.sequence;
  bool bIsLarger = b.batch >= a.batch && b.sequence >= a.sequence;
  if ((aIsLarger && a.value < b.value) || (bIsLarger && b.value < a.value)) {
    const Condition &larger = aIsLarger ? a : b, &smaller = aIsLarger ? b : a;
    return refuse("'" + smaller.text + "' says nothing beside '" + larger.text +
                  "', which allows a larger batch less " +
                  (a.metric == Metric::Latency ? "time" : "memory"));
  }
  return Error::success();
}

Expected<std::vector<Condition>> parseBudget(StringRef text) {
  Expected<std::vector<Condition>> budget = parseConditions("--budget", text);
  if (!budget)
    return budget;
  for (size_t i = 0; i < budget->size(); ++i) {
    const Condition &condition = (*budget)[i];
    if (Error error = checkSide(condition))
      return std::move(error);
    if (Error error = checkPossible(condition))
      return std::move(error);
    for (size_t j = 0; j < i; ++j)
      if (Error error = checkPair((*budget)[j], condition))
        return std::move(error);
  }
  return budget;
}

} // namespace plmc
