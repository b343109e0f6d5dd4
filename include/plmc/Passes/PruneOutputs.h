//===- PruneOutputs.h - Keep only the wanted outputs -------------*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRUNEOUTPUTS_H
#define PLMC_PASSES_PRUNEOUTPUTS_H

#include "mlir/Pass/Pass.h"
#include "llvm/ADT/ArrayRef.h"
#include <memory>
#include <string>

namespace plmc {

/// `plm-prune-outputs`: keeps the named outputs, in the model's order, and
/// erases what only the others need. No names: keeps everything.
std::unique_ptr<mlir::Pass>
createPruneOutputsPass(llvm::ArrayRef<std::string> outputs = {});

/// Registers plm-prune-outputs for plmc-opt.
void registerPrunePasses();

} // namespace plmc

#endif // PLMC_PASSES_PRUNEOUTPUTS_H
