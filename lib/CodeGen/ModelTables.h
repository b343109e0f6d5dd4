//===- ModelTables.h - What a library says about itself ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_MODELTABLES_H
#define PLMC_LIB_CODEGEN_MODELTABLES_H

#include "ProgramEmitter.h"
#include "plmc/CodeGen/Compile.h"
#include "llvm/IR/Module.h"
#include <optional>

namespace plmc {

/// The JSON of plm_describe; docs/abi.md has the schema.
/// "x86-64-v3 (znver3)", or of several "x86-64-v2 to x86-64-v4".
std::string cpuNames(llvm::ArrayRef<TargetInfo> targets);

llvm::Expected<std::string> describeModel(mlir::ModuleOp module,
                                          llvm::ArrayRef<TargetInfo> targets,
                                          const CompileOptions &options,
                                          const ProgramInfo &info,
                                          int64_t weightBytes);

/// Adds the constant `plm_generated` (struct plm_gen_model) and what it points
/// to. The tokenizer image lies among the weights.
void addModelTables(llvm::Module &llvmModule, mlir::ModuleOp module,
                    llvm::ArrayRef<TargetInfo> targets, const ProgramInfo &info,
                    llvm::StringRef description,
                    std::optional<int64_t> tokenizerOffset,
                    int64_t tokenizerBytes);

/// The input that takes token ids, by its name; as lib/Runtime/RunText.c has
/// it.
bool isTokenInput(mlir::func::FuncOp func, unsigned index);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_MODELTABLES_H
