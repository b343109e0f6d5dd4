//===- Search.cpp - The plan that suits a budget --------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// There are some 10^15 plans for a small encoder, and building one takes a
// minute. So the search has two stages. The first measures what each choice
// costs alone, by models that are quick to make (rounded, not calibrated); from
// these the cost model predicts any plan. The second builds the plan that is
// predicted best, corrects the model by what came out, and asks it again: the
// next plan is another one, since the built one is known and the prediction has
// changed. It ends when nothing unbuilt is predicted to be better, or by time.
//
// Everything that was measured is a model that could be kept, so from the first
// measurement on there is a best one, however the search ends.
//
//===----------------------------------------------------------------------===//

#include "plmc/Search/Search.h"
#include "llvm/ADT/StringSet.h"
#include <cmath>
#include <limits>
#include <set>

using llvm::Error;
using llvm::Expected;

namespace plmc {

namespace {

/// What the first stage may take of the time: calibrated plans gain more.
constexpr double firstShare = 0.4;

/// Plans that are built to see what neurons and layers cost.
constexpr size_t exploring = 3;

class Searcher {
public:
  Searcher(const Inventory &inventory, const Goal &goal,
           const SearchLimits &limits, SearchBench &bench)
      : inventory(inventory), goal(goal), limits(limits), bench(bench) {}
  Expected<SearchResult> run();

private:
  bool mayMeasure() const {
    return !bench.interrupted() &&
           bench.seconds() < firstShare * limits.seconds;
  }
  const Measurement *measure(const Plan &plan);
  void measureChoices();
  void build();
  std::optional<Plan> nextPlan(bool explore);
  bool fit(Plan &plan) const;
  void findPareto();
  std::optional<double> costLimit() const;

  const Inventory &inventory;
  const Goal &goal;
  SearchLimits limits;
  SearchBench &bench;
  SearchResult result;
  std::optional<CostModel> model;
  llvm::StringSet<> tried;
  std::set<std::pair<double, int64_t>> builtShapes; // neurons kept, layers gone
  double mostWork = std::numeric_limits<double>::infinity();
  std::string problem; // of the last plan that could not be built
};

} // namespace

/// Multiply-accumulates of a token, as far as plans change them.
static double workOf(const Inventory &inventory, const Plan &plan) {
  double work = 0;
  for (size_t i = 0; i < inventory.groups.size(); ++i)
    work += elementsLeft(inventory, i, plan);
  return work;
}

/// Null where the plan cannot be built: it is then out of the search.
const Measurement *Searcher::measure(const Plan &plan) {
  tried.insert(plan.key());
  Expected<Measurement> measured = bench.measure(plan);
  if (!measured) {
    problem = llvm::toString(measured.takeError());
    if (!bench.interrupted())
      bench.progress("cannot build " + plan.text(inventory) + ": " + problem);
    return nullptr;
  }
  result.all.push_back({plan, std::move(*measured)});
  MeasuredPlan &last = result.all.back();
  if (goal.isBetter(last.measurement, result.all[result.best].measurement))
    result.best = result.all.size() - 1;
  std::string line =
      formatMetric(Metric::Size, double(last.measurement.fileBytes));
  for (auto [metric, value] : last.measurement.metrics)
    if (metricInfo(metric).needsSequences || metricInfo(metric).needsLabels)
      line += ", " + metricInfo(metric).name.str() + " " +
              formatMetric(metric, value);
  line += ": " + plan.text(inventory);
  if (result.best + 1 == result.all.size())
    line += goal.isMet(last.measurement) ? " (best so far, fits)"
                                         : " (best so far)";
  bench.progress(line);
  return &last.measurement;
}

/// The loss that is allowed. How well a model answers is known only once it is
/// built: then the bound lies between those that meet the goal and the others.
std::optional<double> Searcher::costLimit() const {
  std::optional<double> limit = goal.costLimit();
  if (limit || !goal.boundsAnswers())
    return limit;
  double met = 0, missed = std::numeric_limits<double>::infinity();
  for (const MeasuredPlan &one : result.all)
    if (goal.isMet(one.measurement))
      met = std::max(met, one.measurement.cost());
  for (const MeasuredPlan &one : result.all)
    if (!goal.isMet(one.measurement) && one.measurement.cost() > met)
      missed = std::min(missed, one.measurement.cost());
  return std::isinf(missed) ? 2 * met : (met + missed) / 2;
}

void Searcher::measureChoices() {
  Plan base = basePlan(inventory);
  for (const TableChoice &table : tableChoices(inventory)) {
    if (table == base.table)
      continue;
    if (!mayMeasure())
      return;
    Plan plan = base;
    plan.table = table;
    if (const Measurement *measured = measure(plan))
      model->addTable(table, *measured);
  }
  for (int64_t bits : {3, 2, 4}) {
    if (!mayMeasure() || inventory.groups.empty())
      return;
    Plan plan = base;
    plan.bits.assign(plan.bits.size(), bits);
    if (const Measurement *measured = measure(plan))
      model->addUniform(bits, *measured);
  }
  // Of a deep model not every group can be measured; those between are taken to
  // be like the others.
  size_t stride = inventory.groups.size() / 49 + 1;
  for (size_t i = 0; i < inventory.groups.size(); i += stride) {
    if (!mayMeasure())
      return;
    Plan plan = base;
    plan.bits[i] = 3;
    if (const Measurement *measured = measure(plan))
      model->addGroup(i, *measured);
  }
}

/// Chooses the plan's bits; false where nothing of its shape fits.
bool Searcher::fit(Plan &plan) const {
  if (workOf(inventory, plan) > mostWork)
    return false;
  if (std::optional<int64_t> limit = goal.sizeLimit())
    return model->chooseBits(plan, *limit);
  std::optional<double> cost = costLimit();
  if (goal.boundsResources() || !cost)
    return model->chooseBits(plan, std::numeric_limits<int64_t>::max() / 4);
  // The fewest bytes at which the loss is still allowed.
  Plan full = plan;
  full.bits.assign(plan.bits.size(), 8);
  double high = double(model->bytes(full)) * 1.01;
  bool found = false;
  double low = high / 16;
  for (int step = 0; step < 8; ++step) {
    double limit = step ? std::sqrt(low * high) : high;
    Plan tighter = plan;
    bool allowed = model->chooseBits(tighter, int64_t(limit)) &&
                   model->cost(tighter) <= *cost;
    if (!allowed && step == 0)
      return false;
    if (allowed)
      plan = tighter;
    (allowed ? high : low) = limit;
    found |= allowed;
  }
  return found;
}

/// The unbuilt plan that is predicted best; nullopt where none fits. With
/// `explore` only of those whose layers and neurons have not been tried.
std::optional<Plan> Searcher::nextPlan(bool explore) {
  bool bySize = !goal.boundsResources();
  std::optional<Plan> best;
  double bestScore = 0;
  std::vector<double> keeps = {1};
  if (inventory.feedForwardWidth >= 64)
    keeps = {1, 0.75, 0.5, 0.4, 0.25};
  for (const TableChoice &table : model->tables())
    for (double keep : keeps)
      for (int64_t dropped : {0, 1, 2})
        for (int64_t groupSize : {64, 128, 0}) {
          if (dropped && inventory.layers < 2 + 2 * dropped)
            continue;
          if (explore && builtShapes.count({keep, dropped}))
            continue;
          Plan plan = basePlan(inventory);
          plan.table = table;
          plan.keep = keep;
          plan.dropped = dropped;
          plan.groupSize = groupSize;
          plan.calibrated = true;
          // Few bits only add to what the rest costs.
          if (!bySize && best && model->cost(plan) >= bestScore)
            continue;
          if (!fit(plan) || tried.contains(plan.key()))
            continue;
          double score =
              bySize ? double(model->bytes(plan)) : model->cost(plan);
          if (!best || score < bestScore) {
            best = plan;
            bestScore = score;
          }
        }
  return best;
}

/// The smallest plan there is, for a budget that seems out of reach.
static Plan smallestPlan(const Inventory &inventory, const CostModel &model) {
  Plan plan = basePlan(inventory);
  plan.calibrated = true;
  plan.groupSize = 128;
  plan.bits.assign(plan.bits.size(), 2);
  if (inventory.feedForwardWidth >= 64)
    plan.keep = 0.25;
  plan.dropped = inventory.layers >= 6 ? 2 : inventory.layers >= 4;
  TableChoice best = plan.table;
  for (const TableChoice &table : model.tables()) {
    plan.table = table;
    int64_t bytes = model.bytes(plan);
    plan.table = best;
    if (bytes < model.bytes(plan))
      best = table;
    plan.table = best;
  }
  return plan;
}

void Searcher::build() {
  double longest = 0;
  size_t failures = 0, idle = 0;
  for (size_t count = 0; count < limits.builds && failures < 3; ++count) {
    // One is built in any case.
    if (bench.interrupted() ||
        (count && bench.seconds() + longest > limits.seconds))
      return;
    const MeasuredPlan &best = result.all[result.best];
    bool met = goal.isMet(best.measurement);
    // What neurons and layers cost beside few bits is known least: the first
    // few plans differ in these, unless one is far from being the best.
    std::optional<Plan> plan = nextPlan(/*explore=*/count < exploring);
    bool explores = plan && count > 0 && count < exploring;
    if (explores && met &&
        (goal.boundsResources()
             ? model->cost(*plan) > 1.3 * best.measurement.cost()
             : double(model->bytes(*plan)) >
                   1.2 * double(best.measurement.fileBytes))) {
      explores = false;
      plan.reset();
    }
    if (!plan)
      plan = nextPlan(/*explore=*/false);
    if (!plan && count == 0)
      plan = smallestPlan(inventory, *model);
    if (!plan || tried.contains(plan->key()))
      return;
    double predicted = model->cost(*plan);
    // Nothing better is in sight, twice.
    bool better = !goal.boundsResources()
                      ? model->bytes(*plan) < best.measurement.fileBytes
                      : predicted < best.measurement.cost();
    idle = better || !met || explores ? 0 : idle + 1;
    if (idle == 2)
      return;
    bench.progress("next: " + plan->text(inventory) + ", predicted " +
                   formatMetric(Metric::Size, double(model->bytes(*plan))) +
                   ", cost " + std::to_string(predicted));
    double start = bench.seconds();
    const Measurement *measured = measure(*plan);
    longest = std::max(longest, bench.seconds() - start);
    if (!measured) {
      ++failures;
      continue;
    }
    builtShapes.insert({plan->keep, plan->dropped});
    if (!goal.isWorkMet(*measured))
      mostWork = std::min(mostWork, 0.98 * workOf(inventory, *plan));
    model->addBuilt(*plan, *measured);
  }
}

void Searcher::findPareto() {
  std::vector<size_t> order(result.all.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  llvm::stable_sort(order, [&](size_t a, size_t b) {
    const Measurement &x = result.all[a].measurement,
                      &y = result.all[b].measurement;
    return x.fileBytes != y.fileBytes ? x.fileBytes < y.fileBytes
                                      : x.cost() < y.cost();
  });
  double least = std::numeric_limits<double>::infinity();
  for (size_t i : order)
    if (double cost = result.all[i].measurement.cost(); cost < least) {
      least = cost;
      result.pareto.push_back(i);
    }
}

Expected<SearchResult> Searcher::run() {
  Plan base = basePlan(inventory);
  const Measurement *measured = measure(base);
  if (!measured)
    return llvm::createStringError(problem);
  model.emplace(inventory, *measured);
  if (!goal.isWorkMet(*measured))
    mostWork = 0.98 * workOf(inventory, base);
  measureChoices();
  if (!bench.interrupted())
    build();
  result.interrupted = bench.interrupted();
  findPareto();
  return std::move(result);
}

Expected<SearchResult> search(const Inventory &inventory, const Goal &goal,
                              const SearchLimits &limits, SearchBench &bench) {
  return Searcher(inventory, goal, limits, bench).run();
}

} // namespace plmc
