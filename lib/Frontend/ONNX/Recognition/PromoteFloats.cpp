//===- PromoteFloats.cpp - plm-promote-floats -----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Half-precision exports are a way to store a model, and double ones mostly an
// accident. Neither is a reason for a second set of recognisers and kernels, so
// the whole function is rewritten to compute in f32:
//
// * values of type f16, bf16 and f64 become f32, parameters and constants too;
// * casts between float types vanish, and with them the roundings of a mixed
//   model, which an exporter puts between any two operations;
// * arguments and results of the function keep their types, with one cast each
//   at the boundary. A cast of an argument to integers or booleans (a mask)
//   still reads the argument itself.
//
// f16 and bf16 values are f32 values, so nothing is lost: the result is at
// least as exact as what the graph says. f64 loses half of its digits. A finite
// double beyond the range of f32 is stored as the largest float and not as an
// infinity: it is the fill of a mask, and a mask that multiplies its fill by 0
// would give NaN where the fill is infinite.
//
// A half-precision graph also holds rounded numbers that were meant exactly:
// the 1.414 of a GELU. They get their digits back, or no GELU would be one;
// that stays within the rounding that the graph has suffered.
//
// Memory: the new bytes of the parameters are the pass's own (the old ones lie
// in the mapped file), and they are converted one by one.
//
//===----------------------------------------------------------------------===//

#include "Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "plmc/Interpreter/Interpreter.h"
#include <cmath>
#include <cstring>
#include <limits>

namespace plmc {
#define GEN_PASS_DEF_PROMOTEFLOATSPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;

namespace {

bool isPromoted(Type element) {
  return element.isF16() || element.isBF16() || element.isF64();
}

bool isPromoted(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isPromoted(type.getElementType());
}

RankedTensorType promote(RankedTensorType type) {
  return type.clone(Float32Type::get(type.getContext()));
}

float toFloat(double value) {
  constexpr double largest = std::numeric_limits<float>::max();
  if (std::isfinite(value) && std::fabs(value) > largest)
    return std::copysign(float(largest), float(value));
  return float(value);
}

/// The number that formulas mean by a scalar of a 16-bit type: sqrt(2), its
/// reciprocal and sqrt(2 / pi) for GELU, 0.044715 for its tanh form.
double unrounded(double value, DType dtype) {
  if (dtype == DType::F64)
    return value;
  HostTensor rounded(dtype, {});
  for (double meant :
       {1.4142135623730951, 0.7071067811865476, 0.7978845608028654, 0.044715}) {
    rounded.setDouble(0, meant);
    if (rounded.getDouble(0) == std::fabs(value))
      return std::copysign(meant, value);
  }
  return value;
}

/// Elements of `dtype`, anywhere in memory, as floats.
void convert(llvm::ArrayRef<char> from, DType dtype,
             llvm::MutableArrayRef<float> to) {
  HostTensor block(dtype, {4096});
  int64_t size = dtypeSize(dtype), count = to.size();
  for (int64_t start = 0; start < count; start += 4096) {
    int64_t length = std::min<int64_t>(4096, count - start);
    std::memcpy(block.data.data(), from.data() + start * size, length * size);
    for (int64_t i = 0; i < length; ++i)
      to[start + i] = toFloat(block.getDouble(i));
  }
}

/// The value as f32; null, with a diagnostic on `op`, when it has no bytes.
ElementsAttr promote(Operation *op, ElementsAttr value) {
  auto type = cast<RankedTensorType>(value.getShapedType());
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    DType dtype = *dtypeFromMLIR(type.getElementType());
    size_t count = type.getNumElements();
    if (!blob || blob->getData().size() != count * dtypeSize(dtype)) {
      op->emitOpError("has no value that can be converted to f32; if the IR "
                      "was printed with its weights elided, print it with "
                      "--elide-weights=false");
      return {};
    }
    AsmResourceBlob promoted =
        HeapAsmResourceBlob::allocate(count * sizeof(float), alignof(float));
    convert(
        blob->getData(), dtype,
        {reinterpret_cast<float *>(promoted.getMutableData().data()), count});
    return DenseResourceElementsAttr::get(
        promote(type), resource.getRawHandle().getKey(), std::move(promoted));
  }
  llvm::Expected<HostTensor> tensor = tensorFromAttr(value);
  if (!tensor) {
    op->emitOpError() << llvm::toString(tensor.takeError());
    return {};
  }
  HostTensor promoted(DType::F32, tensor->shape);
  int64_t count = tensor->numElements();
  for (int64_t i = 0; i < count; ++i)
    promoted.as<float>()[i] = toFloat(tensor->getDouble(i));
  if (count == 1)
    promoted.as<float>()[0] =
        toFloat(unrounded(tensor->getDouble(0), tensor->dtype));
  return attrFromTensor(promoted, op->getContext());
}

struct PromoteFloats : public plmc::impl::PromoteFloatsPassBase<PromoteFloats> {
  void runOnOperation() override {
    for (auto parameter : getOperation().getOps<ParameterOp>())
      if (failed(promoteParameter(parameter)))
        return signalPassFailure();
    for (auto func : getOperation().getOps<func::FuncOp>())
      if (!func.isExternal() && failed(promoteFunction(func)))
        return signalPassFailure();
  }

private:
  LogicalResult promoteParameter(ParameterOp parameter) {
    if (!isPromoted(parameter.getTensorType().getElementType()))
      return success();
    ElementsAttr value = promote(parameter, parameter.getValue());
    if (!value)
      return failure();
    parameter.setValueAttr(value);
    return success();
  }

  LogicalResult promoteFunction(func::FuncOp func) {
    if (!func.getBody().hasOneBlock())
      return func.emitOpError("has control flow, which cannot be converted to "
                              "f32");
    Block &body = func.getBody().front();
    OpBuilder builder(func.getContext());

    // The results first, while their values still have their types.
    auto returns = dyn_cast<func::ReturnOp>(body.getTerminator());
    SmallVector<std::pair<OpOperand *, Type>> results;
    if (returns)
      for (OpOperand &operand : returns->getOpOperands())
        if (isPromoted(operand.get()) && operand.get().getDefiningOp())
          results.push_back({&operand, operand.get().getType()});

    builder.setInsertionPointToStart(&body);
    for (BlockArgument argument : body.getArguments()) {
      if (!isPromoted(argument))
        continue;
      auto readsAsFloat = [](OpOperand &use) {
        auto cast = dyn_cast<CastOp>(use.getOwner());
        return !isa<func::ReturnOp>(use.getOwner()) &&
               (!cast || recognition::isFloatTensor(cast.getResult()));
      };
      if (llvm::none_of(argument.getUses(), readsAsFloat))
        continue;
      auto promoted = CastOp::create(
          builder, argument.getLoc(),
          promote(cast<RankedTensorType>(argument.getType())), argument);
      argument.replaceUsesWithIf(promoted, [&](OpOperand &use) {
        return use.getOwner() != promoted && readsAsFloat(use);
      });
    }

    for (Operation &op : llvm::make_early_inc_range(body))
      if (failed(promoteOperation(&op)))
        return failure();

    builder.setInsertionPoint(body.getTerminator());
    for (auto [operand, type] : results)
      operand->set(
          CastOp::create(builder, operand->get().getLoc(), type, operand->get())
              .getResult());
    return success();
  }

  LogicalResult promoteOperation(Operation *op) {
    bool known = isa_and_present<PLMDialect>(op->getDialect());
    for (Value result : op->getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      Type element = getElementTypeOrSelf(result.getType());
      if (isa<FloatType>(element) && !element.isF32() &&
          (!known || !type || !isPromoted(element)))
        return op->emitOpError()
               << "gives " << result.getType()
               << ", which cannot be converted to f32; export the model in "
                  "float32";
    }
    if (auto constant = dyn_cast<ConstantOp>(op);
        constant && isPromoted(constant.getResult())) {
      ElementsAttr value = promote(op, constant.getValue());
      if (!value)
        return failure();
      constant.setValueAttr(value);
    }
    for (Value result : op->getResults())
      if (isPromoted(result))
        result.setType(promote(cast<RankedTensorType>(result.getType())));
    if (auto cast = dyn_cast<CastOp>(op);
        cast && cast.getInput().getType() == cast.getType()) {
      cast.replaceAllUsesWith(cast.getInput());
      cast.erase();
    }
    return success();
  }
};

} // namespace
