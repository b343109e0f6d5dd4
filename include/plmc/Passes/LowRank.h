//===- LowRank.h - Linear layers of low rank --------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_LOWRANK_H
#define PLMC_PASSES_LOWRANK_H

#include "mlir/Pass/Pass.h"

namespace plmc {

/// plm-factorize-linear, with its options at their defaults.
std::unique_ptr<mlir::Pass> createFactorizeLinearPass();
void registerLowRankPasses();

} // namespace plmc

#endif // PLMC_PASSES_LOWRANK_H
