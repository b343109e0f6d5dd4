//===- IntegerCodes.cpp - Rows of 8-bit codes -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A row of int8 stands for scale * code + shift, shift the middle of its range:
// the residual stream has outliers on one side, GELU has only one side. The
// shift meets the sums of the weight's columns, a row of f32 behind the scales.
//
// A model that was quantized by another tool brings the scale and the zero
// point (plm.quantize): scale * (q - zero). Its codes are the same record; an
// unsigned q is stored as q - 128.
//
//===----------------------------------------------------------------------===//

#include "IntegerCodes.h"
#include "IntegerVectors.h"

using namespace mlir;
using namespace plmc;

/// A mask of the first `valid` lanes.
static Value lanesBelow(KernelBuilder &b, int64_t valid) {
  SmallVector<bool> lanes;
  for (int64_t lane = 0; lane < b.target.lanes; ++lane)
    lanes.push_back(lane < valid);
  return arith::ConstantOp::create(
      b, b.loc,
      DenseElementsAttr::get(VectorType::get({b.target.lanes}, b.i1), lanes));
}

namespace {
/// The range of a row, and whether all of it is finite.
struct RowRange {
  Value min, max;
  Value check; // 0, or NaN unless all values are finite
};
} // namespace

static RowRange emitRange(KernelBuilder &b, Value x, int64_t k) {
  // A sum of x * 0 is NaN unless all are finite. Lanes past the end repeat the
  // first value.
  Value first = b.broadcast(b.load(b.f32, x));
  auto found = b.reduceColumns(
      k, ValueRange{first, first, b.splat(0)},
      [&](Value column, int64_t valid, ValueRange carried) {
        Value value = b.loadVec(b.at(x, column), valid);
        Value sum = b.fma(value, b.splat(0), carried[2]);
        if (valid < b.target.lanes)
          value = b.select(lanesBelow(b, valid), value, first);
        return SmallVector<Value>{b.fmin(carried[0], value),
                                  b.fmax(carried[1], value), sum};
      },
      [&](ValueRange some, ValueRange others) {
        return SmallVector<Value>{b.fmin(some[0], others[0]),
                                  b.fmax(some[1], others[1]),
                                  b.fadd(some[2], others[2])};
      });
  Value negative = b.fsub(b.splat(0), found[0]);
  return {b.fsub(b.f(0), b.reduceMax(negative)), b.reduceMax(found[1]),
          b.reduceAdd(found[2])};
}

/// What makes a code of a value: a vector of i32, in the range of a code.
using CodeOf = llvm::function_ref<Value(Value)>;

namespace {
/// Stores the codes of a row, and their sums.
class CodeStore {
public:
  CodeStore(KernelBuilder &b, Value x, Value row, int64_t k,
            const DotFormat &format, const EncodedRow &layout, CodeOf codeOf)
      : b(b), i(b), x(x), row(row), codes(b.offset(row, layout.codes)), k(k),
        lanes(b.target.lanes), format(format), layout(layout), codeOf(codeOf) {}

  void emit();

private:
  /// Each stores codes and adds them to `sum`, in any lane: of one vector; of
  /// four, which is how instructions narrow them.
  Value storeVector(Value column, int64_t valid, Value sum);
  Value storeFour(Value column, Value sum);
  /// Of columns [first, last), which are whole vectors.
  Value storeRange(Value first, Value last, int64_t columns, Value sum);
  void storeSum(Value sum, Value block);
  Value intrinsic(const Twine &name, Type type, ValueRange operands);

  KernelBuilder &b;
  IntegerVectors i;
  Value x, row, codes;
  const int64_t k, lanes;
  const DotFormat &format;
  const EncodedRow &layout;
  CodeOf codeOf;
};
} // namespace

Value CodeStore::intrinsic(const Twine &name, Type type, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, b.loc, type, b.getStringAttr(name),
                                       operands)
      .getResult(0);
}

Value CodeStore::storeVector(Value column, int64_t valid, Value sum) {
  auto narrow = VectorType::get(
      {lanes}, layout.codeBytes == 1 ? Type(b.i8) : b.getI16Type());
  Value code = codeOf(b.loadVec(b.at(x, column), valid));
  if (valid < lanes) // what pads the row has the code 0
    code = b.select(lanesBelow(b, valid), code, i.splat(0));
  b.store(arith::TruncIOp::create(b, b.loc, narrow, code),
          b.at(codes, column, layout.codeBytes));
  return i.add(sum, code);
}

Value CodeStore::storeFour(Value column, Value sum) {
  StringRef set = b.target.avx512 ? "llvm.x86.avx512." : "llvm.x86.avx2.";
  StringRef bits = b.target.avx512 ? ".512" : "";
  auto pack = [&](StringRef name, Type element, int64_t count, Value first,
                  Value second) {
    return intrinsic(set + name + bits, VectorType::get({count}, element),
                     {first, second});
  };
  SmallVector<Value> four, halves;
  for (int64_t v = 0; v < 4; ++v)
    four.push_back(codeOf(b.load(b.vf32, b.at(x, b.add(column, v * lanes)))));
  for (int64_t v : {0, 2})
    halves.push_back(
        pack("packssdw", b.getI16Type(), 2 * lanes, four[v], four[v + 1]));
  Value bytes = pack("packsswb", b.i8, 4 * lanes, halves[0], halves[1]);
  // Each part of 128 bits has four codes of each vector.
  SmallVector<int64_t> order;
  for (int64_t v = 0; v < 4; ++v)
    for (int64_t part = 0; part < lanes / 4; ++part)
      order.push_back(4 * part + v);
  Value words = vector::BitCastOp::create(b, b.loc, i.vi32, bytes);
  words = vector::ShuffleOp::create(b, b.loc, words, words, order);
  b.store(words, b.at(codes, column, 1));
  Value ones = arith::ConstantOp::create(
      b, b.loc,
      DenseElementsAttr::get(cast<VectorType>(bytes.getType()), int8_t(1)));
  return intrinsic("llvm.x86.avx512.vpdpbusd." + Twine(lanes * 32), i.vi32,
                   {sum, ones, bytes});
}

Value CodeStore::storeRange(Value first, Value last, int64_t columns,
                            Value sum) {
  bool byFour = layout.codeBytes == 1 && columns % (4 * lanes) == 0;
  return b.loop(first, last, byFour ? 4 * lanes : lanes, ValueRange{sum},
                [&](Value column, ValueRange carried) -> SmallVector<Value> {
                  return {byFour ? storeFour(column, carried[0])
                                 : storeVector(column, lanes, carried[0])};
                })[0];
}

void CodeStore::storeSum(Value sum, Value block) {
  Value total =
      vector::ReductionOp::create(b, b.loc, vector::CombiningKind::ADD, sum);
  for (int64_t index = 0; index < 2; ++index) {
    Value factor = arith::ConstantIntOp::create(b, b.loc, index ? -1 : -8, 32);
    b.store(
        arith::MulIOp::create(b, b.loc, total, factor),
        b.offset(b.at(row, block, layout.sumBytes), layout.sums + index * 4));
  }
}

void CodeStore::emit() {
  if (format.block)
    return b.loop(b.c(0), b.c(format.blocks(k)), 1, [&](Value block) {
      Value first = b.mul(block, format.block);
      storeSum(storeRange(first, b.add(first, format.block), format.block,
                          i.splat(0)),
               block);
    });
  int64_t fours = k / (4 * lanes) * 4 * lanes, whole = k / lanes * lanes;
  Value sum = i.splat(0);
  sum = storeRange(b.c(0), b.c(fours), fours, sum);
  sum = storeRange(b.c(fours), b.c(whole), whole - fours, sum);
  if (whole < k)
    sum = storeVector(b.c(whole), k - whole, sum);
  storeSum(sum, b.c(0));
}

/// Codes are round((x - shift) * inverse). The inverse stands where the sums
/// will be, until they are known.
static int64_t inverseAt(const EncodedRow &layout) { return layout.sums; }

/// Adding 1.5 * 2^23 to a small float rounds it to even and leaves the integer
/// in the low bits.
static Value emitRoundToInt(KernelBuilder &b, Value x) {
  IntegerVectors i(b);
  constexpr float magic = 12582912.0f;
  constexpr int64_t magicBits = 0x4b400000;
  return i.add(i.bits(b.fadd(x, b.splat(magic))), i.splat(-magicBits));
}

void plmc::emitGrid(KernelBuilder &b, const RowToEncode &row, int64_t k,
                    const EncodedRow &layout) {
  RowRange found = emitRange(b, row.x, k);
  Value range = b.fsub(found.max, found.min);
  Value middle =
      b.fadd(b.fmul(b.f(0.5f), found.min), b.fmul(b.f(0.5f), found.max));
  // An infinite range is no number either.
  Value check = b.fma(range, b.f(0), found.check);
  b.store(b.fadd(b.fmul(range, b.f(1.0f / 254.0f)), check),
          b.offset(row.target, layout.scale));
  b.store(b.fadd(middle, check), b.offset(row.target, layout.shift));
  Value some =
      arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OGT, range, b.f(0));
  Value inverse = b.select(some, b.fdiv(b.f(254), range), b.f(0));
  b.store(inverse, b.offset(row.target, inverseAt(layout)));
}

void plmc::emitCodesOnGrid(KernelBuilder &b, const RowToEncode &row, int64_t k,
                           const DotFormat &format, const EncodedRow &layout) {
  auto number = [&](int64_t at) {
    return b.broadcast(b.load(b.f32, b.offset(row.target, at)));
  };
  Value shift = number(layout.shift), inverse = number(inverseAt(layout));
  // |value| <= 127 (1 + some 2^-24) rounds to at most 127. A row that is not
  // finite has any codes; its scale is NaN.
  auto codeOf = [&](Value value) {
    return emitRoundToInt(b, b.fmul(b.fsub(value, shift), inverse));
  };
  CodeStore(b, row.x, row.target, k, format, layout, codeOf).emit();
}

void plmc::emitGivenCodes(KernelBuilder &b, const RowToEncode &row, int64_t k,
                          const DotFormat &format, const EncodedRow &layout,
                          const GivenCodes &given, Value scalePtr,
                          Value zeroPtr) {
  Value scale = b.load(b.f32, scalePtr), zero = b.f(0);
  if (given.zeroPoint) {
    Value byte = b.load(b.i8, zeroPtr);
    zero = given.isUnsigned
               ? Value(arith::UIToFPOp::create(b, b.loc, b.f32, byte))
               : Value(arith::SIToFPOp::create(b, b.loc, b.f32, byte));
  }
  Value center = b.f(given.isUnsigned ? 128 : 0);
  b.store(scale, b.offset(row.target, layout.scale));
  b.store(b.fmul(scale, b.fsub(center, zero)),
          b.offset(row.target, layout.shift));
  Value divisor = b.broadcast(scale);
  Value middle = b.broadcast(b.fsub(zero, center));
  auto clamp = [&](Value value, float low, float high) {
    return b.fmin(b.fmax(value, b.splat(low)), b.splat(high));
  };
  auto codeOf = [&](Value value) {
    // Clamped first, so that the sum with the zero point is exact.
    Value steps = clamp(b.fdiv(value, divisor), -512, 512);
    IntegerVectors i(b);
    Value rounded =
        arith::SIToFPOp::create(b, b.loc, b.vf32, emitRoundToInt(b, steps));
    return emitRoundToInt(b, clamp(b.fadd(rounded, middle), -128, 127));
  };
  CodeStore(b, row.x, row.target, k, format, layout, codeOf).emit();
}
