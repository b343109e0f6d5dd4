//===- LayerSharing.h - One set of weights for many layers ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_LAYERSHARING_H
#define PLMC_PASSES_LAYERSHARING_H

#include "mlir/Pass/Pass.h"

namespace plmc {

/// plm-share-layers, with its options at their defaults.
std::unique_ptr<mlir::Pass> createShareLayersPass();
void registerLayerSharingPasses();

} // namespace plmc

#endif // PLMC_PASSES_LAYERSHARING_H
