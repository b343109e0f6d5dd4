//===- Segment.h - Some ops of a function as a library ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CALIBRATION_SEGMENT_H
#define PLMC_LIB_CALIBRATION_SEGMENT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Execution/LoadedModel.h"

namespace plmc {

/// Compiles the module for this machine, and loads it. The module is lowered.
llvm::Expected<std::unique_ptr<LoadedModel>>
compileForHost(mlir::ModuleOp module);

/// A module whose @forward takes `inputs`, does `ops` (in order, of one
/// function) and returns `outputs`. Parameters come along as they are.
mlir::OwningOpRef<mlir::ModuleOp>
extractSegment(mlir::func::FuncOp func, llvm::ArrayRef<mlir::Operation *> ops,
               llvm::ArrayRef<mlir::Value> inputs,
               llvm::ArrayRef<mlir::Value> outputs);

} // namespace plmc

#endif // PLMC_LIB_CALIBRATION_SEGMENT_H
