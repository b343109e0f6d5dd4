//===- Plan.cpp - A point of the search -----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The order of the steps: layers and neurons go first, as whatever is done to
// their weights would be lost; the tables before the weights, so that these are
// fitted to the vectors that they will be given; quantization last.
//
//===----------------------------------------------------------------------===//

#include "plmc/Search/Plan.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using llvm::StringRef;

namespace plmc {

std::string TableChoice::text() const {
  std::string text = rank ? "rank " + std::to_string(rank) + ", " : "";
  return subVector ? text + "codes of " + std::to_string(subVector)
                   : text + "tables in " + std::to_string(bits) + " bits";
}

std::vector<TableChoice> tableChoices(const Inventory &inventory) {
  std::vector<TableChoice> result = {{8, 0, 0}, {4, 0, 0}};
  int64_t width = inventory.tableWidth;
  // Codebooks are 256 rows themselves.
  if (inventory.vocabulary < 2048)
    return result;
  auto add = [&](int64_t rank, int64_t sub) {
    if ((rank ? rank : width) % sub == 0)
      result.push_back({8, rank, sub});
  };
  add(0, 4);
  // 256, 224, ... 96 of 384 columns.
  for (int64_t part : {8, 7, 6, 5, 4, 3})
    if (width % 48 == 0)
      add(width * part / 12, 4);
  add(0, 8);
  for (int64_t part : {6, 3})
    if (width % 96 == 0)
      add(width * part / 12, 8);
  return result;
}

std::vector<double> keepChoices(const Inventory &inventory) {
  if (inventory.feedForwardWidth < 64)
    return {1};
  return {1, 0.75, 0.5, 0.4, 0.25};
}

std::vector<int64_t> dropChoices(const Inventory &inventory) {
  std::vector<int64_t> result = {0};
  for (int64_t dropped : {1, 2})
    if (inventory.layers >= 2 + 2 * dropped)
      result.push_back(dropped);
  return result;
}

Plan basePlan(const Inventory &inventory) {
  Plan plan;
  plan.bits.assign(inventory.groups.size(), 8);
  plan.calibrated = false;
  return plan;
}

static std::string number(double value, int digits) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.*f", digits, value);
  return text;
}

std::string Plan::key() const {
  std::string text = std::to_string(table.bits) + "/" +
                     std::to_string(table.rank) + "/" +
                     std::to_string(table.subVector) + " " + number(keep, 3) +
                     " " + std::to_string(dropped) + " " +
                     std::to_string(groupSize) + (calibrated ? " g " : " r ");
  for (int64_t b : bits)
    text += std::to_string(b);
  return text;
}

std::string Plan::text(const Inventory &inventory) const {
  std::string text = table.text();
  if (keep < 1)
    text += "; " + number(keep * 100, 0) + " % of neurons";
  if (dropped)
    text += "; " + std::to_string(dropped) +
            (dropped == 1 ? " layer dropped" : " layers dropped");
  // What one group costs is measured with that alone changed.
  auto differs = [](int64_t b) { return b != 8; };
  if (!calibrated && llvm::count_if(bits, differs) == 1) {
    size_t group = llvm::find_if(bits, differs) - bits.begin();
    return text + "; " + inventory.nameOf(group) + " in " +
           std::to_string(bits[group]) + " bits, rounded";
  }
  return text + "; weights in " + number(meanBits(inventory, *this), 2) +
         " bits" + (calibrated ? "" : ", rounded");
}

double elementsLeft(const Inventory &inventory, size_t group,
                    const Plan &plan) {
  const MatrixGroup &one = inventory.groups[group];
  double count = double(one.elements);
  if (one.feedForward && plan.keep < 1 && inventory.feedForwardWidth) {
    // As prune-neurons rounds.
    double width = double(inventory.feedForwardWidth);
    double left = std::max(32.0, std::round(plan.keep * width / 32) * 32);
    count *= std::min(1.0, left / width);
  }
  if (plan.dropped && inventory.layers)
    count *= double(inventory.layers - plan.dropped) / double(inventory.layers);
  return count;
}

double meanBits(const Inventory &inventory, const Plan &plan) {
  double bits = 0, count = 0;
  for (size_t i = 0; i < inventory.groups.size(); ++i) {
    double elements = elementsLeft(inventory, i, plan);
    bits += elements * double(plan.bits[i]);
    count += elements;
  }
  return count ? bits / count : 8;
}

/// A regular expression for a parameter's name, also where a step has given it
/// another number. What the text of options cannot hold is any character.
static std::string expressionFor(StringRef name) {
  std::string text;
  for (char c : name)
    text += llvm::isAlnum(c) || c == '_' ? c : '.';
  return text;
}

/// "4:^(a|b)(_[0-9]+)*$;2:..." for all weights that do not have the bits of the
/// others.
static std::string mixedBits(const Inventory &inventory, const Plan &plan,
                             int64_t others) {
  std::string text;
  for (int64_t bits : {4, 3, 2}) {
    if (bits == others)
      continue;
    std::string names;
    for (auto [group, chosen] : llvm::zip(inventory.groups, plan.bits))
      if (chosen == bits)
        for (const std::string &name : group.names)
          names += (names.empty() ? "" : "|") + expressionFor(name);
    if (!names.empty())
      text += (text.empty() ? "" : ";") + std::to_string(bits) + ":^(" + names +
              ")(_[0-9]+)*$";
  }
  return text;
}

Recipe planRecipe(const Recipe &base, const Inventory &inventory,
                  const Plan &plan) {
  Recipe recipe = base;
  RecipeOrigin origin{"--budget", true};
  auto add = [&](StringRef name) -> RecipeStep & {
    recipe.steps.push_back({name.str(), {}, origin});
    return recipe.steps.back();
  };
  auto set = [&](RecipeStep &step, StringRef option, std::string value) {
    step.options.push_back({option.str(), {std::move(value)}, false, origin});
  };
  if (plan.dropped) {
    RecipeStep &drop = add("drop-layers");
    if (plan.calibrated) {
      set(drop, "count", std::to_string(plan.dropped));
    } else {
      std::vector<std::string> first;
      for (int64_t layer = 0; layer < plan.dropped; ++layer)
        first.push_back(std::to_string(layer));
      drop.options.push_back({"layers", std::move(first), true, origin});
      set(drop, "fit", "-1");
    }
  }
  if (plan.keep < 1) {
    RecipeStep &prune = add("prune-neurons");
    set(prune, "keep", number(plan.keep, 2));
    if (!plan.calibrated)
      set(prune, "method", "magnitude");
  }
  if (plan.table.rank)
    set(add("factorize-embedding"), "rank", std::to_string(plan.table.rank));
  if (plan.table.subVector)
    set(add("product-quantize"), "sub-vector",
        std::to_string(plan.table.subVector));
  if (!plan.calibrated ||
      llvm::any_of(plan.bits, [](int64_t b) { return b != 8; })) {
    RecipeStep &quantize = add("quantize");
    // What the plan does not name is small, but would need code of its own for
    // other bits.
    int64_t most = plan.calibrated && !plan.bits.empty()
                       ? *llvm::max_element(plan.bits)
                       : 8;
    set(quantize, "bits", std::to_string(most));
    set(quantize, "group-size", std::to_string(plan.groupSize));
    if (std::string mixed = mixedBits(inventory, plan, most); !mixed.empty())
      set(quantize, "mixed", mixed);
    if (!plan.calibrated)
      set(quantize, "method", "rtn");
  }
  RecipeStep &precision = add("set-precision");
  set(precision, "precision", "int8");
  set(precision, "table-bits", std::to_string(plan.table.bits));
  return recipe;
}

} // namespace plmc
