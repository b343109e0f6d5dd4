//===- Memory.h - What running a library takes ------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_MEMORY_H
#define PLMC_LIB_DRIVER_MEMORY_H

#include "ShapeInputs.h"

namespace plmc {

/// Bytes that a process has for a model in use: the library, which is mapped
/// and shared by all who run it, and what one context of one thread has
/// allocated after a run of the shape (intermediate values, outputs). Stack,
/// the caller's inputs and the C library are not in it.
llvm::Expected<int64_t> measureMemory(LoadedModel &model, Shape shape);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_MEMORY_H
