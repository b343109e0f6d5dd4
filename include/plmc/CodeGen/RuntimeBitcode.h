//===- RuntimeBitcode.h - The runtime, ready to link ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CODEGEN_RUNTIMEBITCODE_H
#define PLMC_CODEGEN_RUNTIMEBITCODE_H

#include "llvm/ADT/StringRef.h"

namespace plmc {

/// lib/Runtime as one LLVM module for x86-64 Linux: unoptimised, position
/// independent, hidden but for the functions of include/plm/model.h. It leaves
/// `plm_generated` to be defined and otherwise needs libc alone (and, for two
/// thread-local variables, the dynamic loader's __tls_get_addr).
///
/// Its functions carry target-cpu "x86-64" and must keep it: they run before
/// plm_open has checked the CPU. It has inline assembly, so code generation
/// needs the target's AsmParser. 4-byte aligned, not NUL-terminated.
llvm::StringRef getRuntimeBitcode();

} // namespace plmc

#endif // PLMC_CODEGEN_RUNTIMEBITCODE_H
