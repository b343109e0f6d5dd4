//===- Match.cpp - Small questions about values ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Match.h"
#include "mlir/IR/Location.h"
#include "plmc/Interpreter/Interpreter.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::recognition {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Dims dimsOf(Value value) { return getDims(typeOf(value)); }

DimExpr productOf(llvm::ArrayRef<DimExpr> dims) {
  DimExpr result(1);
  for (const DimExpr &dim : dims)
    result = result * dim;
  return result;
}

bool isFloatTensor(Value value) {
  return isa<FloatType>(typeOf(value).getElementType());
}

void setReason(Operation *op, const llvm::Twine &reason) {
  if (!op->hasAttr(unrecognizedAttr))
    op->setAttr(unrecognizedAttr,
                StringAttr::get(op->getContext(), reason.str()));
}

std::string nodeName(Location location) {
  if (auto name = dyn_cast<NameLoc>(location))
    return name.getName().str();
  if (auto file = dyn_cast<FileLineColLoc>(location))
    return (file.getFilename().getValue() + ":" + llvm::Twine(file.getLine()) +
            ":" + llvm::Twine(file.getColumn()))
        .str();
  if (auto call = dyn_cast<CallSiteLoc>(location))
    return nodeName(call.getCallee());
  if (auto fused = dyn_cast<FusedLoc>(location))
    for (Location part : fused.getLocations()) {
      std::string name = nodeName(part);
      if (name != "unknown")
        return name;
    }
  return "unknown";
}

bool isWeight(Value value) {
  return isa_and_present<GetParameterOp, ConstantOp>(value.getDefiningOp());
}

bool isParameterView(Value value) {
  for (int steps = 0; steps < 32; ++steps) {
    if (isWeight(value))
      return true;
    if (!isa_and_present<ReshapeOp, TransposeOp, SliceOp>(
            value.getDefiningOp()) ||
        !typeOf(value).hasStaticShape())
      return false;
    value = value.getDefiningOp()->getOperand(0);
  }
  return false;
}

bool isStoredMatrix(Value value) {
  if (auto dequantize = value.getDefiningOp<DequantizeOp>())
    return llvm::all_of(dequantize->getOperands(), isParameterView);
  return isWeight(value);
}

std::optional<HostTensor> weightValue(Value value, int64_t limit) {
  if (!isWeight(value) || !typeOf(value).hasStaticShape() ||
      typeOf(value).getNumElements() > limit)
    return std::nullopt;
  llvm::Expected<HostTensor> tensor = evaluateOp(value.getDefiningOp(), {}, {});
  if (!tensor) {
    llvm::consumeError(tensor.takeError());
    return std::nullopt;
  }
  return std::move(*tensor);
}

/// The element that all are; nullopt when they differ or there is none.
static std::optional<double> splatOf(DenseElementsAttr dense) {
  if (!dense.isSplat() || !dense.getNumElements())
    return std::nullopt;
  Type element = dense.getElementType();
  if (isa<FloatType>(element)) {
    llvm::APFloat value = dense.getSplatValue<llvm::APFloat>();
    bool inexact;
    value.convert(llvm::APFloat::IEEEdouble(),
                  llvm::APFloat::rmNearestTiesToEven, &inexact);
    return value.convertToDouble();
  }
  llvm::APInt value = dense.getSplatValue<llvm::APInt>();
  if (element.isInteger(1))
    return !value.isZero();
  return double(element.isUnsignedInteger() ? int64_t(value.getZExtValue())
                                            : value.getSExtValue());
}

std::optional<double> scalarOf(Value value) {
  for (int steps = 0; steps < 64 && isa_and_present<ReshapeOp, BroadcastOp>(
                                        value.getDefiningOp());
       ++steps)
    value = value.getDefiningOp()->getOperand(0);
  // A parameter whose elements happen to be equal (a fresh bias) is no number.
  if (value.getDefiningOp<GetParameterOp>() &&
      typeOf(value).getNumElements() != 1)
    return std::nullopt;
  if (auto constant = value.getDefiningOp<ConstantOp>())
    if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue()))
      return splatOf(dense);
  std::optional<HostTensor> tensor = weightValue(value, 1);
  if (!tensor || tensor->numElements() != 1)
    return std::nullopt;
  return tensor->getDouble(0);
}

bool isVectorWeight(Value value, const DimExpr &width) {
  if (!isWeight(value) || !typeOf(value).getRank())
    return false;
  Dims dims = dimsOf(value);
  if (dims.back() != width)
    return false;
  return llvm::all_of(llvm::ArrayRef<DimExpr>(dims).drop_back(),
                      [](const DimExpr &dim) { return dim.isConstant(1); });
}

Value asVector(OpBuilder &builder, Value value) {
  return reshapeTo(builder, value.getLoc(), value, {dimsOf(value).back()});
}

static bool isCommutative(BinaryKind kind) {
  switch (kind) {
  case BinaryKind::Add:
  case BinaryKind::Mul:
  case BinaryKind::Min:
  case BinaryKind::Max:
  case BinaryKind::And:
  case BinaryKind::Or:
  case BinaryKind::Xor:
  case BinaryKind::Eq:
  case BinaryKind::Ne:
    return true;
  default:
    return false;
  }
}

std::optional<ScalarOperand> matchScalarOperand(Value value, BinaryKind kind) {
  auto op = value.getDefiningOp<BinaryOp>();
  if (!op || op.getKind() != kind)
    return std::nullopt;
  if (std::optional<double> scalar = scalarOf(op.getRhs()))
    return ScalarOperand{op.getLhs(), *scalar};
  if (isCommutative(kind))
    if (std::optional<double> scalar = scalarOf(op.getLhs()))
      return ScalarOperand{op.getRhs(), *scalar};
  return std::nullopt;
}

std::optional<ScalarOperand> matchScaling(Value value) {
  if (!isFloatTensor(value))
    return std::nullopt;
  auto match = matchScalarOperand(value, BinaryKind::Mul);
  if (!match) {
    match = matchScalarOperand(value, BinaryKind::Div);
    if (!match || match->scalar == 0)
      return std::nullopt;
    match->scalar = 1 / match->scalar;
  }
  if (match->tensor.getType() != value.getType())
    return std::nullopt;
  return match;
}

Value reshapeTo(OpBuilder &builder, Location loc, Value input,
                llvm::ArrayRef<DimExpr> dims) {
  RankedTensorType type = makeTensorType(dims, typeOf(input).getElementType());
  if (type == input.getType())
    return input;
  return ReshapeOp::create(builder, loc, type, input);
}

Value broadcastTo(OpBuilder &builder, Location loc, Value input,
                  RankedTensorType type) {
  if (type == input.getType())
    return input;
  return BroadcastOp::create(builder, loc, type, input);
}

} // namespace plmc::recognition
