//===- Search.cpp - The plan that suits a budget --------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// There are some 10^15 plans for a small encoder, and building one takes a
// minute. So the search has two stages. The first measures what each choice
// costs alone, by models that are quick to make (rounded, not calibrated), and
// where time is bounded, what it takes; from these CostModel and WorkTable
// predict any plan. The second builds the plan that is
// predicted best, corrects the model by what came out, and asks it again: the
// next plan is another one, since the built one is known and the prediction has
// changed. It ends when nothing unbuilt is predicted to be better, or by time.
//
// Everything that was measured is a model that could be kept, so from the first
// measurement on there is a best one, however the search ends.
//
//===----------------------------------------------------------------------===//

#include "plmc/Search/Search.h"
#include "Planner.h"
#include <limits>

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
  /// The base plan, changed; null also where there is no time for it.
  const Measurement *measureChanged(llvm::function_ref<void(Plan &)> change);
  void measureWork();
  void measureTables();
  void measureUniform(int64_t groupSize);
  void measureGroups();
  void measureChoices();
  std::optional<Plan> nextPlan(size_t count, bool &explores) const;
  void build();
  void findPareto();
  std::optional<double> costLimit() const;

  const Inventory &inventory;
  const Goal &goal;
  SearchLimits limits;
  SearchBench &bench;
  SearchResult result;
  std::optional<Planner> planner;
  llvm::StringSet<> tried;
  std::set<Planner::Shape> builtShapes;
  std::string problem; // of the last plan that could not be built
};

} // namespace

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
  for (auto [run, value] : last.measurement.runs) {
    auto [metric, batch, sequence] = run;
    line +=
        ", " +
        (metric == Metric::Memory ? std::string("memory ") : std::string()) +
        formatMetric(metric, value) + "@" + std::to_string(batch) + "x" +
        std::to_string(sequence);
  }
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

const Measurement *
Searcher::measureChanged(llvm::function_ref<void(Plan &)> change) {
  if (!mayMeasure())
    return nullptr;
  Plan plan = basePlan(inventory);
  change(plan);
  return measure(plan);
}

/// What neurons and layers take. Shares far apart come first: what lies between
/// can be told from them.
void Searcher::measureWork() {
  std::vector<double> keeps = keepChoices(inventory);
  llvm::stable_sort(keeps, [](double a, double b) {
    auto isKey = [](double keep) { return keep == 0.5 || keep == 0.25; };
    return isKey(a) > isKey(b);
  });
  for (double keep : keeps)
    if (keep < 1)
      if (auto *m = measureChanged([&](Plan &plan) { plan.keep = keep; }))
        planner->addNeurons(keep, *m);
  if (dropChoices(inventory).size() > 1)
    if (auto *m = measureChanged([&](Plan &plan) { plan.dropped = 1; }))
      planner->addLayer(*m);
}

void Searcher::measureTables() {
  for (const TableChoice &table : tableChoices(inventory))
    if (!(table == basePlan(inventory).table))
      if (auto *m = measureChanged([&](Plan &plan) { plan.table = table; }))
        planner->addTable(table, *m);
}

void Searcher::measureUniform(int64_t groupSize) {
  if (inventory.groups.empty())
    return;
  for (int64_t bits : {3, 2, 4})
    if (auto *m = measureChanged([&](Plan &plan) {
          plan.groupSize = groupSize;
          plan.bits.assign(plan.bits.size(), bits);
        }))
      planner->addUniform(bits, groupSize, *m);
}

void Searcher::measureGroups() {
  // Of a deep model not every group can be measured; those between are taken to
  // be like the others.
  size_t stride = inventory.groups.size() / 49 + 1;
  for (size_t i = 0; i < inventory.groups.size(); i += stride)
    if (auto *m = measureChanged([&](Plan &plan) { plan.bits[i] = 3; }))
      planner->addGroup(i, *m);
}

void Searcher::measureChoices() {
  bool timed = planner->isWorkTight();
  if (timed)
    measureWork();
  measureTables();
  for (int64_t groupSize : groupSizeChoices)
    if (groupSize == 64 || timed)
      measureUniform(groupSize);
  measureGroups();
  if (timed && !bench.interrupted())
    for (const WorkTable &table : planner->work())
      bench.progress(table.text());
}

/// Nullopt at the end. What neurons and layers cost beside few bits is known
/// least: the first few plans differ in these, unless one is far from being the
/// best.
std::optional<Plan> Searcher::nextPlan(size_t count, bool &explores) const {
  const MeasuredPlan &best = result.all[result.best];
  explores = false;
  if (count > 0 && count < exploring) {
    std::optional<Plan> plan = planner->best(tried, builtShapes, costLimit());
    bool far = plan && goal.isMet(best.measurement) &&
               (goal.boundsResources()
                    ? planner->cost(*plan) > 1.3 * best.measurement.cost()
                    : double(planner->bytes(*plan)) >
                          1.2 * double(best.measurement.fileBytes));
    explores = plan && !far;
    if (explores)
      return plan;
  }
  std::optional<Plan> plan = planner->best(tried, {}, costLimit());
  // One is built in any case.
  if (plan || count > 0)
    return plan;
  bench.progress("no plan is predicted to meet the budget; the closest");
  plan = planner->closest();
  return tried.contains(plan->key()) ? std::nullopt : plan;
}

void Searcher::build() {
  // Where layers and neurons are those of a plan that was built, they need not
  // be cut again.
  double longest = 0, shortest = std::numeric_limits<double>::infinity();
  auto lasts = [&](const Plan &plan) {
    return builtShapes.count({plan.keep, plan.dropped}) ? shortest : longest;
  };
  size_t failures = 0, idle = 0;
  for (size_t count = 0; count < limits.builds && failures < 3; ++count) {
    // One is built in any case.
    if (bench.interrupted() || (count && bench.seconds() > limits.seconds))
      return;
    bool explores;
    std::optional<Plan> plan = nextPlan(count, explores);
    if (!plan || (count && bench.seconds() + lasts(*plan) > limits.seconds))
      return;
    // Nothing better is in sight, twice.
    const Measurement &best = result.all[result.best].measurement;
    bool better = !goal.boundsResources()
                      ? planner->bytes(*plan) < best.fileBytes
                      : planner->cost(*plan) < best.cost();
    idle = better || !goal.isMet(best) || explores ? 0 : idle + 1;
    if (idle == 2)
      return;
    bench.progress("next: " + plan->text(inventory) + ", predicted " +
                   planner->predictionText(*plan));
    double start = bench.seconds();
    const Measurement *measured = measure(*plan);
    longest = std::max(longest, bench.seconds() - start);
    shortest = std::min(shortest, bench.seconds() - start);
    if (!measured) {
      ++failures;
      continue;
    }
    builtShapes.insert({plan->keep, plan->dropped});
    planner->addBuilt(*plan, *measured);
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
  planner.emplace(inventory, goal, *measured);
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
