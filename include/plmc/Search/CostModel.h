//===- CostModel.h - What a plan is expected to cost ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The noise of independent changes adds up, so a plan's cost
// (Measurement::cost) is taken as a sum of parts: the tables, the neurons, a
// dropped layer, and the weights in 4, 3 and 2 bits. Cheap measurements say how
// the parts divide among the choices: each table, and each group of weights
// rounded to 3 bits, alone. How much calibration gains on that depends on the
// model and on everything else, so each part has a factor, 1 at first, and
// every plan that was built for real corrects the factors: least squares of
// relative errors, held to 1 by a ridge. Sizes are treated alike: bytes by
// arithmetic, and a correction.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SEARCH_COSTMODEL_H
#define PLMC_SEARCH_COSTMODEL_H

#include "plmc/Search/Measurement.h"
#include "plmc/Search/Plan.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <array>

namespace plmc {

class CostModel {
public:
  CostModel(const Inventory &inventory, Measurement base);

  /// Only the tables are different from the base plan's.
  void addTable(const TableChoice &table, const Measurement &measured);
  /// Only the bits are different, all `bits`, rounded, groups of 64.
  void addUniform(int64_t bits, const Measurement &measured);
  /// Only this group is different: 3 bits, rounded.
  void addGroup(size_t group, const Measurement &measured);
  /// A calibrated plan, built for real.
  void addBuilt(const Plan &plan, const Measurement &measured);

  /// Tables that were measured.
  llvm::ArrayRef<TableChoice> tables() const { return known; }
  double cost(const Plan &plan) const;
  int64_t bytes(const Plan &plan) const;

  /// The plan's bits chosen anew for at most this many bytes; false where even
  /// the least bits are too many. With `allows` the best of those that it
  /// allows: of each set of numbers of bits it is asked once.
  bool chooseBits(Plan &plan, int64_t limit,
                  llvm::function_ref<bool(const Plan &)> allows = {}) const;

private:
  enum Part { Table, Neurons, Layers, Bits4, Bits3, Bits2, numParts };
  using Parts = std::array<double, numParts>;
  Parts parts(const Plan &plan) const;
  double groupCost(size_t group, int64_t bits, int64_t groupSize) const;
  double bytesPerElement(int64_t bits, int64_t groupSize) const;
  double correction(const Plan &plan) const;
  double bytesBeside(const Plan &plan) const; // the groups
  double bytesByArithmetic(const Plan &plan) const;
  /// Of these numbers of bits, for at most `left` bytes of the groups.
  bool chooseAmong(Plan &plan, llvm::ArrayRef<int64_t> choices,
                   double left) const;
  void fitFactors();

  const Inventory &inventory;
  Measurement base;
  std::vector<TableChoice> known;
  std::vector<double> tableCost, tableBytes; // beyond the base plan's
  std::vector<double> groupSensitivity;      // negative: not measured
  std::map<int64_t, double> scaleBytes;      // of a group of 64, by bits
  std::array<double, numParts> factors;
  struct Built {
    Plan plan;
    double cost, bytes;
  };
  std::vector<Built> built;
};

/// Least squares with a ridge towards 1: x that minimises
/// |rows x - wanted|^2 + ridge |x - 1|^2. For the model, and its test.
std::vector<double> solveRidge(llvm::ArrayRef<std::vector<double>> rows,
                               llvm::ArrayRef<double> wanted, double ridge);

} // namespace plmc

#endif // PLMC_SEARCH_COSTMODEL_H
