//===- Import.h - ONNX files to plm -----------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_IMPORT_H
#define PLMC_FRONTEND_ONNX_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace plmc {

/// Why a model was refused; decides the exit code of plmc.
class ImportError : public llvm::ErrorInfo<ImportError> {
public:
  enum class Kind { BadModel, Unsupported };
  static char ID;
  ImportError(Kind kind, std::string message)
      : kind(kind), message(std::move(message)) {}
  void log(llvm::raw_ostream &os) const override { os << message; }
  std::error_code convertToErrorCode() const override {
    return llvm::inconvertibleErrorCode();
  }
  Kind getKind() const { return kind; }

private:
  Kind kind;
  std::string message;
};

/// Reads an ONNX model into a module of plm tensor operations: one function
/// @forward and one plm.parameter a distinct weight. Weights stay in the
/// mapped file. Shape arithmetic is folded; nothing is recognised yet. Errors
/// are ImportErrors: one line with file, node and remedy.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
importONNX(llvm::StringRef path, mlir::MLIRContext *context);

} // namespace plmc

#endif // PLMC_FRONTEND_ONNX_IMPORT_H
