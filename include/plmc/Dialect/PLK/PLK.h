//===- PLK.h - The kernel-level dialect -------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DIALECT_PLK_PLK_H
#define PLMC_DIALECT_PLK_PLK_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "plmc/Dialect/PLK/PLKDialect.h.inc"
#include "plmc/Dialect/PLM/PLM.h"
#define GET_OP_CLASSES
#include "plmc/Dialect/PLK/PLKOps.h.inc"

#endif // PLMC_DIALECT_PLK_PLK_H
