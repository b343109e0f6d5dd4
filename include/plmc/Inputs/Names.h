//===- Names.h - Names of a model's inputs and outputs ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_INPUTS_NAMES_H
#define PLMC_INPUTS_NAMES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <string>

namespace plmc {

/// The name of an input or output: its plm.name, or else its number.
std::string inputName(mlir::func::FuncOp func, unsigned index);
std::string outputName(mlir::func::FuncOp func, unsigned index);

} // namespace plmc

#endif // PLMC_INPUTS_NAMES_H
