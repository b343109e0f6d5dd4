//===- Planner.cpp - Plans that are worth building ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Planner.h"
#include <cmath>
#include <limits>

namespace plmc {

Planner::Planner(const Inventory &inventory, const Goal &goal,
                 const Measurement &base)
    : inventory(inventory), goal(goal), base(base), model(inventory, base) {
  for (const Condition &condition : goal.all())
    if (Goal::isWork(condition) && base.value(condition))
      tables.emplace_back(inventory, condition, base);
}

void Planner::addTable(const TableChoice &table, const Measurement &m) {
  model.addTable(table, m);
  for (WorkTable &one : tables)
    one.addTable(table, m);
}

void Planner::addUniform(int64_t bits, int64_t groupSize,
                         const Measurement &m) {
  if (groupSize == 64)
    model.addUniform(bits, m);
  for (WorkTable &one : tables)
    one.addUniform(bits, groupSize, m);
}

void Planner::addGroup(size_t group, const Measurement &m) {
  model.addGroup(group, m);
}

void Planner::addNeurons(double keep, const Measurement &m) {
  for (WorkTable &one : tables)
    one.addNeurons(keep, m);
}

void Planner::addLayer(const Measurement &m) {
  for (WorkTable &one : tables)
    one.addLayer(m);
}

void Planner::addBuilt(const Plan &plan, const Measurement &m) {
  model.addBuilt(plan, m);
  for (WorkTable &one : tables)
    one.addBuilt(plan, m);
}

Measurement Planner::predict(const Plan &plan) const {
  Measurement result;
  result.fileBytes = model.bytes(plan);
  double cost = model.cost(plan);
  if (base.metrics.count(Metric::Cosine))
    result.metrics[Metric::Cosine] = 1 / std::sqrt(1 + cost);
  else
    result.metrics[Metric::Kl] = cost;
  for (const WorkTable &one : tables) {
    const Condition &bound = one.bound();
    double value = one.predict(plan, result.fileBytes);
    if (metricInfo(bound.metric).hasShape)
      result.ofRun(bound) = value;
    else
      result.metrics[bound.metric] = value;
  }
  return result;
}

std::string Planner::predictionText(const Plan &plan) const {
  std::string text = formatMetric(Metric::Size, double(model.bytes(plan))) +
                     ", cost " + std::to_string(model.cost(plan));
  for (const WorkTable &one : tables)
    text +=
        ", " + metricInfo(one.bound().metric).name.str() + " " +
        formatMetric(one.bound().metric, one.predict(plan, model.bytes(plan))) +
        one.bound().shapeText();
  return text;
}

bool Planner::isWorkTight() const {
  return llvm::any_of(tables,
                      [](const WorkTable &one) { return !one.isGenerous(); });
}

bool Planner::mayTake(const Plan &plan) const {
  return llvm::all_of(tables, [&](const WorkTable &one) {
    return one.allows(plan, model.bytes(plan));
  });
}

/// What the library may have, with neurons, layers and table as in the plan.
std::optional<int64_t> Planner::bytesAllowed(Plan plan) const {
  std::optional<int64_t> limit = goal.sizeLimit();
  plan.bits.assign(plan.bits.size(), 8);
  for (const WorkTable &one : tables)
    if (std::optional<int64_t> left = one.bytesLeft(plan))
      limit = limit ? std::min(*limit, *left) : *left;
  return limit;
}

/// Chooses the plan's bits; false where nothing of its shape fits.
bool Planner::fit(Plan &plan, std::optional<double> costLimit) const {
  auto allows = [&](const Plan &chosen) { return mayTake(chosen); };
  if (std::optional<int64_t> limit = bytesAllowed(plan))
    return model.chooseBits(plan, *limit, allows);
  if (goal.boundsResources() || !costLimit)
    return model.chooseBits(plan, std::numeric_limits<int64_t>::max() / 4,
                            allows);
  // The fewest bytes at which the loss is still allowed.
  Plan full = plan;
  full.bits.assign(plan.bits.size(), 8);
  double high = double(model.bytes(full)) * 1.01;
  bool found = false;
  double low = high / 16;
  for (int step = 0; step < 8; ++step) {
    double limit = step ? std::sqrt(low * high) : high;
    Plan tighter = plan;
    bool allowed = model.chooseBits(tighter, int64_t(limit)) &&
                   model.cost(tighter) <= *costLimit;
    if (!allowed && step == 0)
      return false;
    if (allowed)
      plan = tighter;
    (allowed ? high : low) = limit;
    found |= allowed;
  }
  return found;
}

void Planner::forAllShapes(llvm::function_ref<void(Plan)> visit) const {
  Plan plan = basePlan(inventory);
  plan.calibrated = true;
  for (const TableChoice &table : model.tables())
    for (double keep : keepChoices(inventory))
      for (int64_t dropped : dropChoices(inventory))
        for (int64_t groupSize : groupSizeChoices) {
          plan.table = table;
          plan.keep = keep;
          plan.dropped = dropped;
          plan.groupSize = groupSize;
          visit(plan);
        }
}

std::optional<Plan> Planner::best(const llvm::StringSet<> &tried,
                                  const std::set<Shape> &without,
                                  std::optional<double> costLimit) const {
  bool bySize = !goal.boundsResources();
  std::optional<Plan> best;
  double bestScore = 0;
  forAllShapes([&](Plan plan) {
    if (without.count({plan.keep, plan.dropped}))
      return;
    // Few bits only add to what the rest costs.
    if (!bySize && best && model.cost(plan) >= bestScore)
      return;
    if (!fit(plan, costLimit))
      return;
    // Scales are shared below 8 bits only: else it is the same plan.
    if (llvm::all_of(plan.bits, [](int64_t bits) { return bits == 8; }))
      plan.groupSize = groupSizeChoices[0];
    if (tried.contains(plan.key()))
      return;
    double score = bySize ? double(model.bytes(plan)) : model.cost(plan);
    if (!best || score < bestScore) {
      best = plan;
      bestScore = score;
    }
  });
  return best;
}

Plan Planner::closest() const {
  std::optional<Plan> best;
  Measurement ofBest;
  forAllShapes([&](Plan plan) {
    for (int64_t bits : {8, 4, 3, 2}) {
      plan.bits.assign(plan.bits.size(), bits);
      Measurement predicted = predict(plan);
      if (best && !goal.isBetter(predicted, ofBest))
        continue;
      best = plan;
      ofBest = std::move(predicted);
    }
  });
  return *best; // the base plan's table is always known
}

} // namespace plmc
