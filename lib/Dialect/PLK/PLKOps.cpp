//===- PLKOps.cpp - Operations of the kernel-level dialect ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Dialect/PLK/PLK.h"

using namespace mlir;
using namespace plmc::plk;

#define GET_OP_CLASSES
#include "plmc/Dialect/PLK/PLKOps.cpp.inc"
