//===- Pruning.h - Structured pruning without gradients ------------*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRUNING_H
#define PLMC_PASSES_PRUNING_H

#include "mlir/Pass/Pass.h"

namespace plmc {

/// plm-prune-neurons, plm-prune-heads, plm-prune-width and plm-drop-layers,
/// with their options at their defaults.
std::unique_ptr<mlir::Pass> createPruneNeuronsPass();
std::unique_ptr<mlir::Pass> createPruneHeadsPass();
std::unique_ptr<mlir::Pass> createPruneWidthPass();
std::unique_ptr<mlir::Pass> createDropLayersPass();
void registerPruningPasses();

} // namespace plmc

#endif // PLMC_PASSES_PRUNING_H
