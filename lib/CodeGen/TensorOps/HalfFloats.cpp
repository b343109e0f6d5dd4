//===- HalfFloats.cpp - f16 and bf16 in generated code --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HalfFloats.h"

using namespace mlir;
using namespace plmc;

namespace {

/// Integer arithmetic of one width.
struct Bits {
  KernelBuilder &b;
  unsigned width;

  Value c(int64_t value) {
    return arith::ConstantIntOp::create(b, b.loc, value, width);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, b.loc, x, y); }
  Value sub(Value x, Value y) { return arith::SubIOp::create(b, b.loc, x, y); }
  Value both(Value x, Value y) { return arith::AndIOp::create(b, b.loc, x, y); }
  Value either(Value x, Value y) {
    return arith::OrIOp::create(b, b.loc, x, y);
  }
  Value left(Value x, Value by) {
    return arith::ShLIOp::create(b, b.loc, x, by);
  }
  Value right(Value x, Value by) {
    return arith::ShRUIOp::create(b, b.loc, x, by);
  }
  Value is(arith::CmpIPredicate predicate, Value x, Value y) {
    return arith::CmpIOp::create(b, b.loc, predicate, x, y);
  }
  Value min(Value x, Value y) { return arith::MinSIOp::create(b, b.loc, x, y); }
  Value max(Value x, Value y) { return arith::MaxSIOp::create(b, b.loc, x, y); }
};

} // namespace

Value plmc::decodeHalf(KernelBuilder &b, Value half, Type type) {
  Bits i{b, 32};
  Value bits = arith::ExtUIOp::create(b, b.loc, b.i32, half);
  auto asFloat = [&](Value value) -> Value {
    return arith::BitcastOp::create(b, b.loc, b.f32, value);
  };
  if (type.isBF16())
    return asFloat(i.left(bits, i.c(16)));
  Value sign = i.left(i.both(bits, i.c(0x8000)), i.c(16));
  Value magnitude = i.both(bits, i.c(0x7fff));
  // The exponent is biased by 15 there and by 127 here; the largest one stands
  // for infinities and NaNs in both.
  Value bias = i.c(112 << 23);
  Value normal = i.add(i.left(magnitude, i.c(13)), bias);
  Value special = i.is(arith::CmpIPredicate::sge, magnitude, i.c(0x7c00));
  normal = b.select(special, i.add(normal, bias), normal);
  Value steps = arith::UIToFPOp::create(b, b.loc, b.f32, magnitude);
  Value subnormal =
      arith::BitcastOp::create(b, b.loc, b.i32, b.fmul(steps, b.f(0x1p-24f)));
  Value isSubnormal = i.is(arith::CmpIPredicate::slt, magnitude, i.c(0x400));
  return asFloat(i.either(sign, b.select(isSubnormal, subnormal, normal)));
}

Value plmc::encodeHalf(KernelBuilder &b, Value value, Type type) {
  const int mantissaBits = type.isF16() ? 10 : 7;
  const int bias = type.isF16() ? 15 : 127;
  const int64_t infinity = int64_t(2 * bias + 1) << mantissaBits;
  const int minExponent = 1 - bias;
  constexpr int64_t implicitBit = int64_t(1) << 52;

  Bits i{b, 64};
  Value bits = arith::BitcastOp::create(b, b.loc, b.i64, value);
  Value sign = i.both(i.right(bits, i.c(48)), i.c(0x8000));
  Value exponent = i.sub(i.both(i.right(bits, i.c(52)), i.c(0x7ff)),
                         i.c(1023 + minExponent)); // from the least one on
  Value mantissa = i.both(bits, i.c(implicitBit - 1));

  // Bits to cut: more of them below the least exponent. From 54 on nothing is
  // left, which takes in the subnormal doubles.
  Value shift =
      i.add(i.c(52 - mantissaBits), i.max(i.sub(i.c(0), exponent), i.c(0)));
  shift = i.min(shift, i.c(54));
  Value full = i.either(mantissa, i.c(implicitBit));
  Value odd = i.both(i.right(full, shift), i.c(1));
  Value half = i.left(i.c(1), i.sub(shift, i.c(1)));
  Value rounded = i.right(i.add(full, i.add(i.sub(half, i.c(1)), odd)), shift);
  // The implicit bit and a carry out of the mantissa add one to the exponent,
  // which is what they mean. Infinities have the largest exponent of all.
  Value base = i.left(i.max(exponent, i.c(0)), i.c(mantissaBits));
  Value result = i.min(i.add(base, rounded), i.c(infinity));
  Value isNaN =
      arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::UNO, value, value);
  Value quiet = i.c(infinity | int64_t(1) << (mantissaBits - 1));
  result = i.either(sign, b.select(isNaN, quiet, result));
  return arith::TruncIOp::create(b, b.loc, b.getIntegerType(16), result);
}
