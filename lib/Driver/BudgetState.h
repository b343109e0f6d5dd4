//===- BudgetState.h - Measurements that survive ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_BUDGETSTATE_H
#define PLMC_LIB_DRIVER_BUDGETSTATE_H

#include "plmc/Search/Measurement.h"
#include "llvm/Support/Error.h"
#include <nlohmann/json.hpp>

namespace plmc {

/// The file of --resume: what a search has measured, written after each.
class BudgetState {
public:
  /// Reads the file if it is there. `subject` says what was measured: model,
  /// data, target; an error if the file is of another one, or is none.
  static llvm::Expected<std::unique_ptr<BudgetState>> open(llvm::StringRef path,
                                                           std::string subject);

  const Measurement *find(const std::string &key) const;
  llvm::Error add(const std::string &key, const Measurement &measurement);

private:
  std::string path, subject;
  std::map<std::string, Measurement> known;
};

nlohmann::ordered_json measurementToJson(const Measurement &measurement);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_BUDGETSTATE_H
