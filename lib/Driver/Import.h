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
#include "plmc/Inputs/Names.h"
#include "llvm/Support/Error.h"

namespace plmc {

/// A context with all of plmc's dialects loaded.
std::unique_ptr<mlir::MLIRContext> makeContext();

/// BadInput unless the path is a file to read, or a folder for
/// importHuggingFace.
llvm::Error checkModelPath(llvm::StringRef path);

/// Bytes of the model's files: the folder's, or the file's and its .data's.
uint64_t modelBytes(llvm::StringRef path);

/// An ONNX file, a Hugging Face folder, or an .mlir file of a plm module, as it
/// stands: nothing is recognised. Errors are DriverErrors, BadInput or
/// Unsupported.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
importModel(llvm::StringRef path, mlir::MLIRContext *context);

/// @forward; BadInput if there is none.
llvm::Expected<mlir::func::FuncOp> forwardFunction(mlir::ModuleOp module);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_IMPORT_H
