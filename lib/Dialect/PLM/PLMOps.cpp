//===- PLMOps.cpp - Verifiers of the plm dialect ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include <set>

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;

#define GET_OP_CLASSES
#include "plmc/Dialect/PLM/PLMOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Helpers: every message names the operand and both shapes
//===----------------------------------------------------------------------===//

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static std::string shapeStr(ArrayRef<DimExpr> dims) {
  std::string text = "[";
  for (auto [index, dim] : llvm::enumerate(dims))
    text += (index ? ", " : "") + dim.str();
  return text + "]";
}

/// The dims of a value; fails when a dynamic one has no expression.
static FailureOr<SmallVector<DimExpr>> dimsOf(Operation *op, Value value,
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
      auto expr = DimExpr::parse(text.getValue());
      if (!expr || *expr != dim)
        return op->emitOpError() << name << " has type " << type << ": \""
                                 << text.getValue()
                                 << "\" is not the dimension's expression";
    }
  return dims;
}

static LogicalResult expectDims(Operation *op, ArrayRef<DimExpr> actual,
                                ArrayRef<DimExpr> expected, StringRef name) {
  if (actual == expected)
    return success();
  return op->emitOpError() << name << " has shape " << shapeStr(actual)
                           << ", expected " << shapeStr(expected);
}

#define DIMS(variable, value, name)                                            \
  auto variable##OrFailure = dimsOf(*this, value, name);                       \
  if (failed(variable##OrFailure))                                             \
    return failure();                                                          \
  SmallVector<DimExpr> variable = *variable##OrFailure

/// Numpy broadcasting; symbolic dimensions are equal when their expressions
/// are, and a 1 broadcasts against anything.
static FailureOr<SmallVector<DimExpr>> broadcast(Operation *op,
                                                 ArrayRef<DimExpr> a,
                                                 ArrayRef<DimExpr> b) {
  SmallVector<DimExpr> result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) {
    DimExpr left = i < a.size() ? a[a.size() - 1 - i] : DimExpr(1);
    DimExpr right = i < b.size() ? b[b.size() - 1 - i] : DimExpr(1);
    if (left != right && !left.isConstant(1) && !right.isConstant(1))
      return op->emitOpError() << "operands of shapes " << shapeStr(a)
                               << " and " << shapeStr(b)
                               << " do not broadcast";
    result[result.size() - 1 - i] = left.isConstant(1) ? right : left;
  }
  return result;
}

static LogicalResult expectElement(Operation *op, Type actual, Type expected,
                                   StringRef name) {
  if (actual == expected)
    return success();
  return op->emitOpError() << name << " has element type " << actual
                           << ", expected " << expected;
}

static LogicalResult sameShapeAndType(Operation *op, Value input, Value result) {
  if (input.getType() == result.getType())
    return success();
  return op->emitOpError() << "result has type " << result.getType()
                           << ", expected the input's " << input.getType();
}

static LogicalResult checkAxis(Operation *op, int64_t axis, size_t rank) {
  if (axis >= 0 && axis < int64_t(rank))
    return success();
  return op->emitOpError() << "axis " << axis << " is outside a tensor of rank "
                           << rank;
}

static DimExpr product(ArrayRef<DimExpr> dims) {
  DimExpr result(1);
  for (const DimExpr &dim : dims)
    result = result * dim;
  return result;
}

static LogicalResult checkFloat(Operation *op, Value value, StringRef name) {
  if (isa<FloatType>(typeOf(value).getElementType()))
    return success();
  return op->emitOpError() << name << " has element type "
                           << typeOf(value).getElementType()
                           << ", expected a float type";
}

static LogicalResult checkInteger(Operation *op, Value value, StringRef name) {
  if (isa<IntegerType>(typeOf(value).getElementType()))
    return success();
  return op->emitOpError() << name << " has element type "
                           << typeOf(value).getElementType()
                           << ", expected an integer type";
}

//===----------------------------------------------------------------------===//
// Parameters, constants, shapes
//===----------------------------------------------------------------------===//

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
    return emitOpError() << "result has type " << getType()
                         << ", but @" << getParameter() << " has type "
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
                         << ", expected rank 0 or 1 with "
                         << getExprs().size() << " elements";
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

//===----------------------------------------------------------------------===//
// Tensor operations
//===----------------------------------------------------------------------===//

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
  if (failed(expectElement(*this, typeOf(getResult()).getElementType(),
                           element, "result")))
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
      failed(expectElement(*this, typeOf(getResult()).getElementType(),
                           element, "result")))
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
    auto start = DimExpr::parse(cast<StringAttr>(getStarts()[index]).getValue());
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

//===----------------------------------------------------------------------===//
// Transformer operations
//===----------------------------------------------------------------------===//

LogicalResult EmbeddingOp::verify() {
  DIMS(ids, getIds(), "ids");
  DIMS(table, getTable(), "table");
  DIMS(result, getResult(), "result");
  if (table.size() != 2)
    return emitOpError() << "table has shape " << shapeStr(table)
                         << ", expected [rows, width]";
  if (failed(checkInteger(*this, getIds(), "ids")))
    return failure();
  ids.push_back(table[1]);
  return expectDims(*this, result, ids, "result");
}

LogicalResult PositionEmbeddingOp::verify() {
  DIMS(table, getTable(), "table");
  DIMS(result, getResult(), "result");
  if (table.size() != 2)
    return emitOpError() << "table has shape " << shapeStr(table)
                         << ", expected [rows, width]";
  if (result.size() != 3 || !result[0].isConstant(1) || result[2] != table[1])
    return emitOpError() << "result has shape " << shapeStr(result)
                         << ", expected [1, length, " << table[1].str() << "]";
  if (getOffset() < 0)
    return emitOpError("offset must not be negative");
  return success();
}

LogicalResult LinearOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(weight, getWeight(), "weight");
  DIMS(result, getResult(), "result");
  if (weight.size() != 2 || input.empty())
    return emitOpError() << "input " << shapeStr(input) << " and weight "
                         << shapeStr(weight)
                         << ": expected [..., K] and a matrix";
  if (getTransposed())
    std::swap(weight[0], weight[1]);
  if (input.back() != weight[0])
    return emitOpError() << "input has shape " << shapeStr(input)
                         << ", but the weight takes " << weight[0].str()
                         << " features";
  if (getBias()) {
    DIMS(bias, getBias(), "bias");
    if (failed(expectDims(*this, bias, {weight[1]}, "bias")))
      return failure();
  }
  input.back() = weight[1];
  return expectDims(*this, result, input, "result");
}

LogicalResult AttentionOp::verify() {
  DIMS(query, getQuery(), "query");
  DIMS(key, getKey(), "key");
  DIMS(value, getValue(), "value");
  DIMS(result, getResult(), "result");
  int64_t heads = getNumHeads();
  if (heads < 1)
    return emitOpError("num_heads must be positive");
  for (auto [dims, name] :
       {std::pair{&query, "query"}, {&key, "key"}, {&value, "value"}}) {
    if (dims->size() != 3)
      return emitOpError() << name << " has shape " << shapeStr(*dims)
                           << ", expected [batch, length, width]";
    std::optional<int64_t> width = dims->back().constant();
    if (!width || *width % heads)
      return emitOpError() << name << " has width " << dims->back().str()
                           << ", not a multiple of " << heads << " heads";
  }
  if (query[0] != key[0] || query[2] != key[2] || key[0] != value[0] ||
      key[1] != value[1])
    return emitOpError() << "query " << shapeStr(query) << ", key "
                         << shapeStr(key) << " and value " << shapeStr(value)
                         << " do not fit together";
  if (getMask()) {
    DIMS(mask, getMask(), "mask");
    if (failed(expectDims(*this, mask, {key[0], key[1]}, "mask")))
      return failure();
  }
  return expectDims(*this, result, {query[0], query[1], value[2]}, "result");
}

LogicalResult LayerNormOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(gamma, getGamma(), "gamma");
  if (input.empty())
    return emitOpError("input must have rank 1 or more");
  if (failed(expectDims(*this, gamma, {input.back()}, "gamma")))
    return failure();
  if (getBeta()) {
    DIMS(beta, getBeta(), "beta");
    if (failed(expectDims(*this, beta, {input.back()}, "beta")))
      return failure();
  }
  return sameShapeAndType(*this, getInput(), getResult());
}

LogicalResult ActivationOp::verify() {
  DIMS(input, getInput(), "input");
  (void)input;
  if (failed(checkFloat(*this, getInput(), "input")))
    return failure();
  return sameShapeAndType(*this, getInput(), getResult());
}

LogicalResult PoolOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(result, getResult(), "result");
  if (input.size() != 3)
    return emitOpError() << "input has shape " << shapeStr(input)
                         << ", expected [batch, length, width]";
  if (getMask()) {
    DIMS(mask, getMask(), "mask");
    if (failed(expectDims(*this, mask, {input[0], input[1]}, "mask")))
      return failure();
  }
  return expectDims(*this, result, {input[0], input[2]}, "result");
}

LogicalResult L2NormalizeOp::verify() {
  DIMS(input, getInput(), "input");
  if (input.empty())
    return emitOpError("input must have rank 1 or more");
  return sameShapeAndType(*this, getInput(), getResult());
}
