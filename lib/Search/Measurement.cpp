//===- Measurement.cpp - What is known of a plan, and what is asked -------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Search/Measurement.h"
#include <cmath>

namespace plmc {

std::optional<double> Measurement::value(const Condition &condition) const {
  if (condition.metric == Metric::Size)
    return double(fileBytes);
  if (metricInfo(condition.metric).hasShape) {
    auto it =
        runs.find({condition.metric, condition.batch, condition.sequence});
    return it == runs.end() ? std::nullopt : std::optional<double>(it->second);
  }
  auto it = metrics.find(condition.metric);
  return it == metrics.end() ? std::nullopt : std::optional<double>(it->second);
}

double costOfCosine(double cosine) {
  // Below that there is nothing to be told apart.
  cosine = std::max(cosine, 0.05);
  return std::max(0.0, 1 / (cosine * cosine) - 1);
}

double Measurement::cost() const {
  if (auto it = metrics.find(Metric::Cosine); it != metrics.end())
    return costOfCosine(it->second);
  if (auto it = metrics.find(Metric::Kl); it != metrics.end())
    return std::isfinite(it->second) ? it->second : 1e3;
  return 1e3;
}

static double distanceTo(const Condition &condition, const Measurement &m) {
  std::optional<double> value = m.value(condition);
  if (!value)
    return 1;
  if (condition.holds(*value))
    return 0;
  // Of a share, what is missing to 1 is what was lost.
  const MetricInfo &info = metricInfo(condition.metric);
  double scale = info.higherIsBetter ? std::max(1 - condition.value, 1e-3)
                                     : std::max(condition.value, 1e-9);
  return 1e-9 + std::abs(*value - condition.value) / scale;
}

double Goal::distance(const Measurement &m) const {
  double sum = 0;
  for (const Condition &condition : conditions)
    sum += distanceTo(condition, m);
  return sum;
}

bool Goal::isAnswered(const Measurement &measurement) const {
  return llvm::all_of(conditions, [&](const Condition &condition) {
    return measurement.value(condition).has_value();
  });
}

bool Goal::isMet(const Measurement &m) const { return distance(m) == 0; }

bool Goal::isBetter(const Measurement &a, const Measurement &b) const {
  double ofA = distance(a), ofB = distance(b);
  if (ofA != ofB)
    return ofA < ofB;
  if (!boundsResources() && a.fileBytes != b.fileBytes)
    return a.fileBytes < b.fileBytes;
  if (a.cost() != b.cost())
    return a.cost() < b.cost();
  return a.fileBytes < b.fileBytes;
}

std::string Goal::missed(const Measurement &m) const {
  std::string text;
  for (const Condition &condition : conditions)
    if (distanceTo(condition, m) > 0) {
      std::optional<double> value = m.value(condition);
      text += (text.empty() ? "" : ", ") +
              (value ? formatMetric(condition.metric, *value)
                     : std::string("no value")) +
              " for '" + condition.text + "'";
    }
  return text;
}

std::optional<int64_t> Goal::sizeLimit() const {
  for (const Condition &c : conditions)
    if (c.metric == Metric::Size)
      return int64_t(std::ceil(c.value)) -
             (c.relation == Condition::Relation::Less ? 1 : 0);
  return std::nullopt;
}

std::optional<double> Goal::costLimit() const {
  for (const Condition &c : conditions)
    if (c.metric == Metric::Cosine)
      return costOfCosine(c.value);
  for (const Condition &c : conditions)
    if (c.metric == Metric::Kl)
      return c.value;
  return std::nullopt;
}

bool Goal::boundsAnswers() const {
  for (const Condition &c : conditions)
    if (metricInfo(c.metric).needsLabels)
      return true;
  return false;
}

bool Goal::boundsResources() const { return sizeLimit() || boundsWork(); }

bool Goal::isWork(const Condition &c) {
  return c.metric == Metric::Latency || c.metric == Metric::Macs ||
         c.metric == Metric::Parameters || c.metric == Metric::Memory;
}

bool Goal::boundsLatency() const {
  return llvm::any_of(conditions, [](const Condition &c) {
    return c.metric == Metric::Latency;
  });
}

bool Goal::boundsWork() const {
  for (const Condition &c : conditions)
    if (isWork(c))
      return true;
  return false;
}

} // namespace plmc
