//===- TensorOps.cpp - Verifiers and folders of tensor ops ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VerifyShapes.h"
#include <set>

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::plm::verify;

LogicalResult UnaryOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(result, getResult(), "result");
  bool predicate =
      getKind() == UnaryKind::IsNaN || getKind() == UnaryKind::IsInf;
  Type expected = predicate ? IntegerType::get(getContext(), 1)
                            : typeOf(getInput()).getElementType();
  if (failed(expectElement(*this, typeOf(getResult()).getElementType(),
                           expected, "result")))
    return failure();
  return expectDims(*this, result, input, "result");
}

LogicalResult BinaryOp::verify() {
  DIMS(lhs, getLhs(), "lhs");
  DIMS(rhs, getRhs(), "rhs");
  DIMS(result, getResult(), "result");
  Type element = typeOf(getLhs()).getElementType();
  if (failed(expectElement(*this, typeOf(getRhs()).getElementType(), element,
                           "rhs")))
    return failure();
  if (getKind() >= BinaryKind::Eq)
    element = IntegerType::get(getContext(), 1);
  if (failed(expectElement(*this, typeOf(getResult()).getElementType(), element,
                           "result")))
    return failure();
  auto expected = broadcast(*this, lhs, rhs);
  if (failed(expected))
    return failure();
  return expectDims(*this, result, *expected, "result");
}

LogicalResult SelectOp::verify() {
  DIMS(condition, getCondition(), "condition");
  DIMS(onTrue, getOnTrue(), "on_true");
  DIMS(onFalse, getOnFalse(), "on_false");
  DIMS(result, getResult(), "result");
  if (!typeOf(getCondition()).getElementType().isInteger(1))
    return emitOpError("condition must have element type i1");
  Type element = typeOf(getOnTrue()).getElementType();
  if (failed(expectElement(*this, typeOf(getOnFalse()).getElementType(),
                           element, "on_false")) ||
      failed(expectElement(*this, typeOf(getResult()).getElementType(), element,
                           "result")))
    return failure();
  auto values = broadcast(*this, onTrue, onFalse);
  if (failed(values))
    return failure();
  auto expected = broadcast(*this, condition, *values);
  if (failed(expected))
    return failure();
  return expectDims(*this, result, *expected, "result");
}

LogicalResult CastOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(result, getResult(), "result");
  return expectDims(*this, result, input, "result");
}

OpFoldResult CastOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput())
                                           : OpFoldResult();
}

LogicalResult MatmulOp::verify() {
  DIMS(lhs, getLhs(), "lhs");
  DIMS(rhs, getRhs(), "rhs");
  DIMS(result, getResult(), "result");
  if (lhs.size() < 2 || rhs.size() < 2)
    return emitOpError("operands must have rank 2 or more");
  if (lhs.back() != rhs[rhs.size() - 2])
    return emitOpError() << "lhs " << shapeStr(lhs) << " and rhs "
                         << shapeStr(rhs) << " disagree on the inner dimension";
  auto batch = broadcast(*this, ArrayRef<DimExpr>(lhs).drop_back(2),
                         ArrayRef<DimExpr>(rhs).drop_back(2));
  if (failed(batch))
    return failure();
  batch->push_back(lhs[lhs.size() - 2]);
  batch->push_back(rhs.back());
  Type element = typeOf(getLhs()).getElementType();
  if (failed(expectElement(*this, typeOf(getRhs()).getElementType(), element,
                           "rhs")))
    return failure();
  return expectDims(*this, result, *batch, "result");
}

LogicalResult TransposeOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(result, getResult(), "result");
  SmallVector<DimExpr> expected;
  std::set<int64_t> seen;
  for (int64_t axis : getPermutation()) {
    if (failed(checkAxis(*this, axis, input.size())))
      return failure();
    seen.insert(axis);
    expected.push_back(input[axis]);
  }
  if (seen.size() != input.size() || expected.size() != input.size())
    return emitOpError() << "permutation is not one of " << input.size()
                         << " dimensions";
  return expectDims(*this, result, expected, "result");
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  for (auto [index, axis] : llvm::enumerate(getPermutation()))
    if (axis != int64_t(index))
      return {};
  return getInput();
}

LogicalResult ReshapeOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(result, getResult(), "result");
  if (failed(expectElement(*this, typeOf(getResult()).getElementType(),
                           typeOf(getInput()).getElementType(), "result")))
    return failure();
  if (product(input) != product(result))
    return emitOpError() << "input of shape " << shapeStr(input)
                         << " and result of shape " << shapeStr(result)
                         << " do not have equally many elements";
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor) {
  if (getInput().getType() == getType())
    return getInput();
  // reshape(reshape(x)) = reshape(x)
  if (auto inner = getInput().getDefiningOp<ReshapeOp>()) {
    getInputMutable().assign(inner.getInput());
    return getResult();
  }
  return {};
}

LogicalResult BroadcastOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(result, getResult(), "result");
  auto expected = broadcast(*this, input, result);
  if (failed(expected))
    return failure();
  return expectDims(*this, result, *expected, "result");
}

OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? OpFoldResult(getInput())
                                           : OpFoldResult();
}

LogicalResult ConcatOp::verify() {
  DIMS(result, getResult(), "result");
  if (getInputs().empty())
    return emitOpError("needs at least one input");
  if (failed(checkAxis(*this, getAxis(), result.size())))
    return failure();
  DimExpr total;
  for (Value value : getInputs()) {
    DIMS(input, value, "input");
    if (input.size() != result.size())
      return emitOpError() << "input of shape " << shapeStr(input)
                           << " does not have the result's rank";
    total = total + input[getAxis()];
    input[getAxis()] = result[getAxis()];
    if (failed(expectDims(*this, input, result, "input (off the axis)")))
      return failure();
  }
  if (total != result[getAxis()])
    return emitOpError() << "inputs add up to " << total.str()
                         << " along the axis, the result has "
                         << result[getAxis()].str();
  return success();
}

LogicalResult SliceOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(result, getResult(), "result");
  if (input.size() != result.size() || getStarts().size() != input.size() ||
      getSteps().size() != input.size())
    return emitOpError() << "input, result, starts and steps must have one "
                            "entry a dimension, the input has rank "
                         << input.size();
  for (auto [index, step] : llvm::enumerate(getSteps())) {
    auto start =
        DimExpr::parse(cast<StringAttr>(getStarts()[index]).getValue());
    if (!start)
      return emitOpError() << getStarts()[index]
                           << " is not a dimension expression";
    if (!step)
      return emitOpError("a step must not be 0");
    // What is constant can be checked here; import adds constraints for the
    // rest.
    std::optional<int64_t> from = start->constant();
    std::optional<int64_t> extent = input[index].constant();
    std::optional<int64_t> size = result[index].constant();
    if (from && *from < 0)
      return emitOpError() << "start " << *from << " is negative";
    if (from && extent && size && *size > 0) {
      __int128 last = __int128(*from) + __int128(*size - 1) * step;
      if (*from >= *extent || last < 0 || last >= *extent)
        return emitOpError() << "window leaves dimension " << index
                             << " of the input " << shapeStr(input);
    }
  }
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  if (getInput().getType() != getType())
    return {};
  for (Attribute start : getStarts())
    if (cast<StringAttr>(start).getValue() != "0")
      return {};
  if (llvm::any_of(getSteps(), [](int64_t step) { return step != 1; }))
    return {};
  return getInput();
}

LogicalResult GatherOp::verify() {
  DIMS(data, getData(), "data");
  DIMS(indices, getIndices(), "indices");
  DIMS(result, getResult(), "result");
  if (failed(checkAxis(*this, getAxis(), data.size())) ||
      failed(checkInteger(*this, getIndices(), "indices")))
    return failure();
  SmallVector<DimExpr> expected(data.begin(), data.begin() + getAxis());
  expected.append(indices);
  expected.append(data.begin() + getAxis() + 1, data.end());
  return expectDims(*this, result, expected, "result");
}

LogicalResult GatherElementsOp::verify() {
  DIMS(data, getData(), "data");
  DIMS(indices, getIndices(), "indices");
  DIMS(result, getResult(), "result");
  if (failed(checkAxis(*this, getAxis(), data.size())) ||
      failed(checkInteger(*this, getIndices(), "indices")))
    return failure();
  if (data.size() != indices.size())
    return emitOpError("data and indices must have the same rank");
  return expectDims(*this, result, indices, "result");
}

LogicalResult GatherNDOp::verify() {
  DIMS(data, getData(), "data");
  DIMS(indices, getIndices(), "indices");
  DIMS(result, getResult(), "result");
  if (failed(checkInteger(*this, getIndices(), "indices")))
    return failure();
  int64_t batchDims = getBatchDims();
  std::optional<int64_t> tuple =
      indices.empty() ? std::nullopt : indices.back().constant();
  if (batchDims < 0 || batchDims >= int64_t(indices.size()) || !tuple ||
      *tuple < 1 || batchDims + *tuple > int64_t(data.size()))
    return emitOpError() << "indices of shape " << shapeStr(indices)
                         << " do not address data of shape " << shapeStr(data);
  SmallVector<DimExpr> expected(indices.begin(), indices.end() - 1);
  expected.append(data.begin() + batchDims + *tuple, data.end());
  return expectDims(*this, result, expected, "result");
}

LogicalResult ReduceOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(result, getResult(), "result");
  SmallVector<DimExpr> expected;
  ArrayRef<int64_t> axes = getAxes();
  for (size_t i = 0; i < axes.size(); ++i) {
    if (failed(checkAxis(*this, axes[i], input.size())))
      return failure();
    if (i && axes[i] <= axes[i - 1])
      return emitOpError("axes must be ascending");
  }
  for (auto [index, dim] : llvm::enumerate(input)) {
    if (!llvm::is_contained(axes, int64_t(index)))
      expected.push_back(dim);
    else if (getKeepdims())
      expected.push_back(DimExpr(1));
  }
  return expectDims(*this, result, expected, "result");
}

LogicalResult SoftmaxOp::verify() {
  DIMS(input, getInput(), "input");
  if (failed(checkAxis(*this, getAxis(), input.size())) ||
      failed(checkFloat(*this, getInput(), "input")))
    return failure();
  return sameShapeAndType(*this, getInput(), getResult());
}

LogicalResult IotaOp::verify() {
  DIMS(result, getResult(), "result");
  if (result.size() != 1)
    return emitOpError("result must have rank 1");
  if (!DimExpr::parse(getStart()))
    return emitOpError() << "\"" << getStart()
                         << "\" is not a dimension expression";
  return success();
}

LogicalResult CumSumOp::verify() {
  DIMS(input, getInput(), "input");
  if (failed(checkAxis(*this, getAxis(), input.size())))
    return failure();
  return sameShapeAndType(*this, getInput(), getResult());
}
