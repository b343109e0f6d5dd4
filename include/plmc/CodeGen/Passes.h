//===- Passes.h - From plm to the kernel level ------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CODEGEN_PASSES_H
#define PLMC_CODEGEN_PASSES_H

#include "mlir/Pass/Pass.h"
#include "plmc/Dialect/PLK/PLK.h"

namespace plmc {
#define GEN_PASS_DECL
#include "plmc/CodeGen/Passes.h.inc"
#define GEN_PASS_REGISTRATION
#include "plmc/CodeGen/Passes.h.inc"

/// Names of the module attributes that the passes leave for the emitter.
namespace attrs {
constexpr llvm::StringLiteral packMode = "plk.pack_mode";   // i32, PLM_PACK_*
constexpr llvm::StringLiteral maskInput = "plk.mask_input"; // i32, -1: none
constexpr llvm::StringLiteral batch = "plk.batch";          // dimension expr
constexpr llvm::StringLiteral sequence = "plk.sequence";
constexpr llvm::StringLiteral slots = "plk.slots"; // [[size expr, ...], ...]
constexpr llvm::StringLiteral slot = "plk.slot";   // on an op: i32
constexpr llvm::StringLiteral scratchSlot = "plk.scratch_slot"; // i32
constexpr llvm::StringLiteral output = "plk.output";            // on an op: i32
constexpr llvm::StringLiteral paddingZero = "plm.padding_zero"; // on a result
} // namespace attrs

/// Dimension symbols that only exist at run time: packed rows of the batch and
/// ('.' is not in them... see DimExpr), so it is spelled with two underscores.
constexpr llvm::StringLiteral tokensSymbol = "plk__tokens";
constexpr llvm::StringLiteral threadsSymbol = "plk__threads"; // arena only
constexpr llvm::StringLiteral maxRowsSymbol = "plk__max_rows";

} // namespace plmc

#endif // PLMC_CODEGEN_PASSES_H
