//===- WeightBreakdown.h - Where a model's bytes are ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_ANALYSIS_WEIGHTBREAKDOWN_H
#define PLMC_ANALYSIS_WEIGHTBREAKDOWN_H

#include "mlir/IR/BuiltinOps.h"
#include <cstdint>
#include <string>
#include <vector>

namespace plmc {

struct WeightComponent {
  std::string name;
  int64_t parameters = 0; // elements, of distinct parameters
  int64_t bytes = 0; // as a library stores them: 4-bit values are half a byte
};

/// Of a recognized module: "embeddings", "attention", "feed-forward", "norms"
/// and "other" (heads, and what was not recognised), in this order. A parameter
/// that several read counts once, where it is read first.
std::vector<WeightComponent> weightBreakdown(mlir::ModuleOp module);
int64_t totalBytes(const std::vector<WeightComponent> &components);

} // namespace plmc

#endif // PLMC_ANALYSIS_WEIGHTBREAKDOWN_H
