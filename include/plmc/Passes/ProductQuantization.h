//===- ProductQuantization.h - Product-quantized word tables ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRODUCTQUANTIZATION_H
#define PLMC_PASSES_PRODUCTQUANTIZATION_H

#include "mlir/Pass/Pass.h"
#include <memory>
#include <string>

namespace plmc {

/// The main options of plm-product-quantize.
struct ProductQuantizationSettings {
  int64_t subVector = 4;
  int64_t codebookBits = 8;            // or 32
  std::string weighting = "frequency"; // or "none"
  std::string calibration;             // an .npz
  uint64_t seed = 0;
};

/// The word table becomes codes, a byte for each sub-vector of a row.
std::unique_ptr<mlir::Pass>
createProductQuantizationPass(const ProductQuantizationSettings &settings = {});

/// Registers plm-product-quantize for plmc-opt.
void registerProductQuantizationPasses();

} // namespace plmc

#endif // PLMC_PASSES_PRODUCTQUANTIZATION_H
