//===- PLMDialect.cpp - The plm dialect -------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/DialectImplementation.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace plmc::plm;

#include "plmc/Dialect/PLM/PLMDialect.cpp.inc"
#include "plmc/Dialect/PLM/PLMEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "plmc/Dialect/PLM/PLMAttrs.cpp.inc"

void PLMDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "plmc/Dialect/PLM/PLMAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "plmc/Dialect/PLM/PLMOps.cpp.inc"
      >();
}

Operation *PLMDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                           Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}
