//===- Elementwise.cpp - Elementwise tensor operations ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../VectorMath.h"
#include "HalfFloats.h"
#include "PreciseMath.h"
#include "TensorOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace plmc;

/// Without a broadcast but of single elements, all elements are one long row:
/// one loop, which LLVM vectorises, and which any number of threads can share.
static bool flatten(SmallVectorImpl<Buffer> &operands, Buffer &result) {
  DimExpr count(1);
  for (const DimExpr &size : result.dims)
    count = count * size;
  for (Buffer &operand : operands) {
    bool one = llvm::all_of(
        operand.dims, [](const DimExpr &dim) { return dim.isConstant(1); });
    if (!one && operand.dims != result.dims)
      return false;
    operand.dims.assign(1, one ? DimExpr(1) : count);
  }
  result.dims.assign(1, count);
  return true;
}

void TensorOpEmitter::elementwise(ArrayRef<Buffer> given,
                                  const Buffer &givenResult,
                                  llvm::function_ref<Value(ValueRange)> body) {
  SmallVector<Buffer> operands(given);
  Buffer result = givenResult;
  if (!flatten(operands, result)) {
    operands.assign(given.begin(), given.end());
    result = givenResult;
  }
  SmallVector<SmallVector<Value>> operandStrides;
  for (const Buffer &operand : operands)
    operandStrides.push_back(broadcastStrides(operand, result));
  SmallVector<Value> resultStrides = strides(result);
  forEach(result.dims, [&](Indices indices) {
    SmallVector<Value> values;
    for (auto [operand, strides] : llvm::zip(operands, operandStrides))
      values.push_back(loadElement(operand, strides, indices));
    storeElement(result, resultStrides, indices, body(values));
  });
}

Value TensorOpEmitter::zeroOf(Type element) {
  if (isa<FloatType>(element))
    return arith::ConstantOp::create(b, b.loc, b.getFloatAttr(element, 0.0));
  return arith::ConstantIntOp::create(b, b.loc, 0,
                                      element.getIntOrFloatBitWidth());
}

Value TensorOpEmitter::unary(Operation *op, plm::UnaryKind kind, Value x,
                             Type element) {
  using K = plm::UnaryKind;
  Location loc = b.loc;
  if (isa<IntegerType>(element)) {
    Value zero = zeroOf(element);
    switch (kind) {
    case K::Not:
      return arith::XOrIOp::create(
          b, loc, x,
          arith::ConstantIntOp::create(b, loc, -1,
                                       element.getIntOrFloatBitWidth()));
    case K::Neg:
      return arith::SubIOp::create(b, loc, zero, x);
    case K::Abs: {
      if (element.isUnsignedInteger())
        return x;
      Value negative =
          arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, x, zero);
      return b.select(negative, arith::SubIOp::create(b, loc, zero, x), x);
    }
    case K::Sign: {
      unsigned width = element.getIntOrFloatBitWidth();
      Value one = arith::ConstantIntOp::create(b, loc, 1, width);
      Value minus = arith::ConstantIntOp::create(b, loc, -1, width);
      auto compare = [&](arith::CmpIPredicate predicate) {
        return arith::CmpIOp::create(b, loc, predicate, x, zero);
      };
      return b.select(compare(arith::CmpIPredicate::eq), zero,
                      b.select(compare(element.isUnsignedInteger()
                                           ? arith::CmpIPredicate::ugt
                                           : arith::CmpIPredicate::sgt),
                               one, minus));
    }
    default:
      return {};
    }
  }
  auto constant = [&](double value) -> Value {
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(element, value));
  };
  switch (kind) {
  case K::Neg:
    return arith::NegFOp::create(b, loc, x);
  case K::Abs:
    return LLVM::FAbsOp::create(b, loc, element, x);
  case K::Sqrt:
    return b.sqrt(x);
  case K::Rsqrt:
    return b.fdiv(constant(1), b.sqrt(x));
  case K::Reciprocal:
    return b.fdiv(constant(1), x);
  case K::Floor:
    return LLVM::FFloorOp::create(b, loc, element, x);
  case K::Ceil:
    return LLVM::FCeilOp::create(b, loc, element, x);
  case K::Round:
    return LLVM::RoundEvenOp::create(b, loc, element, x);
  case K::IsNaN:
    return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
  case K::IsInf:
    return arith::CmpFOp::create(
        b, loc, arith::CmpFPredicate::OEQ,
        LLVM::FAbsOp::create(b, loc, element, x),
        constant(std::numeric_limits<double>::infinity()));
  case K::Sign: {
    auto compare = [&](arith::CmpFPredicate predicate) {
      return arith::CmpFOp::create(b, loc, predicate, x, constant(0));
    };
    return b.select(compare(arith::CmpFPredicate::OGT), constant(1),
                    b.select(compare(arith::CmpFPredicate::OLT), constant(-1),
                             x)); // zero or NaN
  }
  default:
    break;
  }
  if (!element.isF32()) // approximations are for f32
    return {};
  switch (kind) {
  // MLIR's polynomial approximations take these further down.
  case K::Exp:
    return math::ExpOp::create(b, loc, x);
  case K::Log:
    return emitPreciseLog(b, x);
  case K::Erf:
    return math::ErfOp::create(b, loc, x);
  case K::Sin:
    return emitPreciseSine(b, x, 0);
  case K::Cos:
    return emitPreciseSine(b, x, 1);
  case K::Softplus: {
    // max(x, 0) + log(1 + e^-|x|)
    Value magnitude = LLVM::FAbsOp::create(b, loc, element, x);
    Value tail = math::LogOp::create(
        b, loc,
        b.fadd(constant(1),
               math::ExpOp::create(b, loc,
                                   arith::NegFOp::create(b, loc, magnitude))));
    return b.fadd(b.fmax(x, constant(0)), tail);
  }
  default:
    return {};
  }
}

Value TensorOpEmitter::floatBinary(Operation *op, plm::BinaryKind kind, Value x,
                                   Value y) {
  using K = plm::BinaryKind;
  Location loc = b.loc;
  auto compare = [&](arith::CmpFPredicate predicate) -> Value {
    return arith::CmpFOp::create(b, loc, predicate, x, y);
  };
  switch (kind) {
  case K::Add:
    return b.fadd(x, y);
  case K::Sub:
    return b.fsub(x, y);
  case K::Mul:
    return b.fmul(x, y);
  case K::Div:
    return b.fdiv(x, y);
  case K::Min: // NaN if either is
    return arith::MinimumFOp::create(b, loc, x, y);
  case K::Max:
    return arith::MaximumFOp::create(b, loc, x, y);
  case K::Pow: {
    // A constant exponent of the kind that norms and GELUs are spelled with.
    auto constant = op->getOperand(1).getDefiningOp<plm::ConstantOp>();
    if (constant)
      if (auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
          dense && (dense.isSplat() || dense.getNumElements() == 1)) {
        double exponent =
            (*dense.getValues<APFloat>().begin()).convertToDouble();
        if (exponent == 1)
          return x;
        if (exponent == 2)
          return b.fmul(x, x);
        if (exponent == 3)
          return b.fmul(x, b.fmul(x, x));
        if (exponent == 0.5)
          return b.sqrt(x);
      }
    return x.getType().isF32() ? Value(math::PowFOp::create(b, loc, x, y))
                               : Value();
  }
  case K::Mod: {
    // fmod: x - trunc(x / y) * y
    Value quotient = LLVM::FTruncOp::create(b, loc, x.getType(), b.fdiv(x, y));
    Value rest = b.fsub(x, b.fmul(quotient, y));
    // An infinite divisor leaves a finite x as it is; 0 * inf is NaN.
    Value infinity = arith::ConstantOp::create(
        b, loc,
        b.getFloatAttr(x.getType(), std::numeric_limits<double>::infinity()));
    auto magnitudeIs = [&](Value value, arith::CmpFPredicate predicate) {
      return arith::CmpFOp::create(
          b, loc, predicate, LLVM::FAbsOp::create(b, loc, x.getType(), value),
          infinity);
    };
    Value whole =
        arith::AndIOp::create(b, loc, magnitudeIs(y, arith::CmpFPredicate::OEQ),
                              magnitudeIs(x, arith::CmpFPredicate::OLT));
    return b.select(whole, x, rest);
  }
  case K::Eq:
    return compare(arith::CmpFPredicate::OEQ);
  case K::Ne:
    return compare(arith::CmpFPredicate::UNE);
  case K::Lt:
    return compare(arith::CmpFPredicate::OLT);
  case K::Le:
    return compare(arith::CmpFPredicate::OLE);
  case K::Gt:
    return compare(arith::CmpFPredicate::OGT);
  case K::Ge:
    return compare(arith::CmpFPredicate::OGE);
  default:
    return {};
  }
}

Value TensorOpEmitter::intBinary(plm::BinaryKind kind, Value x, Value y,
                                 bool isUnsigned) {
  using K = plm::BinaryKind;
  using P = arith::CmpIPredicate;
  Location loc = b.loc;
  unsigned width = x.getType().getIntOrFloatBitWidth();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(b, loc, value, width);
  };
  auto compare = [&](P predicate, Value lhs, Value rhs) -> Value {
    return arith::CmpIOp::create(b, loc, predicate, lhs, rhs);
  };
  auto ordered = [&](P isSigned, P isUnsignedPredicate) {
    return compare(isUnsigned || width == 1 ? isUnsignedPredicate : isSigned, x,
                   y);
  };
  // Division by zero and INT_MIN / -1 trap on x86: divide by 1 instead.
  auto safeDivisor = [&] {
    Value bad = compare(P::eq, y, constant(0));
    if (!isUnsigned)
      bad = arith::OrIOp::create(
          b, loc, bad,
          arith::AndIOp::create(
              b, loc, compare(P::eq, y, constant(-1)),
              compare(P::eq, x,
                      arith::ShLIOp::create(b, loc, constant(1),
                                            constant(width - 1)))));
    return b.select(bad, constant(1), y);
  };
  switch (kind) {
  case K::Add:
    return arith::AddIOp::create(b, loc, x, y);
  case K::Sub:
    return arith::SubIOp::create(b, loc, x, y);
  case K::Mul:
    return arith::MulIOp::create(b, loc, x, y);
  case K::Div:
    if (isUnsigned)
      return arith::DivUIOp::create(b, loc, x, safeDivisor());
    return arith::DivSIOp::create(b, loc, x, safeDivisor());
  case K::Mod: {
    Value divisor = safeDivisor();
    if (isUnsigned)
      return arith::RemUIOp::create(b, loc, x, divisor);
    Value rest = arith::RemSIOp::create(b, loc, x, divisor);
    // The sign of the divisor.
    Value differs = compare(
        P::slt, arith::XOrIOp::create(b, loc, rest, divisor), constant(0));
    Value adjust = arith::AndIOp::create(b, loc, differs,
                                         compare(P::ne, rest, constant(0)));
    return b.select(adjust, arith::AddIOp::create(b, loc, rest, divisor), rest);
  }
  case K::Pow: {
    // Small non-negative exponents by repeated products; others give 0 or 1
    // as truncated integer powers do.
    Value wide = y;
    if (width < 64)
      wide = arith::ExtSIOp::create(b, loc, b.i64, y);
    else if (width > 64)
      return {};
    auto product =
        b.loop(b.c(0), b.min(wide, b.c(64)), 1, ValueRange{constant(1)},
               [&](Value, ValueRange carried) {
                 return SmallVector<Value>{
                     arith::MulIOp::create(b, loc, carried[0], x)};
               });
    return product[0];
  }
  case K::Min:
    return b.select(ordered(P::slt, P::ult), x, y);
  case K::Max:
    return b.select(ordered(P::sgt, P::ugt), x, y);
  case K::And:
    return arith::AndIOp::create(b, loc, x, y);
  case K::Or:
    return arith::OrIOp::create(b, loc, x, y);
  case K::Xor:
    return arith::XOrIOp::create(b, loc, x, y);
  case K::Eq:
    return compare(P::eq, x, y);
  case K::Ne:
    return compare(P::ne, x, y);
  case K::Lt:
    return ordered(P::slt, P::ult);
  case K::Le:
    return ordered(P::sle, P::ule);
  case K::Gt:
    return ordered(P::sgt, P::ugt);
  case K::Ge:
    return ordered(P::sge, P::uge);
  }
  return {};
}

Value TensorOpEmitter::binary(Operation *op, plm::BinaryKind kind, Value x,
                              Value y, Type element) {
  if (isa<FloatType>(element))
    return floatBinary(op, kind, x, y);
  return intBinary(kind, x, y, element.isUnsignedInteger());
}

Value TensorOpEmitter::cast(Value x, Type from, Type to) {
  Location loc = b.loc;
  if (from == to)
    return x;
  if (isHalf(from))
    return cast(decodeHalf(b, x, from), b.f32, to);
  if (isHalf(to))
    return encodeHalf(b, cast(x, from, b.getF64Type()), to);
  auto toInt = dyn_cast<IntegerType>(to);
  bool boolean = to.isInteger(1);
  if (isa<FloatType>(from)) {
    if (boolean)
      return arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNE, x,
                                   zeroOf(from));
    if (!toInt) {
      if (from.getIntOrFloatBitWidth() < to.getIntOrFloatBitWidth())
        return arith::ExtFOp::create(b, loc, to, x);
      return arith::TruncFOp::create(b, loc, to, x);
    }
    Type signless = b.getIntegerType(toInt.getWidth());
    // Saturating, NaN gives 0: the plain conversion is undefined there.
    return LLVM::CallIntrinsicOp::create(
               b, loc, signless,
               b.getStringAttr(toInt.isUnsigned() ? "llvm.fptoui.sat"
                                                  : "llvm.fptosi.sat"),
               ValueRange{x}, LLVM::FastmathFlagsAttr())
        .getResult(0);
  }
  bool isUnsigned = from.isUnsignedInteger() || from.isInteger(1);
  if (boolean)
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, x,
                                 zeroOf(from));
  if (!toInt) {
    if (isUnsigned)
      return arith::UIToFPOp::create(b, loc, to, x);
    return arith::SIToFPOp::create(b, loc, to, x);
  }
  unsigned fromWidth = from.getIntOrFloatBitWidth();
  Type signless = b.getIntegerType(toInt.getWidth());
  if (fromWidth == toInt.getWidth())
    return x;
  if (fromWidth > toInt.getWidth())
    return arith::TruncIOp::create(b, loc, signless, x);
  if (isUnsigned)
    return arith::ExtUIOp::create(b, loc, signless, x);
  return arith::ExtSIOp::create(b, loc, signless, x);
}
