//===- QuantizedValue.cpp - Scales, zero points, what they belong to ------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantizedValue.h"
#include "plmc/Interpreter/Interpreter.h"
#include <cmath>

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;

namespace plmc::recognition {

bool Channels::isOne() const {
  for (int64_t i = 0, count = values.numElements(); i < count; ++i)
    if (values.getDouble(i) != 1)
      return false;
  return true;
}

/// A constant, through conversions and views.
static std::optional<HostTensor> evaluate(Value value, int depth = 0) {
  if (std::optional<HostTensor> weight = weightValue(value))
    return weight;
  Operation *op = value.getDefiningOp();
  if (depth > 8 || !isa_and_present<CastOp, ReshapeOp, BroadcastOp>(op) ||
      !typeOf(value).hasStaticShape() ||
      typeOf(value).getNumElements() > (1 << 20))
    return std::nullopt;
  std::optional<HostTensor> operand = evaluate(op->getOperand(0), depth + 1);
  if (!operand)
    return std::nullopt;
  llvm::Expected<HostTensor> result = evaluateOp(op, *operand, {});
  if (result)
    return std::move(*result);
  llvm::consumeError(result.takeError());
  return std::nullopt;
}

std::optional<Channels> channelsOf(Value value, llvm::ArrayRef<DimExpr> dims) {
  Dims own = dimsOf(value);
  if (own.size() > dims.size())
    return std::nullopt;
  Channels result;
  size_t offset = dims.size() - own.size();
  for (auto [index, dim] : llvm::enumerate(own)) {
    if (dim.isConstant(1))
      continue;
    if (result.axis >= 0 || dim != dims[offset + index])
      return std::nullopt;
    result.axis = offset + index;
  }
  std::optional<HostTensor> values = evaluate(value);
  if (!values)
    return std::nullopt;
  result.values = std::move(*values);
  result.values.shape.clear();
  if (result.axis >= 0)
    result.values.shape.push_back(*own[result.axis - offset].constant());
  return result;
}

std::optional<Channels> channelsOf(Value value, int64_t axis) {
  std::optional<HostTensor> values = evaluate(value);
  if (!values)
    return std::nullopt;
  bool isScalar = values->rank() == 0;
  return Channels{std::move(*values), isScalar ? -1 : axis};
}

/// One number for each of `count` slices along the axis.
static Channels repeat(const Channels &channels, int64_t axis, int64_t count) {
  Channels result{HostTensor(channels.values.dtype, {count}), axis};
  for (int64_t i = 0; i < count; ++i)
    result.values.setDouble(i, channels.values.getDouble(0));
  return result;
}

/// Makes both lists if one is; false when they lie along two axes.
static bool align(Channels &a, Channels &b) {
  if (a.axis >= 0 && b.axis < 0)
    b = repeat(b, a.axis, a.values.numElements());
  else if (b.axis >= 0 && a.axis < 0)
    a = repeat(a, b.axis, b.values.numElements());
  return a.axis == b.axis && a.values.shape == b.values.shape;
}

std::optional<Channels>
combine(const Channels &a, const Channels &b,
        llvm::function_ref<double(double, double)> function) {
  Channels left = a, right = b;
  if (!align(left, right))
    return std::nullopt;
  for (int64_t i = 0, count = left.values.numElements(); i < count; ++i)
    left.values.setDouble(
        i, function(left.values.getDouble(i), right.values.getDouble(i)));
  return left;
}

Channels unitScale() {
  Channels result;
  result.values = HostTensor(DType::F32, {});
  result.values.setDouble(0, 1);
  return result;
}

std::optional<Channels> asZeroPoint(const Channels &channels, DType dtype) {
  Channels result{HostTensor(dtype, channels.values.shape), channels.axis};
  for (int64_t i = 0, count = channels.values.numElements(); i < count; ++i) {
    double value = channels.values.getDouble(i);
    bool isUnsigned = dtype == DType::U8;
    if (value != std::floor(value) || value < (isUnsigned ? 0 : -128) ||
        value > (isUnsigned ? 255 : 127))
      return std::nullopt;
    result.values.setInt(i, int64_t(value));
  }
  return result;
}

Value dequantize(OpBuilder &builder, Location loc, Value input, Channels scale,
                 std::optional<Channels> zeroPoint) {
  if (zeroPoint)
    align(scale, *zeroPoint);
  auto constant = [&](const HostTensor &value) -> Value {
    DenseElementsAttr attr = attrFromTensor(value, builder.getContext());
    return ConstantOp::create(builder, loc,
                              cast<RankedTensorType>(attr.getType()), attr);
  };
  Type element = dtypeToMLIR(scale.values.dtype, builder.getContext());
  Value scaleValue = constant(scale.values);
  Value zero = zeroPoint ? constant(zeroPoint->values) : Value();
  return DequantizeOp::create(
      builder, loc, makeTensorType(dimsOf(input), element), input, scaleValue,
      zero, builder.getI64IntegerAttr(std::max<int64_t>(scale.axis, 0)));
}

bool is8Bit(Value value) { return typeOf(value).getElementType().isInteger(8); }

bool isQuantizedMatrix(Value value) {
  return is8Bit(value) && isParameterView(value) &&
         llvm::count_if(typeOf(value).getShape(),
                        [](int64_t size) { return size > 1; }) >= 2;
}

} // namespace plmc::recognition
