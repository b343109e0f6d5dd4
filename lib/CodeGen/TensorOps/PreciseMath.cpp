//===- PreciseMath.cpp - Logarithms and angles ----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PreciseMath.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include <limits>

using namespace mlir;

namespace plmc {
namespace {

/// Double precision, written like arithmetic.
struct Doubles {
  KernelBuilder &b;
  Location loc = b.loc;
  Type f64 = b.getF64Type();

  Value number(double value) const {
    return arith::ConstantOp::create(b, loc, b.getF64FloatAttr(value));
  }
  Value widen(Value x) const { return arith::ExtFOp::create(b, loc, f64, x); }
  Value narrow(Value x) const {
    return arith::TruncFOp::create(b, loc, b.getF32Type(), x);
  }
  Value add(Value x, Value y) const {
    return arith::AddFOp::create(b, loc, x, y);
  }
  Value sub(Value x, Value y) const {
    return arith::SubFOp::create(b, loc, x, y);
  }
  Value mul(Value x, Value y) const {
    return arith::MulFOp::create(b, loc, x, y);
  }
  Value select(arith::CmpFPredicate predicate, Value x, double y, Value yes,
               Value no) const {
    Value condition = arith::CmpFOp::create(b, loc, predicate, x, number(y));
    return arith::SelectOp::create(b, loc, condition, yes, no);
  }
  /// c0 + c1 x + c2 x^2 + ...
  Value polynomial(Value x, ArrayRef<double> coefficients) const {
    Value sum = number(coefficients.back());
    for (double coefficient : llvm::reverse(coefficients.drop_back()))
      sum = add(mul(sum, x), number(coefficient));
    return sum;
  }
};

using P = arith::CmpFPredicate;

} // namespace

Value emitPreciseLog(KernelBuilder &b, Value input) {
  Doubles d{b};
  Type i64 = b.getI64Type();
  auto integer = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, d.loc, b.getI64IntegerAttr(value));
  };
  // x = 2^exponent * mantissa; every f32 is a normal double.
  Value x = d.widen(input);
  Value bits = arith::BitcastOp::create(b, d.loc, i64, x);
  Value exponent = arith::SIToFPOp::create(
      b, d.loc, d.f64,
      arith::SubIOp::create(b, d.loc,
                            arith::ShRUIOp::create(b, d.loc, bits, integer(52)),
                            integer(1023)));
  Value mantissa = arith::BitcastOp::create(
      b, d.loc, d.f64,
      arith::OrIOp::create(
          b, d.loc,
          arith::AndIOp::create(b, d.loc, bits, integer((1ll << 52) - 1)),
          integer(1023ll << 52)));
  Value halved = d.mul(mantissa, d.number(0.5));
  exponent = d.select(P::OGT, mantissa, 1.41421356237309505,
                      d.add(exponent, d.number(1)), exponent);
  mantissa = d.select(P::OGT, mantissa, 1.41421356237309505, halved, mantissa);
  // log(m) = 2 atanh((m - 1) / (m + 1)), |...| < 0.172
  Value ratio = arith::DivFOp::create(b, d.loc, d.sub(mantissa, d.number(1)),
                                      d.add(mantissa, d.number(1)));
  Value series = d.polynomial(d.mul(ratio, ratio),
                              {2.0, 2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9,
                               2.0 / 11, 2.0 / 13, 2.0 / 15, 2.0 / 17});
  Value result = d.add(d.mul(exponent, d.number(0.693147180559945309)),
                       d.mul(ratio, series));
  double infinity = std::numeric_limits<double>::infinity();
  result = d.select(P::OEQ, x, infinity, x, result);
  result = d.select(P::OEQ, x, 0, d.number(-infinity), result);
  result = d.select(P::ULT, x, 0,
                    d.number(std::numeric_limits<double>::quiet_NaN()), result);
  return d.narrow(result);
}

Value emitPreciseSine(KernelBuilder &b, Value input, int quarters) {
  Doubles d{b};
  Value x = d.widen(input);
  // x = turns * pi / 2 + rest, |rest| <= pi / 4. Infinities become NaN here.
  Value turns = LLVM::RoundEvenOp::create(
      b, d.loc, d.f64, d.mul(x, d.number(0.636619772367581343)));
  Value rest = d.sub(x, d.mul(turns, d.number(1.57079632679489656)));
  rest = d.sub(rest, d.mul(turns, d.number(6.12323399573676604e-17)));
  Value shifted = d.add(turns, d.number(quarters));
  Value quarter =
      d.sub(shifted, d.mul(LLVM::FFloorOp::create(
                               b, d.loc, d.f64, d.mul(shifted, d.number(0.25))),
                           d.number(4)));
  Value square = d.mul(rest, rest);
  Value sine =
      d.mul(rest, d.polynomial(square, {1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040,
                                        1.0 / 362880, -1.0 / 39916800,
                                        1.0 / 6227020800}));
  Value cosine =
      d.polynomial(square, {1.0, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320,
                            -1.0 / 3628800, 1.0 / 479001600});
  // Quarter 0: sine, 1: cosine, 2: -sine, 3: -cosine.
  Value low = d.select(P::OEQ, quarter, 1, cosine, sine);
  Value high = d.select(P::OEQ, quarter, 3, cosine, sine);
  high = arith::NegFOp::create(b, d.loc, high);
  return d.narrow(d.select(P::OGE, quarter, 2, high, low));
}

} // namespace plmc
