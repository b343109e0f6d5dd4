//===- Planner.h - Plans that are worth building ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_SEARCH_PLANNER_H
#define PLMC_LIB_SEARCH_PLANNER_H

#include "plmc/Search/CostModel.h"
#include "plmc/Search/WorkTable.h"
#include "llvm/ADT/StringSet.h"
#include <set>

namespace plmc {

/// What is predicted of plans, and which of them is predicted best.
class Planner {
public:
  Planner(const Inventory &inventory, const Goal &goal,
          const Measurement &base);

  /// What measurements of plans teach, each kind that CostModel and WorkTable
  /// know.
  void addTable(const TableChoice &table, const Measurement &measured);
  void addUniform(int64_t bits, int64_t groupSize, const Measurement &measured);
  void addGroup(size_t group, const Measurement &measured);
  void addNeurons(double keep, const Measurement &measured);
  void addLayer(const Measurement &measured);
  void addBuilt(const Plan &plan, const Measurement &measured);

  double cost(const Plan &plan) const { return model.cost(plan); }
  int64_t bytes(const Plan &plan) const { return model.bytes(plan); }
  /// As if it had been measured, as far as plans differ.
  Measurement predict(const Plan &plan) const;
  /// For people: "6.9 MB, cost 0.012, latency 2.9 ms@1x128".
  std::string predictionText(const Plan &plan) const;

  /// Bounds on time or counts that some plan might exceed, or the base plan
  /// does: choices are to be timed.
  bool isWorkTight() const;
  llvm::ArrayRef<WorkTable> work() const { return tables; }

  /// Shares of neurons kept, layers gone.
  using Shape = std::pair<double, int64_t>;
  /// The plan that is predicted best of those that are predicted to meet the
  /// bounds, and are not of `tried` or of the shapes `without`; nullopt where
  /// there is none. `costLimit` is the loss that is allowed, if no resources
  /// are bounded.
  std::optional<Plan> best(const llvm::StringSet<> &tried,
                           const std::set<Shape> &without,
                           std::optional<double> costLimit) const;
  /// The plan that is predicted to miss least.
  Plan closest() const;

private:
  std::optional<int64_t> bytesAllowed(Plan plan) const;
  bool fit(Plan &plan, std::optional<double> costLimit) const;
  bool mayTake(const Plan &plan) const;
  /// All tables, neurons, layers and group sizes, in 8 bits, calibrated.
  void forAllShapes(llvm::function_ref<void(Plan)> visit) const;

  const Inventory &inventory;
  const Goal &goal;
  Measurement base;
  CostModel model;
  std::vector<WorkTable> tables; // of each bound on work
};

} // namespace plmc

#endif // PLMC_LIB_SEARCH_PLANNER_H
