//===- Repair.h - Fit a layer to what it gave -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_REPAIR_H
#define PLMC_CALIBRATION_REPAIR_H

#include "plmc/Calibration/LayerwiseFit.h"

namespace plmc {

/// Fits weight and bias to give what the layer gave in the original model;
/// nothing with a negative `ridge`.
llvm::Error repair(FitLayer &layer, double ridge, mlir::SymbolTable &symbols);

} // namespace plmc

#endif // PLMC_CALIBRATION_REPAIR_H
