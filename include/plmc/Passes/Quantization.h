//===- Quantization.h - Calibrated quantization -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_QUANTIZATION_H
#define PLMC_PASSES_QUANTIZATION_H

#include "mlir/Pass/Pass.h"

namespace plmc {

/// plm-quantize-weights, with its options at their defaults.
std::unique_ptr<mlir::Pass> createQuantizeWeightsPass();
/// plm-smooth-activations and plm-static-activations, likewise.
std::unique_ptr<mlir::Pass> createSmoothActivationsPass();
std::unique_ptr<mlir::Pass> createStaticActivationsPass();
void registerQuantizationPasses();

} // namespace plmc

#endif // PLMC_PASSES_QUANTIZATION_H
