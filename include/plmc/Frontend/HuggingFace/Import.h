//===- Import.h - Hugging Face folders to plm -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef PLMC_FRONTEND_HUGGINGFACE_IMPORT_H
#define PLMC_FRONTEND_HUGGINGFACE_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace plmc {

/// Builds the model of a folder with config.json and model.safetensors (or its
/// shards) as a module of plm operations: one function @forward over int64 ids
/// [batch, sequence], one plm.parameter a distinct weight. f32 weights stay in
/// the mapped files. With modules.json the folder is one of
/// sentence-transformers, and an output sentence_embedding is added. Errors are
/// ImportErrors (plmc/Frontend/ONNX/Import.h): one line with file, tensor or
/// setting, and remedy.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>>
importHuggingFace(llvm::StringRef folder, mlir::MLIRContext *context);

/// True for a folder, or the config.json in one: what importHuggingFace takes.
bool isHuggingFacePath(llvm::StringRef path);
/// The folder of such a path.
std::string huggingFaceFolder(llvm::StringRef path);

} // namespace plmc

#endif // PLMC_FRONTEND_HUGGINGFACE_IMPORT_H
