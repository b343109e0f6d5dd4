//===- FakeSearchBench.h - Plans that cost what is assumed ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_UNIT_FAKESEARCHBENCH_H
#define PLMC_TEST_UNIT_FAKESEARCHBENCH_H

#include "plmc/Search/Search.h"
#include <cmath>
#include <functional>

namespace plmc::test {

inline Inventory inventoryOf(size_t layers) {
  Inventory inventory;
  for (size_t i = 0; i < layers; ++i)
    for (bool feedForward : {false, true})
      inventory.groups.push_back({{"w" + std::to_string(2 * i + feedForward)},
                                  feedForward ? 800000 : 400000,
                                  feedForward});
  inventory.feedForwardWidth = 1536;
  inventory.vocabulary = 30000;
  inventory.tableWidth = 384;
  inventory.layers = int64_t(layers);
  return inventory;
}

struct FakeBench : SearchBench {
  const Inventory &inventory;
  double now = 0;
  size_t measured = 0, interruptAfter = SIZE_MAX;
  std::function<bool(const Plan &)> refuses = [](const Plan &) {
    return false;
  };
  explicit FakeBench(const Inventory &inventory) : inventory(inventory) {}

  double costOf(const Plan &plan) const {
    double cost = 0.001;
    if (plan.table.subVector)
      cost += plan.table.subVector == 8 ? 0.2 : 0.02;
    if (plan.table.rank)
      cost += 2.0 / double(plan.table.rank);
    cost += 0.5 * (1 - plan.keep) + 0.2 * double(plan.dropped);
    for (size_t i = 0; i < plan.bits.size(); ++i)
      cost += (plan.calibrated ? 0.3 : 1) * (1 + double(i)) * 0.2 *
              std::pow(4.0, -double(plan.bits[i]));
    return cost;
  }
  int64_t bytesOf(const Plan &plan) const {
    double bytes = 300e3, table = 30000.0 * 384;
    if (plan.table.subVector)
      table = 30000.0 * double(plan.table.rank ? plan.table.rank : 384) /
              double(plan.table.subVector);
    bytes += table * double(plan.table.bits) / 8;
    for (size_t i = 0; i < plan.bits.size(); ++i)
      bytes += elementsLeft(inventory, i, plan) *
               (plan.bits[i] == 8
                    ? 1.0
                    : double(plan.bits[i]) / 8 +
                          (plan.groupSize ? 3.0 / double(plan.groupSize) : 0));
    return int64_t(bytes);
  }
  llvm::Expected<Measurement> measure(const Plan &plan) override {
    now += plan.calibrated ? 40 : 2;
    if (refuses(plan))
      return llvm::createStringError("refused");
    ++measured;
    Measurement result;
    result.fileBytes = bytesOf(plan);
    result.metrics[Metric::Cosine] = 1 / std::sqrt(1 + costOf(plan));
    result.runs[{Metric::Latency, 1, 128}] = secondsOf(plan);
    result.runs[{Metric::Memory, 1, 128}] =
        double(result.fileBytes) + allocatedOf(plan);
    return result;
  }
  /// Attention, which no element tells of, and few bits that take longer.
  double secondsOf(const Plan &plan) const {
    double seconds = 0.5e-3 + (plan.table.rank ? 0.1e-3 : 0) +
                     0.2e-3 * double(inventory.layers - plan.dropped);
    for (size_t i = 0; i < plan.bits.size(); ++i)
      seconds += elementsLeft(inventory, i, plan) * 0.5e-9 *
                 (plan.bits[i] == 8 ? 1
                  : plan.groupSize  ? 1.3
                                    : 0.9);
    return seconds;
  }
  /// What is beside the library: neurons' values are the most of it.
  double allocatedOf(const Plan &plan) const { return 1e6 + 2e6 * plan.keep; }
  double seconds() const override { return now; }
  bool interrupted() const override { return measured >= interruptAfter; }
  void progress(llvm::StringRef) override {}
};

inline Goal goalOf(llvm::StringRef text) {
  return Goal(llvm::cantFail(parseBudget(text)));
}

} // namespace plmc::test

#endif // PLMC_TEST_UNIT_FAKESEARCHBENCH_H
