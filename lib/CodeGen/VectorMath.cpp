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
// AVX-512 looks coefficients up in registers (vpermps): 16 pieces of degree 5,
// centred at whole numbers of 15.49 / 5.5 steps of a, so that rounding a gives
// the piece and the place in it. 18 instructions instead of 26, error 2e-8.
//
// exp2. Adding 1.5 * 2^23 rounds x to an integer n in the low mantissa bits; a
// degree 6 polynomial gives 2^(x - n) to 7e-8, and n is added to its exponent.
// AVX-512 has the remainder (vreduceps, 0 for an infinity) and the scaling with
// its limits (vscalefps), both of floor(x): degree 5, 8e-8.
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

static Value callIntrinsic(KernelBuilder &b, StringRef name, Type type,
                           ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, b.loc, type, b.getStringAttr(name),
                                       operands)
      .getResult(0);
}

static bool hasWholeVectors(KernelBuilder &b, Type type) {
  return b.target.avx512 && type == b.vf32;
}

static Value emitExp2AVX512(KernelBuilder &b, Value x) {
  auto integer = [&](int64_t value, unsigned bits) -> Value {
    return arith::ConstantIntOp::create(b, b.loc, value, bits);
  };
  // All lanes, the current rounding mode.
  Value mask = integer(-1, 16), mode = integer(4, 32);
  Value zero = b.splat(0);
  Value fraction =
      callIntrinsic(b, "llvm.x86.avx512.mask.reduce.ps.512", b.vf32,
                    {x, integer(/*floor*/ 1, 32), zero, mask, mode});
  static const float coefficients[] = {9.999999251e-01f, 6.931530731e-01f,
                                       2.401536173e-01f, 5.582631759e-02f,
                                       8.989340340e-03f, 1.877576671e-03f};
  return callIntrinsic(
      b, "llvm.x86.avx512.mask.scalef.ps.512", b.vf32,
      {horner(b, fraction, coefficients), x, zero, mask, mode});
}

Value plmc::emitExp2(KernelBuilder &b, Value x) {
  Type type = x.getType();
  if (hasWholeVectors(b, type))
    return emitExp2AVX512(b, x);
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

static Value emitGeluAVX512(KernelBuilder &b, Value x) {
  // Of each power, the coefficients of the pieces.
  static const float tables[6][16] = {
      {1.478254655e-10f, 1.282751216e-01f, 1.695875021e-01f, 1.527416007e-01f,
       1.104465096e-01f, 6.732257714e-02f, 3.529876084e-02f, 1.607839046e-02f,
       6.396460008e-03f, 2.229505674e-03f, 6.821570518e-04f, 1.834438102e-04f,
       4.339312273e-05f, 9.034035240e-06f, 1.655987109e-06f, 2.673431204e-07f},
      {1.775338714e-01f, 8.105184795e-02f, 6.620736808e-03f, -3.464518710e-02f,
       -4.576701828e-02f, -3.854607825e-02f, -2.531527063e-02f,
       -1.374238771e-02f, -6.321276389e-03f, -2.495644710e-03f,
       -8.519992314e-04f, -2.527104915e-04f, -6.532970107e-05f,
       -1.475262033e-05f, -2.914777021e-06f, -5.044909613e-07f},
      {-5.029540201e-02f, -4.424605783e-02f, -2.923110448e-02f,
       -1.234009372e-02f, 1.570928605e-04f, 5.990604521e-03f, 6.600196138e-03f,
       4.786246261e-03f, 2.700964261e-03f, 1.251597893e-03f, 4.880445040e-04f,
       1.622928238e-04f, 4.640053913e-05f, 1.146736825e-05f, 2.458944631e-06f,
       4.587475214e-07f},
      {-4.285509028e-06f, 3.843852161e-03f, 5.741886623e-03f, 5.151232156e-03f,
       3.057266628e-03f, 9.269920261e-04f, -3.530701775e-04f, -7.338955011e-04f,
       -6.087888013e-04f, -3.580915871e-04f, -1.664319908e-04f,
       -6.370674633e-05f, -2.050464096e-05f, -5.616728356e-06f,
       -1.319601302e-06f, -2.672610704e-07f},
      {1.073413901e-03f, 7.726789876e-04f, 1.499182286e-04f, -3.929116016e-04f,
       -5.788890857e-04f, -4.428731223e-04f, -1.968426756e-04f,
       -1.447649721e-05f, 5.811584804e-05f, 5.866863746e-05f, 3.617008601e-05f,
       1.683300862e-05f, 6.309609154e-06f, 1.961983197e-06f, 5.144407565e-07f,
       1.148386340e-07f},
      {-2.965206662e-05f, -1.031474997e-04f, -1.306587310e-04f,
       -7.688795428e-05f, 7.763867460e-07f, 4.590686136e-05f, 4.657245628e-05f,
       2.508579379e-05f, 5.452943685e-06f, -3.532877353e-06f, -4.637569314e-06f,
       -2.961154493e-06f, -1.358890916e-06f, -4.915493564e-07f,
       -1.456525444e-07f, -3.633418310e-08f},
  };
  constexpr float steps = 15.49f / 5.5f, magic = 12582912.0f; // 1.5 * 2^23
  Value a = clampAbove(b, LLVM::FAbsOp::create(b, b.loc, b.vf32, x), 5.5f);
  // Rounded to an integer, whose low bits choose the piece.
  Value shifted = b.fma(a, b.splat(steps), b.splat(magic));
  Value piece = arith::BitcastOp::create(
      b, b.loc, VectorType::get({b.target.lanes}, b.i32), shifted);
  Value place = b.fma(a, b.splat(steps), b.fsub(b.splat(magic), shifted));
  Value sum;
  for (const float (&table)[16] : llvm::reverse(tables)) {
    Value values = arith::ConstantOp::create(
        b, b.loc, DenseElementsAttr::get(b.vf32, ArrayRef(table)));
    Value own = callIntrinsic(b, "llvm.x86.avx512.permvar.sf.512", b.vf32,
                              {values, piece});
    sum = sum ? b.fma(sum, place, own) : own;
  }
  return b.fsub(b.fmax(x, b.splat(0)), sum);
}

Value plmc::emitGelu(KernelBuilder &b, Value x) {
  if (hasWholeVectors(b, x.getType()))
    return emitGeluAVX512(b, x);
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
