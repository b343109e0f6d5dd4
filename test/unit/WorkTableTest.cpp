//===- WorkTableTest.cpp - Plans that meet a bound on time ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Search/WorkTable.h"
#include "FakeSearchBench.h"
#include <gtest/gtest.h>

using namespace plmc;
using namespace plmc::test;

namespace {

struct WorkTableTest : ::testing::Test {
  Inventory inventory = inventoryOf(6);
  FakeBench bench{inventory};
  Goal goal = goalOf("latency<4ms");
  WorkTable table{inventory, goal.all().front(), measure({})};

  /// The base plan, changed.
  Plan changed(llvm::function_ref<void(Plan &)> change) {
    Plan plan = basePlan(inventory);
    if (change)
      change(plan);
    return plan;
  }
  Measurement measure(llvm::function_ref<void(Plan &)> change) {
    return llvm::cantFail(bench.measure(changed(change)));
  }
  void fill() {
    for (double keep : {0.5, 0.25})
      table.addNeurons(keep, measure([&](Plan &p) { p.keep = keep; }));
    table.addLayer(measure([](Plan &p) { p.dropped = 1; }));
    TableChoice low{8, 192, 4};
    table.addTable(low, measure([&](Plan &p) { p.table = low; }));
    for (int64_t groupSize : {64, 0})
      table.addUniform(3, groupSize, measure([&](Plan &p) {
                         p.bits.assign(p.bits.size(), 3);
                         p.groupSize = groupSize;
                       }));
  }
};

TEST_F(WorkTableTest, ChoicesAddUp) {
  fill();
  EXPECT_DOUBLE_EQ(table.predict(changed({})), bench.secondsOf(changed({})));
  for (double keep : {1.0, 0.75, 0.5, 0.4, 0.25})
    for (int64_t dropped : {0, 1, 2})
      for (int64_t groupSize : {64, 0})
        for (size_t few : {size_t(0), size_t(5), inventory.groups.size()}) {
          Plan plan = changed([&](Plan &p) {
            p.keep = keep;
            p.dropped = dropped;
            p.groupSize = groupSize;
            p.table = {8, 192, 4};
            std::fill_n(p.bits.begin(), few, 3);
          });
          double seconds = bench.secondsOf(plan);
          // The number of neurons is rounded.
          EXPECT_NEAR(table.predict(plan), seconds, 4e-3 * seconds)
              << plan.text(inventory);
          if (std::abs(seconds - 3.96e-3) > 2e-5)
            EXPECT_EQ(table.allows(plan), seconds < 3.96e-3);
        }
}

TEST_F(WorkTableTest, GuessesWhatWasNotMeasured) {
  Plan plan = changed([](Plan &p) {
    p.keep = 0.25;
    p.dropped = 1;
  });
  EXPECT_LT(table.predict(plan), 0.8 * table.predict(changed({})));
  EXPECT_GT(table.predict(plan), 0.2 * table.predict(changed({})));
}

TEST_F(WorkTableTest, WhatWasBuiltCorrects) {
  fill();
  // Calibrated neurons save half of what was measured.
  Plan plan = changed([](Plan &p) { p.keep = 0.5; });
  double base = table.predict(changed({})), before = table.predict(plan);
  Measurement measured;
  measured.runs[{Metric::Latency, 1, 128}] = (base + before) / 2;
  table.addBuilt(plan, measured);
  EXPECT_LT(std::abs(table.predict(plan) - (base + before) / 2),
            0.35 * std::abs(before - (base + before) / 2));
  EXPECT_NEAR(table.predict(changed({})), base, 0.05 * base);
  // A model without the value teaches nothing.
  double now = table.predict(plan);
  table.addBuilt(plan, {});
  EXPECT_EQ(table.predict(plan), now);
}

TEST_F(WorkTableTest, SaysWhatWasMeasured) {
  fill();
  EXPECT_EQ(table.text(),
            "latency 5.3 ms@1x128; a layer less -0.8 ms; 25 % of neurons "
            "-1.8 ms; 50 % of neurons -1.2 ms; 3 bits -0.36 ms; 3 bits in "
            "groups of 64 +1.08 ms");
}

//===----------------------------------------------------------------------===//
// The search with it
//===----------------------------------------------------------------------===//

size_t countBuilt(const SearchResult &result,
                  llvm::function_ref<bool(const MeasuredPlan &)> is) {
  return llvm::count_if(result.all, [&](const MeasuredPlan &one) {
    return one.plan.calibrated && is(one);
  });
}

TEST_F(WorkTableTest, OnlyPlansThatAreInTimeAreBuilt) {
  for (llvm::StringRef budget :
       {"latency<4ms", "latency<3ms, size<6MB", "latency<2.9ms, size<30MB"}) {
    FakeBench fresh(inventory);
    Goal both = goalOf(budget);
    auto result = llvm::cantFail(search(inventory, both, {1000, 6}, fresh));
    EXPECT_TRUE(both.isMet(result.all[result.best].measurement));
    EXPECT_GE(countBuilt(result, [](auto &) { return true; }), 2u);
    EXPECT_EQ(countBuilt(result,
                         [&](const MeasuredPlan &one) {
                           return !both.isMet(one.measurement);
                         }),
              0u)
        << budget.str();
  }
}

TEST_F(WorkTableTest, CountsAreBoundedLikewise) {
  struct CountingBench : FakeBench {
    using FakeBench::FakeBench;
    llvm::Expected<Measurement> measure(const Plan &plan) override {
      auto result = FakeBench::measure(plan);
      if (!result)
        return result;
      double &macs = result->metrics[Metric::Macs];
      for (size_t i = 0; i < plan.bits.size(); ++i)
        macs += elementsLeft(inventory, i, plan);
      return result;
    }
  };
  CountingBench counting(inventory);
  Goal macs = goalOf("macs<5M");
  auto result = llvm::cantFail(search(inventory, macs, {}, counting));
  EXPECT_TRUE(macs.isMet(result.all[result.best].measurement));
  EXPECT_EQ(countBuilt(result,
                       [&](const MeasuredPlan &one) {
                         return !macs.isMet(one.measurement);
                       }),
            0u);
}

TEST_F(WorkTableTest, OutOfReachTheFastestIsBuiltAndNoOther) {
  auto result = llvm::cantFail(
      search(inventory, goalOf("latency<0.1ms"), {2000, 8}, bench));
  EXPECT_EQ(countBuilt(result, [](auto &) { return true; }), 1u);
  const Plan &plan = result.all.back().plan;
  EXPECT_EQ(plan.keep, 0.25);
  EXPECT_EQ(plan.dropped, 2);
  EXPECT_EQ(result.best, result.all.size() - 1);
}

/// Neurons and bits give, and what is beside the library is known beforehand.
TEST_F(WorkTableTest, MemoryIsTheLibraryAndMore) {
  for (auto [budget, limit] :
       {std::pair("memory<10MB", 10e6), {"memory<6MB, size<30MB", 6e6}}) {
    FakeBench fresh(inventory);
    Goal goal = goalOf(budget);
    auto result = llvm::cantFail(search(inventory, goal, {2000, 6}, fresh));
    const MeasuredPlan &best = result.all[result.best];
    double memory = *best.measurement.value(goal.all().front());
    EXPECT_LT(memory, limit);
    EXPECT_GT(memory, 0.9 * limit) << budget;
    EXPECT_EQ(countBuilt(result,
                         [&](const MeasuredPlan &one) {
                           return !goal.isMet(one.measurement);
                         }),
              0u)
        << budget;
  }
}

/// What only the table needs is not measured where no bound on time is near.
TEST_F(WorkTableTest, TimedOnlyIfAsked) {
  for (auto [budget, timed] : {std::pair("size<8MB", false),
                               {"latency<10s, size<8MB", false},
                               {"latency<4ms, size<8MB", true}}) {
    FakeBench fresh(inventory);
    auto result = llvm::cantFail(search(inventory, goalOf(budget), {}, fresh));
    EXPECT_EQ(llvm::any_of(result.all,
                           [](const MeasuredPlan &one) {
                             return !one.plan.calibrated &&
                                    (one.plan.keep < 1 || one.plan.dropped ||
                                     one.plan.groupSize != 64);
                           }),
              timed)
        << budget;
  }
}

TEST(PlanTest, CutWithoutData) {
  Inventory inventory = inventoryOf(2);
  Plan plan = basePlan(inventory);
  plan.keep = 0.5;
  plan.dropped = 1;
  std::string text = printRecipe(planRecipe(Recipe(), inventory, plan));
  EXPECT_NE(text.find("drop-layers: { layers: [0], fit: -1 }"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("prune-neurons: { keep: 0.50, method: magnitude }"),
            std::string::npos)
      << text;
}

} // namespace
