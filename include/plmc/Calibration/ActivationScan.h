//===- ActivationScan.h - Many values of a model, one by one ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_ACTIVATIONSCAN_H
#define PLMC_CALIBRATION_ACTIVATIONSCAN_H

#include "plmc/Calibration/StepwiseRun.h"

namespace plmc {

/// Computes values of the function on a calibration set and gives each to
/// `visit`, once, as [tokens, width] without padding. `values` are results of
/// its ops, in the order in which they are computed; few are held at a time.
/// `visit` may not change the function.
llvm::Error
scanActivations(mlir::func::FuncOp func, const CalibrationSet &set,
                llvm::ArrayRef<mlir::Value> values,
                llvm::function_ref<llvm::Error(mlir::Value, Matrix &)> visit);

} // namespace plmc

#endif // PLMC_CALIBRATION_ACTIVATIONSCAN_H
