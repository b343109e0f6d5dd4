//===- PLKDialect.cpp - The kernel-level dialect ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/DialectImplementation.h"
#include "plmc/Dialect/PLK/PLK.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace plmc::plk;

#include "plmc/Dialect/PLK/PLKDialect.cpp.inc"

void PLKDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "plmc/Dialect/PLK/PLKOps.cpp.inc"
      >();
}
