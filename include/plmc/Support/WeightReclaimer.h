//===- WeightReclaimer.h - Frees weights of discarded modules ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_WEIGHTRECLAIMER_H
#define PLMC_SUPPORT_WEIGHTRECLAIMER_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringSet.h"

namespace plmc {

/// Weights are resources, which live as long as their context does, whatever
/// becomes of the modules. Who builds many modules in one context gives back
/// those that no module has any more.
class WeightReclaimer {
public:
  /// What there is now is never touched.
  explicit WeightReclaimer(mlir::MLIRContext *context);

  /// Frees all resources made since but those of `kept`. No other module may
  /// have any of them.
  void freeAllBut(llvm::ArrayRef<mlir::ModuleOp> kept);

private:
  mlir::MLIRContext *context;
  llvm::StringSet<> before;
};

} // namespace plmc

#endif // PLMC_SUPPORT_WEIGHTRECLAIMER_H
