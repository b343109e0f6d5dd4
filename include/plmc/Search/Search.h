//===- Search.h - The plan that suits a budget ------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SEARCH_SEARCH_H
#define PLMC_SEARCH_SEARCH_H

#include "plmc/Search/CostModel.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace plmc {

/// Builds and measures plans: the search's view of everything else.
class SearchBench {
public:
  virtual ~SearchBench() = default;
  /// An error where the plan cannot be built for this model.
  virtual llvm::Expected<Measurement> measure(const Plan &plan) = 0;
  /// Since the search began.
  virtual double seconds() const = 0;
  virtual bool interrupted() const = 0;
  /// One line for people.
  virtual void progress(llvm::StringRef line) = 0;
};

struct MeasuredPlan {
  Plan plan;
  Measurement measurement;
};

struct SearchLimits {
  double seconds = 600;
  size_t builds = 8; // of calibrated plans, at most
};

struct SearchResult {
  size_t best = 0;               // of `all`
  std::vector<MeasuredPlan> all; // in the order of the search
  std::vector<size_t> pareto;    // smaller or better than any other, by size
  bool interrupted = false;
};

/// An error only if not even the base plan can be measured.
llvm::Expected<SearchResult> search(const Inventory &inventory,
                                    const Goal &goal,
                                    const SearchLimits &limits,
                                    SearchBench &bench);

} // namespace plmc

#endif // PLMC_SEARCH_SEARCH_H
