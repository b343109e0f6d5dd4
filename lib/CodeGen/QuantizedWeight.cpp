//===- QuantizedWeight.cpp - Weights that are stored as 8 bits ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "QuantizedWeight.h"
#include "plmc/Interpreter/Interpreter.h"

using namespace mlir;
using namespace plmc;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static bool isStored(Value value) {
  return isa_and_present<plm::GetParameterOp, plm::ConstantOp>(
      value.getDefiningOp());
}

std::optional<QuantizedWeight> QuantizedWeight::match(Value value) {
  auto result = matchBlocks(value);
  return result && !result->block ? result : std::nullopt;
}

std::optional<QuantizedWeight> QuantizedWeight::matchCodes(Value value) {
  auto result = matchBlocks(value);
  if (!result || result->bits > 4 || result->block % 32 ||
      result->axis != (result->block ? 1 : 0) || result->op.getZeroPoint() ||
      !result->elementType().isSignlessInteger(8))
    return std::nullopt;
  return result;
}

std::optional<QuantizedWeight> QuantizedWeight::matchBlocks(Value value) {
  QuantizedWeight result;
  result.op = value.getDefiningOp<plm::DequantizeOp>();
  if (!result.op || !typeOf(value).getElementType().isF32() ||
      typeOf(value).getRank() != 2)
    return std::nullopt;
  result.parameter = result.op.getInput().getDefiningOp<plm::GetParameterOp>();
  if (!result.parameter || !result.elementType().isInteger(8) ||
      !isStored(result.op.getScale()) ||
      (result.op.getZeroPoint() && !isStored(result.op.getZeroPoint())))
    return std::nullopt;
  if (typeOf(result.op.getScale()).getRank() == 1)
    result.axis = result.op.getAxis();
  result.block = result.op.getBlockSize();
  if (result.block)
    result.axis = result.op.getAxis();
  result.bits = result.op.getBits();
  return result;
}

Type QuantizedWeight::elementType() const {
  return typeOf(plm::GetParameterOp(parameter).getResult()).getElementType();
}

static llvm::Expected<std::vector<float>> floatsOf(Value value, int64_t count) {
  llvm::Expected<HostTensor> tensor = evaluateOp(value.getDefiningOp(), {}, {});
  if (!tensor)
    return tensor.takeError();
  std::vector<float> result;
  int64_t known = tensor->numElements();
  if (known != 1 && known != count)
    return llvm::createStringError("there are " + llvm::Twine(known) +
                                   " scales or zero points for " +
                                   llvm::Twine(count) + " slices");
  for (int64_t i = 0; i < count; ++i)
    result.push_back(float(tensor->getDouble(known == 1 ? 0 : i)));
  return result;
}

llvm::Expected<std::vector<float>>
QuantizedWeight::scales(int64_t count) const {
  return floatsOf(plm::DequantizeOp(op).getScale(), count);
}

llvm::Expected<std::vector<float>>
QuantizedWeight::zeroPoints(int64_t count) const {
  Value zeroPoint = plm::DequantizeOp(op).getZeroPoint();
  if (!zeroPoint)
    return std::vector<float>();
  auto values = floatsOf(zeroPoint, count);
  if (values && llvm::all_of(*values, [](float value) { return value == 0; }))
    values->clear();
  return values;
}

bool plmc::hasStoredWeight(plm::LinearOp linear) {
  Value weight = linear.getWeight();
  if (linear.getPrecision() == plm::Precision::Int8)
    return QuantizedWeight::matchBlocks(weight).has_value();
  if (weight.getDefiningOp<plm::GetParameterOp>())
    return true;
  auto quantized = QuantizedWeight::match(weight);
  return quantized && (quantized->axis < 0 ||
                       quantized->axis == (linear.getTransposed() ? 0 : 1));
}
