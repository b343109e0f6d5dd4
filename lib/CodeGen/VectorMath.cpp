//===- VectorMath.cpp - Approximations of our own ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// GELU. x Phi(x) = max(x, 0) - t(|x|) with t(a) = a erfc(a / sqrt 2) / 2, a
// smooth bump that is below 1.1e-7 from 5.5 on. So one polynomial in a on
// [0, 5.5] does it, without a division, an exponential or a table lookup, on
// any vector width. Mapped to u in [-1, 1] its coefficients stay below 1, so
// Horner's scheme in f32 loses nothing: degree 20 gives 1.1e-7 (degree 18:
// 1.7e-7). erf itself would need more terms for the same error in the product.
// (Coefficients: Chebyshev fit at 400 nodes in double precision.)
//
// exp2. Adding 1.5 * 2^23 rounds x to an integer n in the low mantissa bits; a
// degree 6 polynomial gives 2^(x - n) to 7e-8, and n is added to its exponent.
//
//===----------------------------------------------------------------------===//

#include "VectorMath.h"

using namespace mlir;
using namespace plmc;

static Value horner(KernelBuilder &b, Value x, ArrayRef<float> coefficients) {
  Value sum = b.constantLike(x.getType(), coefficients.back());
  for (float coefficient : llvm::reverse(coefficients.drop_back()))
    sum = b.fma(sum, x, b.constantLike(x.getType(), coefficient));
  return sum;
}

/// The smaller of x and `limit`, NaN if x is.
static Value clampAbove(KernelBuilder &b, Value x, float limit) {
  Value bound = b.constantLike(x.getType(), limit);
  Value over =
      arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OGT, x, bound);
  return b.select(over, bound, x);
}
static Value clampBelow(KernelBuilder &b, Value x, float limit) {
  Value bound = b.constantLike(x.getType(), limit);
  Value under =
      arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OLT, x, bound);
  return b.select(under, bound, x);
}

Value plmc::emitExp2(KernelBuilder &b, Value x) {
  Type type = x.getType();
  Type intType = b.i32;
  if (auto vector = dyn_cast<VectorType>(type))
    intType = VectorType::get(vector.getShape(), b.i32);
  x = clampBelow(b, x, -126.0f);
  Value magic = b.constantLike(type, 12582912.0f); // 1.5 * 2^23
  Value shifted = b.fadd(x, magic);
  Value fraction = b.fsub(x, b.fsub(shifted, magic));
  static const float coefficients[] = {
      1.000000001e+00f, 6.931472056e-01f, 2.402264661e-01f, 5.550328998e-02f,
      9.618519534e-03f, 1.339986036e-03f, 1.533757682e-04f};
  Value power = horner(b, fraction, coefficients);
  // shifted holds n in its low bits; the rest is shifted out.
  Value bits = arith::BitcastOp::create(b, b.loc, intType, shifted);
  Value amount =
      isa<VectorType>(intType)
          ? Value(arith::ConstantOp::create(
                b, b.loc,
                DenseElementsAttr::get(cast<VectorType>(intType), int32_t(23))))
          : Value(arith::ConstantIntOp::create(b, b.loc, 23, 32));
  Value exponent = arith::ShLIOp::create(b, b.loc, bits, amount);
  Value sum = arith::AddIOp::create(
      b, b.loc, arith::BitcastOp::create(b, b.loc, intType, power), exponent);
  return arith::BitcastOp::create(b, b.loc, type, sum);
}

Value plmc::emitExp(KernelBuilder &b, Value x) {
  return emitExp2(b, b.fmul(x, b.constantLike(x.getType(), 1.44269504f)));
}

Value plmc::emitGelu(KernelBuilder &b, Value x) {
  static const float coefficients[] = {
      8.194348575e-03f,  -6.057574255e-02f, 1.912668264e-01f,
      -3.087918682e-01f, 1.788567143e-01f,  2.620355284e-01f,
      -6.274070325e-01f, 4.489981373e-01f,  1.467902878e-01f,
      -5.071224841e-01f, 2.850108341e-01f,  1.531942417e-01f,
      -2.774230119e-01f, 6.051616889e-02f,  1.172351416e-01f,
      -7.099532771e-02f, -2.335006150e-02f, 2.680782958e-02f,
      2.922950859e-04f,  -4.066432314e-03f, 5.337105867e-04f};
  Type type = x.getType();
  Value magnitude =
      clampAbove(b, LLVM::FAbsOp::create(b, b.loc, type, x), 5.5f);
  Value u = b.fma(magnitude, b.constantLike(type, 2.0f / 5.5f),
                  b.constantLike(type, -1.0f));
  Value positive = b.fmax(x, b.constantLike(type, 0.0f));
  return b.fsub(positive, horner(b, u, coefficients));
}

/// 1 / (1 + e^-x)
static Value emitSigmoid(KernelBuilder &b, Value x) {
  Type type = x.getType();
  Value one = b.constantLike(type, 1.0f);
  // 2^(-x log2 e) stays finite up to 2^127.
  Value scaled =
      clampAbove(b, b.fmul(x, b.constantLike(type, -1.44269504f)), 126.0f);
  return b.fdiv(one, b.fadd(one, emitExp2(b, scaled)));
}

/// 1 - 2 / (1 + e^2x): absolute error about 1e-7 everywhere.
static Value emitTanh(KernelBuilder &b, Value x) {
  Type type = x.getType();
  Value one = b.constantLike(type, 1.0f);
  Value scaled =
      clampAbove(b, b.fmul(x, b.constantLike(type, 2 * 1.44269504f)), 126.0f);
  Value quotient =
      b.fdiv(b.constantLike(type, 2.0f), b.fadd(one, emitExp2(b, scaled)));
  return b.fsub(one, quotient);
}

Value plmc::emitActivation(KernelBuilder &b, plm::ActivationKind kind,
                           Value x) {
  Type type = x.getType();
  switch (kind) {
  case plm::ActivationKind::Gelu:
    return emitGelu(b, x);
  case plm::ActivationKind::GeluTanh: {
    // x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)), the same function.
    Value square = b.fmul(x, x);
    Value inner =
        b.fmul(x, b.fma(square, b.constantLike(type, 1.5957691216f * 0.044715f),
                        b.constantLike(type, 1.5957691216f)));
    return b.fmul(x, emitSigmoid(b, inner));
  }
  case plm::ActivationKind::Relu: {
    Value zero = b.constantLike(type, 0.0f);
    Value negative =
        arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OLT, x, zero);
    return b.select(negative, zero, x); // NaN stays NaN
  }
  case plm::ActivationKind::Silu:
    return b.fmul(x, emitSigmoid(b, x));
  case plm::ActivationKind::Tanh:
    return emitTanh(b, x);
  case plm::ActivationKind::Sigmoid:
    return emitSigmoid(b, x);
  }
  llvm_unreachable("all kinds are handled");
}
