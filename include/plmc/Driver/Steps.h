//===- Steps.h - plmc steps -------------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_STEPS_H
#define PLMC_DRIVER_STEPS_H

#include "plmc/Driver/Error.h"

namespace plmc {

/// plmc steps: the steps of recipes with their options, and what this build
/// does not have.
llvm::Error listSteps(bool json, llvm::raw_ostream &out);

} // namespace plmc

#endif // PLMC_DRIVER_STEPS_H
