//===- MaskExpression.cpp - The structure of a mask expression ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MaskExpression.h"
#include "Depends.h"
#include "IndexValue.h"

using namespace mlir;
using namespace plmc::plm;
using llvm::Error;
using llvm::Expected;

namespace plmc::recognition {

static Error refuse(const llvm::Twine &reason) {
  return llvm::createStringError(reason);
}

/// "Mul node 'x'" would need the ONNX type; the op and node name suffice.
static std::string describe(Operation *op) {
  return (op->getName().getStringRef() + " at '" + nodeName(op->getLoc()) + "'")
      .str();
}

Error MaskExpression::add(Value value) { return classify(value).takeError(); }

void MaskExpression::noteSymbols(const DimExpr &expr) {
  for (const std::string &symbol : expr.symbols())
    symbolNames.insert(symbol);
}

void MaskExpression::noteSymbols(Operation *op) {
  for (Value value : op->getResults())
    for (const DimExpr &dim : dimsOf(value))
      noteSymbols(dim);
  auto note = [&](Attribute attr) {
    if (auto text = dyn_cast<StringAttr>(attr))
      if (auto expr = DimExpr::parse(text.getValue()))
        noteSymbols(*expr);
  };
  if (auto shape = dyn_cast<ShapeValueOp>(op))
    llvm::for_each(shape.getExprs(), note);
  if (auto slice = dyn_cast<SliceOp>(op))
    llvm::for_each(slice.getStarts(), note);
  if (auto iota = dyn_cast<IotaOp>(op))
    note(iota.getStartAttr());
}

Expected<MaskClass> MaskExpression::classify(Value value) {
  auto found = classes.find(value);
  if (found != classes.end())
    return found->second;
  if (!isa<RankedTensorType>(value.getType()))
    return refuse("the mask is not a tensor");
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    if (given && arg != argument)
      return MaskClass::Foreign;
    if (arg && arg != argument)
      return refuse("the mask depends on more than one model input");
    arg = argument;
    for (const DimExpr &dim : dimsOf(value))
      noteSymbols(dim);
    classes[value] = MaskClass::Data;
    return MaskClass::Data;
  }
  if (depth > 256 || order.size() > 512)
    return refuse("the mask expression is too large to analyse");
  ++depth;
  size_t mark = order.size();
  Expected<MaskClass> result = classifyOp(value.getDefiningOp());
  --depth;
  if (given && (!result || *result == MaskClass::Foreign) &&
      !dependsOn(value, arg)) {
    llvm::consumeError(result.takeError());
    return setFree(value, mark);
  }
  if (!result)
    return result;
  noteSymbols(value.getDefiningOp());
  order.push_back(value.getDefiningOp());
  classes[value] = *result;
  return result;
}

MaskClass MaskExpression::setFree(Value value, size_t mark) {
  for (size_t i = mark; i < order.size(); ++i)
    classes.erase(order[i]->getResult(0));
  order.resize(mark);
  MaskClass kind = MaskClass::Foreign;
  if (typeOf(value).getElementType().isInteger(1)) {
    kind = MaskClass::Data;
    conditions.push_back(value);
    for (const DimExpr &dim : dimsOf(value))
      noteSymbols(dim);
  }
  classes[value] = kind;
  return kind;
}

/// Elementwise: positions and mask values must not meet, and positions must
/// not decide anything.
Expected<MaskClass> MaskExpression::classifyElementwise(Operation *op) {
  bool index = false, data = false;
  for (Value operand : op->getOperands()) {
    Expected<MaskClass> kind = classify(operand);
    if (!kind)
      return kind;
    if (*kind == MaskClass::Foreign)
      return refuse("the mask depends on more than one model input");
    index |= *kind == MaskClass::Index;
    data |= *kind == MaskClass::Data;
  }
  if (!index)
    return data ? MaskClass::Data : MaskClass::Uniform;
  bool arithmetic = false;
  if (auto binary = dyn_cast<BinaryOp>(op))
    arithmetic = binary.getKind() == BinaryKind::Add ||
                 binary.getKind() == BinaryKind::Sub ||
                 binary.getKind() == BinaryKind::Mul;
  if (auto cast = dyn_cast<CastOp>(op))
    arithmetic = typeOf(cast.getResult()).getElementTypeBitWidth() >= 32;
  if (data || !arithmetic)
    return refuse("the mask depends on the positions, as a causal or windowed "
                  "one does (" +
                  describe(op) + ")");
  return MaskClass::Index;
}

Expected<MaskClass> MaskExpression::classifyOp(Operation *op) {
  if (isa<ConstantOp, GetParameterOp>(op)) {
    if (scalarOf(op->getResult(0)))
      return MaskClass::Uniform;
    if (analyzeIndex(op->getResult(0)))
      return MaskClass::Index;
    return refuse("the mask reads a stored table (" + describe(op) + ")");
  }
  if (isa<IotaOp>(op))
    return MaskClass::Index;
  if (auto shape = dyn_cast<ShapeValueOp>(op)) {
    if (shape.getExprs().size() == 1)
      return MaskClass::Uniform;
    return refuse("the mask computes with a shape (" + describe(op) + ")");
  }
  if (isa<UnaryOp, BinaryOp, SelectOp, CastOp>(op))
    return classifyElementwise(op);
  if (isa<ReshapeOp, TransposeOp, BroadcastOp, SliceOp>(op))
    return classify(op->getOperand(0));
  if (isa<ConcatOp>(op)) {
    // Index tuples; a piece of mask beside a piece of something else is not a
    // fixed function of the position.
    std::optional<MaskClass> result;
    for (Value operand : op->getOperands()) {
      Expected<MaskClass> kind = classify(operand);
      if (!kind)
        return kind;
      if (*kind == MaskClass::Data && op->getNumOperands() > 1)
        return refuse("the mask is put together from pieces (" + describe(op) +
                      ")");
      result = *kind == MaskClass::Data ? MaskClass::Data : MaskClass::Index;
    }
    if (result)
      return *result;
  }
  if (isa<GatherOp, GatherElementsOp, GatherNDOp>(op)) {
    Expected<MaskClass> data = classify(op->getOperand(0));
    if (!data)
      return data;
    Expected<MaskClass> index = classify(op->getOperand(1));
    if (!index)
      return index;
    if (*index != MaskClass::Data)
      return *data;
    return refuse("the mask is looked up by input values (" + describe(op) +
                  ")");
  }
  return refuse("the mask is computed by " + describe(op) +
                ", which is not elementwise");
}

Expected<HostTensor> MaskExpression::anyCondition(Value value,
                                                  const DimValues &dims) {
  llvm::SmallVector<int64_t, 4> shape;
  int64_t total = 1;
  for (const DimExpr &dim : dimsOf(value)) {
    std::optional<int64_t> size = dim.evaluate(dims);
    if (!size || *size < 0 || __builtin_mul_overflow(total, *size, &total) ||
        total > 1 << 26)
      return refuse("the mask is too large to analyse");
    shape.push_back(*size);
  }
  HostTensor tensor(DType::Bool, shape);
  for (int64_t i = 0, count = tensor.numElements(); i < count; ++i)
    tensor.setInt(i, random() & 1);
  return tensor;
}

Expected<llvm::DenseMap<Value, HostTensor>>
MaskExpression::evaluate(const HostTensor &argument, const DimValues &dims) {
  llvm::DenseMap<Value, HostTensor> values;
  if (arg) { // the same elements in the shape of the argument
    HostTensor given = argument;
    given.shape.clear();
    for (const DimExpr &dim : dimsOf(arg))
      given.shape.push_back(dim.evaluate(dims).value_or(-1));
    if (given.numElements() != argument.numElements())
      return refuse("the mask's dimensions cannot be analysed");
    values[arg] = std::move(given);
  }
  for (Value condition : conditions) {
    Expected<HostTensor> any = anyCondition(condition, dims);
    if (!any)
      return any.takeError();
    values[condition] = std::move(*any);
  }
  for (Operation *op : order) {
    llvm::SmallVector<HostTensor> operands;
    for (Value operand : op->getOperands())
      operands.push_back(values.lookup(operand));
    Expected<HostTensor> result = evaluateOp(op, operands, dims);
    if (!result)
      return refuse("the mask could not be evaluated: " +
                    llvm::toString(result.takeError()));
    values[op->getResult(0)] = std::move(*result);
  }
  return values;
}

} // namespace plmc::recognition
