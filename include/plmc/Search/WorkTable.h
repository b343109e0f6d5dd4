//===- WorkTable.h - What a plan takes to run -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A bound on latency leaves out most plans, so it has to be known of a plan
// before it is built. Counting multiply-accumulates does not tell it: attention
// counts for little and takes a third of the time, weights in few bits are
// fewer bytes and more instructions, and how many depends on how many of them
// share a scale. So it is measured, by code that this compiler emits, on the
// machine at hand, at the shape that the condition names: the whole model with
// all weights in 8 bits, and then one choice at a time (each table, each share
// of the neurons, a layer less, all weights in each number of bits). These
// models are cut and rounded without any calibration, as time depends on shapes
// and not on values.
//
// A plan's value is the sum over its choices. What choices have to do with one
// another is only what arithmetic tells: neurons and bits of a layer that is
// not there take no time. Whatever else there is, plans that were built
// correct, as in CostModel: a factor for each part, by least squares held to 1.
//
// Counts (macs, parameters) add up in the same way; they have a table, too. So
// has memory, of what it has beyond the library: that is CostModel's to tell.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SEARCH_WORKTABLE_H
#define PLMC_SEARCH_WORKTABLE_H

#include "plmc/Search/Measurement.h"
#include "plmc/Search/Plan.h"
#include <array>

namespace plmc {

/// Of one condition: a latency at a shape, or a count.
class WorkTable {
public:
  /// `base` is of basePlan, and has a value for the condition.
  WorkTable(const Inventory &inventory, const Condition &condition,
            const Measurement &base);

  /// Measurements of plans that differ from the base plan in one thing, or were
  /// built for real. Those without a value for the condition are left out.
  void addTable(const TableChoice &table, const Measurement &measured);
  void addNeurons(double keep, const Measurement &measured);
  void addLayer(const Measurement &measured); // one is dropped
  void addUniform(int64_t bits, int64_t groupSize, const Measurement &measured);
  void addBuilt(const Plan &plan, const Measurement &measured);

  /// `bytes` are those of the plan's library, as predicted; they are a part of
  /// memory alone.
  double predict(const Plan &plan, int64_t bytes = 0) const;
  /// With some room for a clock's noise.
  bool allows(const Plan &plan, int64_t bytes = 0) const;
  /// Of memory: what a plan leaves to the library.
  std::optional<int64_t> bytesLeft(const Plan &plan) const;
  /// The base plan is so far within the bound that no other choice leaves it.
  bool isGenerous() const;

  const Condition &bound() const { return condition; }
  /// "3.65 ms@1x128; a layer less -0.55 ms; ...": what was measured, for
  /// people.
  std::string text() const;

private:
  enum Part { Base, Table, Neurons, Layers, Bits, numParts };
  using Parts = std::array<double, numParts>;
  Parts parts(const Plan &plan) const;
  double sum(const Plan &plan) const;
  /// What the table is about: of memory that without the library.
  std::optional<double> valueOf(const Measurement &measured) const;
  /// What a measurement has beyond the base plan.
  std::optional<double> beyond(const Measurement &measured) const;
  double ofNeurons(double keep) const;
  double ofBits(int64_t bits, int64_t groupSize) const;
  double ofLayer() const;

  const Inventory &inventory;
  Condition condition;
  double base, libraryBytes; // of memory the table has no library in it
  double elements = 0;       // of all groups
  std::vector<std::pair<TableChoice, double>> tables;
  std::map<double, double> neurons = {{1, 0}}; // by the share that is left
  std::optional<double> layer;                 // what one takes
  std::map<std::pair<int64_t, int64_t>, double> uniform; // bits, group size
  std::array<double, numParts> factors;
  std::vector<std::pair<Plan, double>> built;
};

} // namespace plmc

#endif // PLMC_SEARCH_WORKTABLE_H
