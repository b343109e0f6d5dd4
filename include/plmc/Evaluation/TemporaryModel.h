//===- TemporaryModel.h - A module, compiled and loaded ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EVALUATION_TEMPORARYMODEL_H
#define PLMC_EVALUATION_TEMPORARYMODEL_H

#include "mlir/IR/BuiltinOps.h"
#include "plmc/Execution/LoadedModel.h"

namespace plmc {

/// Compiles a copy of a recognized plm module for this machine and loads it; no
/// file is left. An error where it cannot be compiled.
llvm::Expected<std::unique_ptr<LoadedModel>>
compileTemporary(mlir::ModuleOp module);

} // namespace plmc

#endif // PLMC_EVALUATION_TEMPORARYMODEL_H
