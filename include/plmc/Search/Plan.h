//===- Plan.h - A point of the search -------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SEARCH_PLAN_H
#define PLMC_SEARCH_PLAN_H

#include "plmc/Recipe/Recipe.h"
#include "plmc/Search/Inventory.h"

namespace plmc {

/// How the word table is stored.
struct TableChoice {
  int64_t bits = 8;      // 8 or 4, where it is no codes; of the other tables 8
  int64_t rank = 0;      // columns that are left; 0: all
  int64_t subVector = 0; // columns a code stands for; 0: no codes

  bool operator==(const TableChoice &o) const {
    return bits == o.bits && rank == o.rank && subVector == o.subVector;
  }
  /// "8 bits", "rank 192, codes of 4"
  std::string text() const;
};

/// What can be chosen for a model of this size, the dearest first.
std::vector<TableChoice> tableChoices(const Inventory &inventory);

/// Shares of the neurons and numbers of dropped layers, the most work first.
std::vector<double> keepChoices(const Inventory &inventory);
std::vector<int64_t> dropChoices(const Inventory &inventory);
/// Weights that share a scale; 0: all of a row. The most scales first.
inline constexpr int64_t groupSizeChoices[] = {64, 128, 0};

struct Plan {
  TableChoice table;
  double keep = 1;           // share of the neurons
  int64_t dropped = 0;       // layers
  int64_t groupSize = 64;    // weights that share a scale, below 8 bits
  std::vector<int64_t> bits; // of each group of the inventory: 8, 4, 3, 2
  bool calibrated = true;    // else cut and rounded without data: cheap, bad

  /// The same for the same model only.
  std::string key() const;
  /// For people: "rank 192, codes of 4; 75 % of neurons; 2.6 bits".
  std::string text(const Inventory &inventory) const;
};

/// All weights in 8 bits.
Plan basePlan(const Inventory &inventory);

/// Elements of a group once neurons are gone; of a layer that may be dropped,
/// its expectation.
double elementsLeft(const Inventory &inventory, size_t group, const Plan &plan);
/// Mean bits of a weight.
double meanBits(const Inventory &inventory, const Plan &plan);

/// `base` with the plan's steps behind its own; not yet completed.
Recipe planRecipe(const Recipe &base, const Inventory &inventory,
                  const Plan &plan);

} // namespace plmc

#endif // PLMC_SEARCH_PLAN_H
