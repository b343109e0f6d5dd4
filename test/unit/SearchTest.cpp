//===- SearchTest.cpp - The search for a budget ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeSearchBench.h"
#include "plmc/InitAll.h"
#include "plmc/Search/Knapsack.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace plmc;
using namespace plmc::test;

namespace {

//===----------------------------------------------------------------------===//
// Knapsack
//===----------------------------------------------------------------------===//

struct Sum {
  int64_t bytes = 0;
  double cost = 0;
};

Sum sumOf(llvm::ArrayRef<KnapsackGroup> groups, llvm::ArrayRef<size_t> choice) {
  Sum sum;
  for (size_t i = 0; i < groups.size(); ++i) {
    sum.bytes += groups[i][choice[i]].bytes;
    sum.cost += groups[i][choice[i]].cost;
  }
  return sum;
}

/// The least cost of all choices that fit; infinite if none does.
double bruteForce(llvm::ArrayRef<KnapsackGroup> groups, int64_t limit) {
  double best = HUGE_VAL;
  std::vector<size_t> choice(groups.size(), 0);
  while (true) {
    Sum sum = sumOf(groups, choice);
    if (sum.bytes <= limit)
      best = std::min(best, sum.cost);
    size_t at = 0;
    while (at < groups.size() && ++choice[at] == groups[at].size())
      choice[at++] = 0;
    if (at == groups.size())
      return best;
  }
}

TEST(KnapsackTest, AsGoodAsTryingAll) {
  std::mt19937 random(7);
  auto pick = [&](int most) { return int(random() % (most + 1)); };
  for (int round = 0; round < 300; ++round) {
    std::vector<KnapsackGroup> groups(1 + pick(4));
    for (KnapsackGroup &group : groups) {
      group.resize(1 + pick(3));
      for (KnapsackOption &option : group)
        option = {pick(20), pick(50) / 8.0};
    }
    int64_t limit = pick(60);
    double best = bruteForce(groups, limit);
    auto found = solveKnapsack(groups, limit);
    ASSERT_EQ(found.has_value(), std::isfinite(best));
    if (!found)
      continue;
    Sum sum = sumOf(groups, *found);
    EXPECT_LE(sum.bytes, limit);
    EXPECT_DOUBLE_EQ(sum.cost, best);
    // Coarser, it may be worse, not larger.
    if (auto coarse = solveKnapsack(groups, limit, 7)) {
      EXPECT_LE(sumOf(groups, *coarse).bytes, limit);
      EXPECT_GE(sumOf(groups, *coarse).cost, best);
    }
  }
}

TEST(KnapsackTest, Borders) {
  EXPECT_FALSE(solveKnapsack({}, -1));
  EXPECT_TRUE(solveKnapsack({}, 0)->empty());
  std::vector<KnapsackGroup> groups = {{{0, 1}, {0, 1}}, {{5, 0}}};
  EXPECT_EQ(*solveKnapsack(groups, 5), (std::vector<size_t>{0, 0}));
  EXPECT_FALSE(solveKnapsack(groups, 4));
}

//===----------------------------------------------------------------------===//
// The cost model
//===----------------------------------------------------------------------===//

TEST(CostModelTest, RidgeFollowsTheDataAndElseStaysAtOne) {
  // The first factor is 3, nothing speaks of the second.
  std::vector<double> x = solveRidge({{1, 0}, {2, 0}}, {3, 6}, 1e-6);
  EXPECT_NEAR(x[0], 3, 1e-4);
  EXPECT_NEAR(x[1], 1, 1e-9);
}

TEST(CostModelTest, CostOfCosineIsNoiseOverSignal) {
  for (double noise : {0.0, 0.01, 0.5})
    EXPECT_NEAR(costOfCosine(1 / std::sqrt(1 + noise)), noise, 1e-12);
  EXPECT_GT(costOfCosine(-1), 100);
}

//===----------------------------------------------------------------------===//
// The search, on a model that is made of its own assumptions
//===----------------------------------------------------------------------===//

TEST(SearchTest, FindsWhatFitsAndIsGood) {
  Inventory inventory = inventoryOf(6);
  for (llvm::StringRef budget : {"size<8MB", "size<6MB", "size<4MB"}) {
    FakeBench bench(inventory);
    Goal goal = goalOf(budget);
    auto result = llvm::cantFail(search(inventory, goal, {}, bench));
    const MeasuredPlan &best = result.all[result.best];
    EXPECT_TRUE(goal.isMet(best.measurement)) << budget.str();
    EXPECT_TRUE(best.plan.calibrated);
    // It uses the room that it has.
    EXPECT_GT(best.measurement.fileBytes, *goal.sizeLimit() * 0.9);
    EXPECT_LE(bench.now, 650);
    for (const MeasuredPlan &one : result.all)
      EXPECT_FALSE(goal.isBetter(one.measurement, best.measurement));
    // Smaller and worse, from one end to the other.
    for (size_t i = 1; i < result.pareto.size(); ++i) {
      const Measurement &a = result.all[result.pareto[i - 1]].measurement;
      const Measurement &b = result.all[result.pareto[i]].measurement;
      EXPECT_LT(a.fileBytes, b.fileBytes);
      EXPECT_GT(a.cost(), b.cost());
    }
  }
}

TEST(SearchTest, FragileGroupsKeepMoreBits) {
  Inventory inventory = inventoryOf(6);
  FakeBench bench(inventory);
  auto result =
      llvm::cantFail(search(inventory, goalOf("size<6MB"), {}, bench));
  const Plan &best = result.all[result.best].plan;
  EXPECT_GE(best.bits[10], best.bits[0]);
  EXPECT_GE(best.bits[11], best.bits[1]);
}

TEST(SearchTest, OnlyQualityMeansAsSmallAsItGets) {
  Inventory inventory = inventoryOf(6);
  FakeBench bench(inventory);
  Goal goal = goalOf("cosine>=0.97");
  auto result = llvm::cantFail(search(inventory, goal, {}, bench));
  const Measurement &best = result.all[result.best].measurement;
  EXPECT_TRUE(goal.isMet(best));
  EXPECT_LT(best.fileBytes, 8000000);
}

TEST(SearchTest, AnswersAloneBoundTheSize) {
  Inventory inventory = inventoryOf(6);
  struct AnsweringBench : FakeBench {
    using FakeBench::FakeBench;
    llvm::Expected<Measurement> measure(const Plan &plan) override {
      auto result = FakeBench::measure(plan);
      if (result)
        result->metrics[Metric::Accuracy] = 0.95 - costOf(plan);
      return result;
    }
  };
  AnsweringBench bench(inventory);
  Goal goal = goalOf("accuracy>=0.9");
  auto result = llvm::cantFail(search(inventory, goal, {}, bench));
  const Measurement &best = result.all[result.best].measurement;
  EXPECT_TRUE(goal.isMet(best));
  EXPECT_LT(best.fileBytes, 8000000);
}

TEST(SearchTest, LatencyNeedsLessWork) {
  Inventory inventory = inventoryOf(6);
  FakeBench bench(inventory);
  Goal goal = goalOf("latency<6ms@1x128");
  auto result = llvm::cantFail(search(inventory, goal, {}, bench));
  EXPECT_TRUE(goal.isMet(result.all[result.best].measurement));
}

TEST(SearchTest, TheClosestWhereNothingFits) {
  Inventory inventory = inventoryOf(6);
  FakeBench bench(inventory);
  Goal goal = goalOf("size<0.5MB");
  auto result = llvm::cantFail(search(inventory, goal, {}, bench));
  const Measurement &best = result.all[result.best].measurement;
  EXPECT_FALSE(goal.isMet(best));
  EXPECT_LT(best.fileBytes, 3000000);
  EXPECT_NE(goal.missed(best).find("size<0.5MB"), std::string::npos);
}

TEST(SearchTest, EndsEarlyWithWhatItHas) {
  Inventory inventory = inventoryOf(6);
  for (size_t count : {1, 2, 20}) {
    FakeBench bench(inventory);
    bench.interruptAfter = count;
    auto result =
        llvm::cantFail(search(inventory, goalOf("size<6MB"), {}, bench));
    EXPECT_TRUE(result.interrupted);
    EXPECT_EQ(result.all.size(), count);
  }
  // No time: one calibrated plan all the same.
  FakeBench bench(inventory);
  auto result =
      llvm::cantFail(search(inventory, goalOf("size<6MB"), {1, 8}, bench));
  EXPECT_EQ(result.all.size(), 2u);
}

TEST(SearchTest, GoesOnWithoutWhatCannotBeBuilt) {
  Inventory inventory = inventoryOf(2);
  FakeBench bench(inventory);
  bench.refuses = [](const Plan &plan) { return plan.table.subVector != 0; };
  auto result =
      llvm::cantFail(search(inventory, goalOf("size<9MB"), {}, bench));
  EXPECT_FALSE(result.all[result.best].plan.table.subVector);
  bench.refuses = [](const Plan &plan) { return true; };
  auto none = search(inventory, goalOf("size<9MB"), {}, bench);
  EXPECT_EQ(llvm::toString(none.takeError()), "refused");
}

TEST(SearchTest, TheSameTwice) {
  Inventory inventory = inventoryOf(6);
  std::string keys[2];
  for (std::string &text : keys) {
    FakeBench bench(inventory);
    auto result =
        llvm::cantFail(search(inventory, goalOf("size<5MB"), {}, bench));
    for (const MeasuredPlan &one : result.all)
      text += one.plan.key() + "\n";
  }
  EXPECT_EQ(keys[0], keys[1]);
}

//===----------------------------------------------------------------------===//
// Plans as recipes
//===----------------------------------------------------------------------===//

TEST(PlanTest, Recipe) {
  Inventory inventory = inventoryOf(1);
  inventory.groups[1].names = {"a.b", "onnx::MatMul_7"};
  Plan plan = basePlan(inventory);
  plan.calibrated = true;
  plan.table = {8, 192, 4};
  plan.keep = 0.5;
  plan.bits = {8, 2};
  EXPECT_EQ(printRecipe(planRecipe(Recipe(), inventory, plan)),
            "version: 1\n"
            "seed: 0\n"
            "steps:\n"
            "  - prune-neurons: { keep: 0.50 }\n"
            "  - factorize-embedding: { rank: 192 }\n"
            "  - product-quantize: { sub-vector: 4 }\n"
            "  - quantize: { bits: 8, group-size: 64, mixed: "
            "\"2:^(a.b|onnx..MatMul_7)(_[0-9]+)*$\" }\n"
            "  - set-precision: { precision: int8, table-bits: 8 }\n");
}

} // namespace
