//===- Budget.h - The recipe that suits a budget ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_BUDGET_H
#define PLMC_LIB_DRIVER_BUDGET_H

#include "BudgetBench.h"
#include "plmc/Driver/Compress.h"
#include "plmc/Report/SearchReport.h"

namespace plmc {

/// Usage errors of --budget and the options that go with it.
llvm::Error checkBudgetOptions(const CompressOptions &options,
                               OutputFormat format);

struct BudgetOutcome {
  Recipe recipe; // completed
  bool met = false;
  /// "7.2 MB for 'size<7MB'": what is not met.
  std::string missed;
  SearchReport report;
};

/// Searches for the recipe that suits --budget best. `imported` is not changed;
/// `base` is done first in any case. Libraries are measured in `folder`. Writes
/// --pareto, and --resume as it goes. SIGINT ends the search with what it has.
llvm::Expected<BudgetOutcome>
chooseByBudget(mlir::ModuleOp imported, const Recipe &base,
               const CompressOptions &options,
               BudgetBench::CompileOptionsOf compileOptionsOf,
               std::string folder, Progress &line);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_BUDGET_H
