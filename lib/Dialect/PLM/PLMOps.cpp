//===- PLMOps.cpp - Parameters, constants and shapes ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VerifyShapes.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::plm::verify;

#define GET_OP_CLASSES
#include "plmc/Dialect/PLM/PLMOps.cpp.inc"

RankedTensorType ParameterOp::getTensorType() {
  return cast<RankedTensorType>(getValue().getShapedType());
}

std::optional<ArrayRef<char>> ParameterOp::getBytes() {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(getValue())) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return std::nullopt;
    return blob->getData();
  }
  if (auto dense = dyn_cast<DenseElementsAttr>(getValue()))
    if (!dense.isSplat() || dense.getNumElements() == 1)
      if (dense.getElementType().getIntOrFloatBitWidth() >= 8)
        return dense.getRawData();
  return std::nullopt;
}

LogicalResult ParameterOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getValue().getShapedType());
  if (!type || !type.hasStaticShape())
    return emitOpError("value must be a ranked tensor of static shape");
  return success();
}

LogicalResult
GetParameterOp::verifySymbolUses(SymbolTableCollection &symbolTable) {
  auto parameter = symbolTable.lookupNearestSymbolFrom<ParameterOp>(
      *this, getParameterAttr());
  if (!parameter)
    return emitOpError() << "there is no plm.parameter @" << getParameter();
  if (parameter.getTensorType() != getType())
    return emitOpError() << "result has type " << getType() << ", but @"
                         << getParameter() << " has type "
                         << parameter.getTensorType();
  return success();
}

LogicalResult ConstantOp::verify() {
  if (getValue().getShapedType() != getType())
    return emitOpError() << "result has type " << getType()
                         << ", but the value has type "
                         << getValue().getShapedType();
  return success();
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult ShapeValueOp::verify() {
  RankedTensorType type = getType();
  if (!type.hasStaticShape() || type.getRank() > 1 ||
      type.getNumElements() != int64_t(getExprs().size()))
    return emitOpError() << "result has type " << type
                         << ", expected rank 0 or 1 with " << getExprs().size()
                         << " elements";
  for (Attribute expr : getExprs())
    if (!DimExpr::parse(cast<StringAttr>(expr).getValue()))
      return emitOpError() << expr << " is not a dimension expression";
  return success();
}

LogicalResult ConstraintOp::verify() {
  if (!DimExpr::parse(getExpr()))
    return emitOpError() << "\"" << getExpr()
                         << "\" is not a dimension expression";
  return success();
}
