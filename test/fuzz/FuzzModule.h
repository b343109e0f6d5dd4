//===- FuzzModule.h - What fuzzers do with a module -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_FUZZ_FUZZMODULE_H
#define PLMC_TEST_FUZZ_FUZZMODULE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"

namespace plmc::fuzz {

/// A context with what an import needs, single-threaded.
std::unique_ptr<mlir::MLIRContext> makeContext();

/// Recognises and summarises a module as `plmc inspect` does, and interprets it
/// before and after if that takes few operations. Aborts when a pass leaves
/// invalid IR.
void exercise(mlir::ModuleOp module);

/// The error's message must be one printable line of bounded length.
void checkMessage(llvm::Error error);

} // namespace plmc::fuzz

#endif // PLMC_TEST_FUZZ_FUZZMODULE_H
