//===- ProgramEmitter.h - The function that runs a model --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_PROGRAMEMITTER_H
#define PLMC_LIB_CODEGEN_PROGRAMEMITTER_H

#include "WeightSection.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "plmc/CodeGen/TargetInfo.h"
#include "plmc/Dialect/PLM/DimExpr.h"

namespace plmc {

/// What the tables of the library say besides the code (ModelTables.cpp).
struct ProgramInfo {
  std::vector<std::string> symbols; // input dimension symbols
  struct IdCheck {
    int32_t input;
    int64_t limit;
  };
  std::vector<IdCheck> idChecks;
  /// Once each, however often an op is emitted.
  void addIdCheck(int32_t input, int64_t limit) {
    for (const IdCheck &check : idChecks)
      if (check.input == input && check.limit == limit)
        return;
    idChecks.push_back({input, limit});
  }
  std::vector<std::string> constraintMessages;
  std::vector<std::string> indexCheckMessages;
  int64_t numSlots = 0;
  /// An op of plm_gen_run, for plmc profile.
  struct Step {
    std::string op;     // "linear"
    std::string kernel; // the first one that it calls
    int64_t layer = -1; // -1: before or after the layers
    /// What its products are computed in, "" without products; multiplications
    /// and additions of them; bytes of operands and results. Attention is
    /// counted as if all sequences were as long as the longest.
    std::string precision;
    DimExpr flops, bytes;
  };
  std::vector<Step> steps;
};

/// True if the next op reads of this result only rows that its own thread has
/// written: then no barrier stands between the two, and what this op reads may
/// still be read by other threads while the next one writes.
bool continuesRows(mlir::Operation *op);

/// Emits, into a module of arith/scf/vector/llvm functions:
///   plm_gen_run(frame, thread, threads)
///   plm_gen_plan(dims, threads, slots) -> bytes
///   plm_gen_check(dims) -> i32
///   plm_gen_output_dims(dims, shapes)
/// and the kernels that they call. `module` has been through PlanArena.
mlir::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
emitProgram(mlir::ModuleOp module, const TargetInfo &target,
            WeightSection &weights, ProgramInfo &info);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_PROGRAMEMITTER_H
