//===- EncodeRows.cpp - The operand of products below f32 -------*- C++ -*-===//
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

#include "DotProduct.h"
#include "IntegerVectors.h"

using namespace mlir;
using namespace plmc;

/// Values of the packs that a row meets: of any number of bits.
static int64_t paddedSize(const DotFormat &format, int64_t k) {
  return llvm::alignTo(k, format.isInt() ? 32 : 8);
}

static EncodedRow layoutOf(const DotFormat &format, int64_t k,
                           int64_t codeBytes) {
  EncodedRow row;
  row.codeBytes = codeBytes;
  if (format.isInt())
    row.codes = llvm::alignTo(row.sums + row.sumBytes * format.blocks(k), 64);
  row.stride = row.codes + llvm::alignTo(paddedSize(format, k) * codeBytes, 64);
  return row;
}

EncodedRow EncodedRow::of(const TargetInfo &target, const DotFormat &format,
                          int64_t k) {
  bool words = format.hasInstruction(target);
  return layoutOf(format, k,
                  format.isInt() ? (words ? 1 : 2) : bf16CodeBytes(target));
}

int64_t plmc::encodedRowBytes(const DotFormat &format, int64_t k) {
  return layoutOf(format, k, format.isInt() ? 2 : 4).stride;
}

Value plmc::emitRoundToBF16(KernelBuilder &b, Value x) {
  IntegerVectors i(b);
  Value bits = i.bits(x);
  Value odd = i.bitAnd(i.shr(bits, 16), i.splat(1));
  Value rounded = i.bitAnd(i.add(i.add(bits, i.splat(0x7fff)), odd),
                           i.splat(int32_t(0xffff0000u)));
  Value isNaN =
      arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::UNO, x, x);
  // Rounding could turn a NaN into an infinity: keep its upper half, quiet.
  Value quiet = i.splat(0x7fc00000);
  return b.select(isNaN, quiet, rounded);
}

int64_t plmc::bf16CodeBytes(const TargetInfo &target) {
  return target.dotBF16 ? 2 : 4;
}

Value plmc::emitBF16Codes(KernelBuilder &b, Value x) {
  if (!b.target.dotBF16)
    return IntegerVectors(b).floats(emitRoundToBF16(b, x));
  // Denormals become 0, as they do in the product.
  auto type = VectorType::get({b.target.lanes}, b.getBF16Type());
  Value codes = LLVM::CallIntrinsicOp::create(
                    b, b.loc, type,
                    b.getStringAttr("llvm.x86.avx512bf16.cvtneps2bf16.512"),
                    ValueRange{x})
                    .getResult(0);
  return arith::BitcastOp::create(
      b, b.loc, VectorType::get({b.target.lanes}, b.getI16Type()), codes);
}

static void encodeBF16(KernelBuilder &b, Value x, Value target, int64_t k,
                       const EncodedRow &layout) {
  // Past the end of a row there is room up to the next multiple of 64 bytes.
  b.forColumns(k, [&](Value column, int64_t valid) {
    b.store(emitBF16Codes(b, b.loadVec(b.at(x, column), valid)),
            b.at(target, column, layout.codeBytes));
  });
}

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

/// Codes and their sums.
static void storeCodes(KernelBuilder &b, Value x, Value row, int64_t k,
                       const DotFormat &format, const EncodedRow &layout,
                       CodeOf codeOf) {
  IntegerVectors i(b);
  auto narrow = VectorType::get(
      {b.target.lanes}, layout.codeBytes == 1 ? Type(b.i8) : b.getI16Type());
  Value codes = b.offset(row, layout.codes);
  auto encode = [&](Value column, int64_t valid, ValueRange carried) {
    Value code = codeOf(b.loadVec(b.at(x, column), valid));
    if (valid < b.target.lanes) // what pads the row has the code 0
      code = b.select(lanesBelow(b, valid), code, i.splat(0));
    b.store(arith::TruncIOp::create(b, b.loc, narrow, code),
            b.at(codes, column, layout.codeBytes));
    return SmallVector<Value>{i.add(carried[0], code)};
  };
  auto storeSum = [&](Value sum, Value block) {
    Value total =
        vector::ReductionOp::create(b, b.loc, vector::CombiningKind::ADD, sum);
    for (int64_t index = 0; index < 2; ++index) {
      Value factor =
          arith::ConstantIntOp::create(b, b.loc, index ? -1 : -8, 32);
      b.store(
          arith::MulIOp::create(b, b.loc, total, factor),
          b.offset(b.at(row, block, layout.sumBytes), layout.sums + index * 4));
    }
  };
  if (!format.block)
    return storeSum(b.reduceColumns(k, ValueRange{i.splat(0)}, encode,
                                    [&](ValueRange some, ValueRange others) {
                                      return SmallVector<Value>{
                                          i.add(some[0], others[0])};
                                    })[0],
                    b.c(0));
  b.loop(b.c(0), b.c(format.blocks(k)), 1, [&](Value block) {
    Value first = b.mul(block, format.block);
    auto sums =
        b.loop(first, b.add(first, format.block), b.target.lanes,
               ValueRange{i.splat(0)}, [&](Value column, ValueRange carried) {
                 return encode(column, b.target.lanes, carried);
               });
    storeSum(sums[0], block);
  });
}

/// Adding 1.5 * 2^23 to a small float rounds it to even and leaves the integer
/// in the low bits.
static Value emitRoundToInt(KernelBuilder &b, Value x) {
  IntegerVectors i(b);
  constexpr float magic = 12582912.0f;
  constexpr int64_t magicBits = 0x4b400000;
  return i.add(i.bits(b.fadd(x, b.splat(magic))), i.splat(-magicBits));
}

static void encodeInt8(KernelBuilder &b, Value x, Value row, int64_t k,
                       const DotFormat &format, const EncodedRow &layout) {
  RowRange found = emitRange(b, x, k);
  Value range = b.fsub(found.max, found.min);
  Value middle =
      b.fadd(b.fmul(b.f(0.5f), found.min), b.fmul(b.f(0.5f), found.max));
  // An infinite range is no number either.
  Value check = b.fma(range, b.f(0), found.check);
  b.store(b.fadd(b.fmul(range, b.f(1.0f / 254.0f)), check),
          b.offset(row, layout.scale));
  b.store(b.fadd(middle, check), b.offset(row, layout.shift));
  Value some =
      arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OGT, range, b.f(0));
  Value inverse = b.broadcast(b.select(some, b.fdiv(b.f(254), range), b.f(0)));
  Value shift = b.broadcast(middle);

  // |value| <= 127 (1 + some 2^-24) rounds to at most 127. A row that is not
  // finite has any codes; its scale is NaN.
  storeCodes(b, x, row, k, format, layout, [&](Value value) {
    return emitRoundToInt(b, b.fmul(b.fsub(value, shift), inverse));
  });
}

/// The codes of plm.quantize: saturate(round(x / scale) + zero).
static void encodeGiven(KernelBuilder &b, Value x, Value row, int64_t k,
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
  b.store(scale, b.offset(row, layout.scale));
  b.store(b.fmul(scale, b.fsub(center, zero)), b.offset(row, layout.shift));
  Value divisor = b.broadcast(scale);
  Value middle = b.broadcast(b.fsub(zero, center));
  auto clamp = [&](Value value, float low, float high) {
    return b.fmin(b.fmax(value, b.splat(low)), b.splat(high));
  };
  storeCodes(b, x, row, k, format, layout, [&](Value value) {
    // Clamped first, so that the sum with the zero point is exact.
    Value steps = clamp(b.fdiv(value, divisor), -512, 512);
    IntegerVectors i(b);
    Value rounded =
        arith::SIToFPOp::create(b, b.loc, b.vf32, emitRoundToInt(b, steps));
    return emitRoundToInt(b, clamp(b.fadd(rounded, middle), -128, 127));
  });
}

func::FuncOp plmc::buildEncodeRows(KernelBuilder &b, ModuleOp module,
                                   const DotFormat &format, int64_t k,
                                   std::optional<GivenCodes> given) {
  // The bits of the weight do not show in the rows.
  std::string name =
      format.isInt()
          ? llvm::formatv("encode_int8_{0}_{1}", k, format.block).str()
          : llvm::formatv("encode_bf16_{0}", k).str();
  SmallVector<Type> types{b.ptr, b.ptr, b.i64, b.i64};
  if (given) {
    types.append({b.ptr, b.ptr});
    name += given->isUnsigned ? "_ui8" : "_i8";
    name += given->zeroPoint ? "_zero" : "";
  }
  auto func = b.beginFunction(module, name, types);
  func.setPrivate();
  EncodedRow layout = EncodedRow::of(b.target, format, k);
  b.loop(func.getArgument(2), func.getArgument(3), 1, [&](Value row) {
    Value x = b.at(func.getArgument(0), row, k * 4);
    Value target = b.at(func.getArgument(1), row, layout.stride);
    // What pads the last pack has to be 0 (and finite, in bf16).
    if (int64_t padded = paddedSize(format, k); padded != k)
      for (int64_t column = k; column < padded; ++column) {
        Value at = b.offset(target, layout.codes + column * layout.codeBytes);
        b.store(layout.codeBytes == 1
                    ? Value(arith::ConstantIntOp::create(b, b.loc, 0, 8))
                : layout.codeBytes == 2
                    ? Value(arith::ConstantIntOp::create(b, b.loc, 0, 16))
                    : Value(arith::ConstantIntOp::create(b, b.loc, 0, 32)),
                at);
      }
    if (given)
      encodeGiven(b, x, target, k, format, layout, *given, func.getArgument(4),
                  func.getArgument(5));
    else if (format.isInt())
      encodeInt8(b, x, target, k, format, layout);
    else
      encodeBF16(b, x, b.offset(target, layout.codes), k, layout);
  });
  b.endFunction();
  return func;
}
