//===- EncodeRows.cpp - The operand of products below f32 -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IntegerCodes.h"
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

/// Denormals become 0, as they do in the product.
static Value convertToBF16(KernelBuilder &b, StringRef name, ValueRange values,
                           int64_t lanes) {
  auto type = VectorType::get({lanes}, b.getBF16Type());
  Value codes =
      LLVM::CallIntrinsicOp::create(
          b, b.loc, type,
          b.getStringAttr("llvm.x86.avx512bf16." + name + ".512"), values)
          .getResult(0);
  return arith::BitcastOp::create(
      b, b.loc, VectorType::get({lanes}, b.getI16Type()), codes);
}

Value plmc::emitBF16Codes(KernelBuilder &b, Value x) {
  if (!b.target.dotBF16)
    return IntegerVectors(b).floats(emitRoundToBF16(b, x));
  return convertToBF16(b, "cvtneps2bf16", x, b.target.lanes);
}

Value plmc::emitBF16CodePair(KernelBuilder &b, Value x, Value y) {
  return convertToBF16(b, "cvtne2ps2bf16", {y, x}, 2 * b.target.lanes);
}

static void encodeBF16(KernelBuilder &b, Value x, Value target, int64_t k,
                       const EncodedRow &layout) {
  // Past the end of a row there is room up to the next multiple of 64 bytes.
  b.forColumns(k, [&](Value column, int64_t valid) {
    b.store(emitBF16Codes(b, b.loadVec(b.at(x, column), valid)),
            b.at(target, column, layout.codeBytes));
  });
}

/// What pads the last pack has to be 0 (and finite, in bf16).
static void padRow(KernelBuilder &b, Value row, int64_t k, int64_t padded,
                   const EncodedRow &layout) {
  Value zero = arith::ConstantIntOp::create(b, b.loc, int64_t(0),
                                            unsigned(layout.codeBytes * 8));
  for (int64_t column = k; column < padded; ++column)
    b.store(zero, b.offset(row, layout.codes + column * layout.codeBytes));
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
  auto rowAt = [&](Value index) -> RowToEncode {
    return {b.at(func.getArgument(0), index, k * 4),
            b.at(func.getArgument(1), index, layout.stride)};
  };
  auto begin = [&](Value index, Value) {
    RowToEncode row = rowAt(index);
    padRow(b, row.target, k, paddedSize(format, k), layout);
    if (given)
      emitGivenCodes(b, row, k, format, layout, *given, func.getArgument(4),
                     func.getArgument(5));
    else if (format.isInt())
      emitGrid(b, row, k, layout);
    else
      encodeBF16(b, row.x, b.offset(row.target, layout.codes), k, layout);
  };
  auto finish = [&](Value index, Value) {
    emitCodesOnGrid(b, rowAt(index), k, format, layout);
  };
  // The codes of a row would wait for its range: 128 rows of 384 took 3.5 us
  // one after the other and take 2.7 (Zen 5). Loops, since four rows side by
  // side in one body, 8 kB of code, took 3.3.
  SmallVector<llvm::function_ref<void(Value, Value)>> steps{begin};
  if (format.isInt() && !given)
    steps.push_back(finish);
  b.forRows(func.getArgument(2), func.getArgument(3), 8, steps);
  b.endFunction();
  return func;
}
