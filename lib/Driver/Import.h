//===- Import.h - A module from a file --------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_IMPORT_H
#define PLMC_LIB_DRIVER_IMPORT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace plmc {

/// A context with all of plmc's dialects loaded.
std::unique_ptr<mlir::MLIRContext> makeContext();

/// An ONNX file, or an .mlir file of a plm module, as it stands: nothing is
/// recognised. Errors are DriverErrors, BadInput or Unsupported.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
importModel(llvm::StringRef path, mlir::MLIRContext *context);

/// @forward; BadInput if there is none.
llvm::Expected<mlir::func::FuncOp> forwardFunction(mlir::ModuleOp module);

/// The name of an input or output: its plm.name, or else its number.
std::string inputName(mlir::func::FuncOp func, unsigned index);
std::string outputName(mlir::func::FuncOp func, unsigned index);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_IMPORT_H
