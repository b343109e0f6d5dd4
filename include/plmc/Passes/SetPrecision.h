//===- SetPrecision.h - Products below f32 ----------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_SETPRECISION_H
#define PLMC_PASSES_SETPRECISION_H

#include "mlir/Pass/Pass.h"
#include <memory>
#include <string>

namespace plmc {

/// `plm-set-precision`: precision "f32", "bf16", "int8", "int4", "int3" or
/// "int2"; `groupSize` rows share a scale below int8, all of them with 0.
/// Smaller weights than `minElements` are left alone. Tables of embeddings get
/// `tableBits`, 8, 4, 3 or 2; 0: as many as the weights, and at least 4.
std::unique_ptr<mlir::Pass> createSetPrecisionPass(llvm::StringRef precision,
                                                   int64_t groupSize = 128,
                                                   int64_t minElements = 4096,
                                                   int64_t tableBits = 0);

/// Registers plm-set-precision for plmc-opt.
void registerPrecisionPasses();

} // namespace plmc

#endif // PLMC_PASSES_SETPRECISION_H
