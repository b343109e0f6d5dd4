//===- NativeCode.h - Kernel module to machine code -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_NATIVECODE_H
#define PLMC_LIB_CODEGEN_NATIVECODE_H

#include "mlir/IR/BuiltinOps.h"
#include "plmc/CodeGen/TargetInfo.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/Error.h"

namespace plmc {

/// arith/scf/vector/math/llvm functions to an LLVM module: plm_gen_* external,
/// all else internal, with the target's CPU and features on every function.
llvm::Expected<std::unique_ptr<llvm::Module>>
translateKernels(mlir::ModuleOp module, llvm::LLVMContext &context,
                 const TargetInfo &target);

/// Links the runtime in, optimises, and writes an object file. Returns the
/// names of the symbols that it leaves undefined, plm_weights apart.
/// One module with the code of all targets, the best first. The functions that
/// only look at dimensions are those of the last, which run on any CPU; run and
/// mask of target i are called plm_gen_run.i and plm_gen_mask.i.
llvm::Expected<std::unique_ptr<llvm::Module>>
linkVariants(std::vector<std::unique_ptr<llvm::Module>> modules);

llvm::Expected<std::vector<std::string>>
emitObject(std::unique_ptr<llvm::Module> module, const TargetInfo &target,
           llvm::StringRef path, bool textInput = true);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_NATIVECODE_H
