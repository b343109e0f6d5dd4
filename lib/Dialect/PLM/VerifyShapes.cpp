//===- VerifyShapes.cpp - Shape checks shared by the verifiers --*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VerifyShapes.h"

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;

RankedTensorType verify::typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

std::string verify::shapeStr(ArrayRef<DimExpr> dims) {
  std::string text = "[";
  for (auto [index, dim] : llvm::enumerate(dims))
    text += (index ? ", " : "") + dim.str();
  return text + "]";
}

FailureOr<SmallVector<DimExpr>> verify::dimsOf(Operation *op, Value value,
                                               StringRef name) {
  RankedTensorType type = typeOf(value);
  auto encoding = dyn_cast_if_present<DimsAttr>(type.getEncoding());
  if (!type.hasStaticShape() &&
      (!encoding || encoding.getExprs().size() != size_t(type.getRank())))
    return op->emitOpError() << name << " has type " << type
                             << ": dynamic dimensions need a #plm.dims "
                                "encoding with one expression a dimension";
  SmallVector<DimExpr> dims = getDims(type);
  if (encoding)
    for (auto [dim, text] : llvm::zip(dims, encoding.getExprs())) {
      // One spelling an expression: types are compared as they are written.
      if (text.getValue() != dim.str())
        return op->emitOpError()
               << name << " has type " << type << ": \"" << text.getValue()
               << "\" is not the dimension's canonical expression";
    }
  return dims;
}

LogicalResult verify::expectDims(Operation *op, ArrayRef<DimExpr> actual,
                                 ArrayRef<DimExpr> expected, StringRef name) {
  if (actual == expected)
    return success();
  return op->emitOpError() << name << " has shape " << shapeStr(actual)
                           << ", expected " << shapeStr(expected);
}

FailureOr<SmallVector<DimExpr>>
verify::broadcast(Operation *op, ArrayRef<DimExpr> a, ArrayRef<DimExpr> b) {
  SmallVector<DimExpr> result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) {
    DimExpr left = i < a.size() ? a[a.size() - 1 - i] : DimExpr(1);
    DimExpr right = i < b.size() ? b[b.size() - 1 - i] : DimExpr(1);
    if (left != right && !left.isConstant(1) && !right.isConstant(1))
      return op->emitOpError() << "operands of shapes " << shapeStr(a)
                               << " and " << shapeStr(b) << " do not broadcast";
    result[result.size() - 1 - i] = left.isConstant(1) ? right : left;
  }
  return result;
}

LogicalResult verify::expectElement(Operation *op, Type actual, Type expected,
                                    StringRef name) {
  if (actual == expected)
    return success();
  return op->emitOpError() << name << " has element type " << actual
                           << ", expected " << expected;
}

LogicalResult verify::sameShapeAndType(Operation *op, Value input,
                                       Value result) {
  if (input.getType() == result.getType())
    return success();
  return op->emitOpError() << "result has type " << result.getType()
                           << ", expected the input's " << input.getType();
}

LogicalResult verify::checkAxis(Operation *op, int64_t axis, size_t rank) {
  if (axis >= 0 && axis < int64_t(rank))
    return success();
  return op->emitOpError() << "axis " << axis << " is outside a tensor of rank "
                           << rank;
}

DimExpr verify::product(ArrayRef<DimExpr> dims) {
  DimExpr result(1);
  for (const DimExpr &dim : dims)
    result = result * dim;
  return result;
}

LogicalResult verify::checkFloat(Operation *op, Value value, StringRef name) {
  if (isa<FloatType>(typeOf(value).getElementType()))
    return success();
  return op->emitOpError() << name << " has element type "
                           << typeOf(value).getElementType()
                           << ", expected a float type";
}

LogicalResult verify::checkInteger(Operation *op, Value value, StringRef name) {
  if (isa<IntegerType>(typeOf(value).getElementType()))
    return success();
  return op->emitOpError() << name << " has element type "
                           << typeOf(value).getElementType()
                           << ", expected an integer type";
}
