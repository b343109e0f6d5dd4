//===- RunSteps.h - The steps of a recipe, one by one -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_RUNSTEPS_H
#define PLMC_LIB_DRIVER_RUNSTEPS_H

#include "Pipeline.h"
#include "plmc/Support/Counters.h"

namespace plmc {

/// Recognizes the module, then runs each step by itself, so that it is known
/// what each of them did. Before the first step `measure` is called with null,
/// after each step with its report. An error of a step says where the step was
/// asked for.
llvm::Error runSteps(mlir::ModuleOp module, const Recipe &recipe,
                     PassRunner &passes, const CounterSink &counters,
                     std::vector<StepReport> &reports,
                     llvm::function_ref<llvm::Error(StepReport *)> measure);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_RUNSTEPS_H
