//===- Quantize.cpp - quantize, dequantize as loops -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorOps.h"

using namespace mlir;
using namespace plmc;

/// Loops over the elements with their scale and zero point, as they are in
/// memory; the zero point may be null. One number is loaded before the loops.
/// With a block size every so many elements along the axis have a scale.
void TensorOpEmitter::affine(
    ArrayRef<Buffer> operands, int64_t axis, int64_t block,
    const Buffer &result,
    llvm::function_ref<Value(Value x, Value scale, Value zero)> body) {
  SmallVector<SmallVector<Value>> operandStrides;
  SmallVector<Value> numbers;
  for (const Buffer &operand : operands) {
    operandStrides.push_back(strides(operand));
    numbers.push_back(operand.rank() == 0 && numbers.size()
                          ? loadElement(operand, {}, {})
                          : Value());
  }
  SmallVector<Value> resultStrides = strides(result);
  forEach(result.dims, [&](Indices indices) {
    Value x = loadElement(operands[0], operandStrides[0], indices);
    auto channel = [&](size_t operand) -> Value {
      if (operand >= operands.size())
        return {};
      if (numbers[operand])
        return numbers[operand];
      if (block) {
        SmallVector<Value> blocks(indices);
        blocks[axis] = b.div(blocks[axis], b.c(block));
        return loadElement(operands[operand], operandStrides[operand], blocks);
      }
      return loadElement(operands[operand], operandStrides[operand],
                         indices[axis]);
    };
    storeElement(result, resultStrides, indices,
                 body(x, channel(1), channel(2)));
  });
}

/// `x`, a whole number or not one at all, as 8 bits: saturated, 0 for NaN. (As
/// TensorOpEmitter::cast, but in a form that LLVM vectorises.)
static Value saturate(KernelBuilder &b, Value x, Type result) {
  bool isUnsigned = result.isUnsignedInteger();
  auto constant = [&](double value) -> Value {
    return arith::ConstantOp::create(b, b.loc,
                                     b.getFloatAttr(x.getType(), value));
  };
  auto compare = [&](arith::CmpFPredicate predicate, Value limit) -> Value {
    return arith::CmpFOp::create(b, b.loc, predicate, x, limit);
  };
  Value low = constant(isUnsigned ? 0 : -128),
        high = constant(isUnsigned ? 255 : 127);
  x = b.select(compare(arith::CmpFPredicate::UNO, x), constant(0), x);
  x = b.select(compare(arith::CmpFPredicate::OLT, low), low, x);
  x = b.select(compare(arith::CmpFPredicate::OGT, high), high, x);
  return arith::TruncIOp::create(b, b.loc, b.i8,
                                 arith::FPToSIOp::create(b, b.loc, b.i32, x));
}

bool TensorOpEmitter::quantize(plm::QuantizeOp op, ArrayRef<Buffer> operands,
                               const Buffer &result) {
  Type element = operands[0].element;
  if (!element.isF32() && !element.isF64())
    return false;
  affine(operands, op.getAxis(), 0, result,
         [&](Value x, Value scale, Value zero) {
           Value rounded =
               LLVM::RoundEvenOp::create(b, b.loc, element, b.fdiv(x, scale));
           if (zero)
             rounded = b.fadd(rounded, cast(zero, result.element, element));
           return result.element.isInteger(8)
                      ? saturate(b, rounded, result.element)
                      : cast(rounded, element, result.element);
         });
  return true;
}

bool TensorOpEmitter::dequantize(plm::DequantizeOp op,
                                 ArrayRef<Buffer> operands,
                                 const Buffer &result) {
  Type element = operands[0].element;
  if (!result.element.isF32() && !result.element.isF64())
    return false;
  affine(operands, op.getAxis(), op.getBlockSize(), result,
         [&](Value x, Value scale, Value zero) {
           // Differences of 8 bits are exact as floats, those of 32 are not.
           bool isWide = element.isInteger(32);
           if (zero && isWide)
             x = arith::SubIOp::create(b, b.loc, x, zero);
           Value value = cast(x, element, result.element);
           if (zero && !isWide)
             value = b.fsub(value, cast(zero, element, result.element));
           return b.fmul(value, scale);
         });
  return true;
}
