//===- WorkTable.cpp - What a plan takes to run ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Search/WorkTable.h"
#include "plmc/Search/CostModel.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <numeric>

namespace plmc {

/// Of what a layer takes, and of what the neurons that go take, as shares of
/// the whole; only where they could not be measured.
constexpr double guessedShare = 0.85;

constexpr double clockNoise = 1.01;

/// How much the base plan may lack of a bound that other choices could exceed:
/// few bits in small groups are the slowest.
constexpr double generousRoom = 0.7;

WorkTable::WorkTable(const Inventory &inventory, const Condition &condition,
                     const Measurement &measured)
    : inventory(inventory), condition(condition),
      base(valueOf(measured).value_or(0)),
      libraryBytes(
          condition.metric == Metric::Memory ? double(measured.fileBytes) : 0) {
  for (const MatrixGroup &group : inventory.groups)
    elements += double(group.elements);
  factors.fill(1);
}

std::optional<double> WorkTable::valueOf(const Measurement &measured) const {
  std::optional<double> value = measured.value(condition);
  if (value && condition.metric == Metric::Memory)
    *value -= double(measured.fileBytes);
  return value;
}

std::optional<double> WorkTable::beyond(const Measurement &measured) const {
  std::optional<double> value = valueOf(measured);
  return value ? std::optional<double>(*value - base) : std::nullopt;
}

void WorkTable::addTable(const TableChoice &table, const Measurement &m) {
  if (std::optional<double> more = beyond(m))
    tables.push_back({table, *more});
}

// Less to do never takes longer; a clock may say so.
void WorkTable::addNeurons(double keep, const Measurement &m) {
  if (std::optional<double> more = beyond(m))
    neurons[keep] = std::min(0.0, *more);
}

void WorkTable::addLayer(const Measurement &m) {
  if (std::optional<double> more = beyond(m))
    layer = std::max(0.0, -*more);
}

void WorkTable::addUniform(int64_t bits, int64_t groupSize,
                           const Measurement &m) {
  if (std::optional<double> more = beyond(m))
    uniform[{bits, groupSize}] = *more;
}

/// Between shares that were measured, and below the least one, on the line
/// through its neighbours.
double WorkTable::ofNeurons(double keep) const {
  if (keep >= 1)
    return 0;
  if (neurons.size() == 1) {
    double feedForward = 0;
    for (const MatrixGroup &group : inventory.groups)
      feedForward += group.feedForward ? double(group.elements) : 0;
    return elements ? -guessedShare * base * (1 - keep) * feedForward / elements
                    : 0;
  }
  auto above = neurons.lower_bound(keep);
  auto below =
      above == neurons.begin() ? std::prev(neurons.end()) : std::prev(above);
  return above->second + (keep - above->first) *
                             (above->second - below->second) /
                             (above->first - below->first);
}

double WorkTable::ofLayer() const {
  if (layer)
    return *layer;
  return inventory.layers ? guessedShare * base / double(inventory.layers) : 0;
}

/// Of all weights. What was not measured is as the usual group is.
double WorkTable::ofBits(int64_t bits, int64_t groupSize) const {
  if (bits == 8)
    return 0;
  auto it = uniform.find({bits, groupSize});
  if (it == uniform.end())
    it = uniform.find({bits, 64});
  return it == uniform.end() ? 0 : it->second;
}

WorkTable::Parts WorkTable::parts(const Plan &plan) const {
  Parts result{};
  result[Base] = base;
  for (auto &[table, more] : tables)
    if (table == plan.table)
      result[Table] = more;
  double left = inventory.layers
                    ? 1 - double(plan.dropped) / double(inventory.layers)
                    : 1;
  result[Neurons] = left * ofNeurons(plan.keep);
  result[Layers] = -double(plan.dropped) * ofLayer();
  for (size_t i = 0; i < plan.bits.size(); ++i)
    result[Bits] += ofBits(plan.bits[i], plan.groupSize) *
                    elementsLeft(inventory, i, plan) / elements;
  return result;
}

double WorkTable::sum(const Plan &plan) const {
  Parts all = parts(plan);
  double sum = std::inner_product(all.begin(), all.end(), factors.begin(), 0.0);
  return std::max(0.0, sum);
}

double WorkTable::predict(const Plan &plan, int64_t bytes) const {
  return sum(plan) + (condition.metric == Metric::Memory ? double(bytes) : 0);
}

std::optional<int64_t> WorkTable::bytesLeft(const Plan &plan) const {
  if (condition.metric != Metric::Memory)
    return std::nullopt;
  return int64_t(condition.value - sum(plan)) - 1;
}

bool WorkTable::allows(const Plan &plan, int64_t bytes) const {
  double value = predict(plan, bytes);
  return condition.holds(
      condition.metric == Metric::Latency ? clockNoise * value : value);
}

bool WorkTable::isGenerous() const {
  return condition.holds((base + libraryBytes) / generousRoom);
}

void WorkTable::addBuilt(const Plan &plan, const Measurement &m) {
  std::optional<double> value = valueOf(m);
  if (!value || !(base > 0))
    return;
  built.push_back({plan, *value});
  // The base plan is one of those that are known.
  std::vector<std::vector<double>> rows = {{1, 0, 0, 0, 0}};
  std::vector<double> wanted = {1};
  for (auto &[one, measured] : built) {
    double scale = std::max(measured, 1e-3 * base);
    Parts all = parts(one);
    std::vector<double> row;
    for (double part : all)
      row.push_back(part / scale);
    rows.push_back(std::move(row));
    wanted.push_back(measured / scale);
  }
  std::vector<double> solved = solveRidge(rows, wanted, /*ridge=*/0.01);
  for (size_t i = 0; i < numParts; ++i)
    factors[i] = std::clamp(solved[i], 0.25, 4.0);
}

std::string WorkTable::text() const {
  std::string result;
  llvm::raw_string_ostream os(result);
  os << metricInfo(condition.metric).name
     << (condition.metric == Metric::Memory ? " beside the library " : " ")
     << formatMetric(condition.metric, base) << condition.shapeText();
  auto change = [&](double more) {
    return (more < 0 ? "-" : "+") +
           formatMetric(condition.metric, std::abs(more));
  };
  if (layer)
    os << "; a layer less " << change(-*layer);
  for (auto &[keep, more] : neurons)
    if (keep < 1)
      os << "; " << llvm::format("%.0f", keep * 100) << " % of neurons "
         << change(more);
  for (auto &[how, more] : uniform)
    os << "; " << how.first << " bits"
       << (how.second ? " in groups of " + std::to_string(how.second)
                      : std::string())
       << " " << change(more);
  return result;
}

} // namespace plmc
