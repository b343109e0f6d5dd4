//===- EmulatedTiles.cpp - AMX on CPUs that lack it -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A tile becomes a value <256 x i32>, 16 rows of 16 words, and an instruction a
// call of a function below, whose address is a constant: the library is
// compiled and loaded by this process. The functions do what Intel's manual
// says, and insist on more: a shape that the unit would refuse fails the test,
// and what lies outside a tile's shape is not zero but junk, so that a tile
// that is used with another shape than it was made with gives a wrong result.
//
//===----------------------------------------------------------------------===//

#include "EmulatedTiles.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace llvm;

std::atomic<int64_t> plmc::test::tileProducts;

namespace {

constexpr int32_t junk = 0x7a7a7a7a; // a large float, too

void checkShape(int rows, int bytes) {
  if (rows < 1 || rows > 16 || bytes < 4 || bytes > 64 || bytes % 4)
    ADD_FAILURE() << "no shape of a tile: " << rows << " x " << bytes;
}

void clear(int32_t *tile) { std::fill_n(tile, 256, junk); }

void zeroTile(int16_t rows, int16_t bytes, int32_t *tile) {
  checkShape(rows, bytes);
  clear(tile);
  for (int r = 0; r < rows; ++r)
    std::memset(tile + r * 16, 0, bytes);
}

void loadTile(int16_t rows, int16_t bytes, const char *from, int64_t stride,
              int32_t *tile) {
  checkShape(rows, bytes);
  clear(tile);
  for (int r = 0; r < rows; ++r)
    std::memcpy(tile + r * 16, from + r * stride, bytes);
}

void storeTile(int16_t rows, int16_t bytes, char *to, int64_t stride,
               const int32_t *tile) {
  checkShape(rows, bytes);
  for (int r = 0; r < rows; ++r)
    std::memcpy(to + r * stride, tile + r * 16, bytes);
}

void checkProduct(int m, int n, int k) {
  checkShape(m, n);
  checkShape(m, k);
  checkShape(k / 4, n);
  ++plmc::test::tileProducts;
}

/// Signed bytes of x, unsigned ones of y.
void multiplyInt8(int16_t m, int16_t n, int16_t k, const int32_t *c,
                  const int32_t *x, const int32_t *y, int32_t *result) {
  checkProduct(m, n, k);
  clear(result);
  for (int row = 0; row < m; ++row)
    for (int column = 0; column < n / 4; ++column) {
      uint32_t sum = c[row * 16 + column];
      for (int word = 0; word < k / 4; ++word) {
        auto *signedBytes =
            reinterpret_cast<const int8_t *>(&x[row * 16 + word]);
        auto *bytes = reinterpret_cast<const uint8_t *>(&y[word * 16 + column]);
        for (int i = 0; i < 4; ++i)
          sum += uint32_t(int32_t(signedBytes[i]) * int32_t(bytes[i]));
      }
      result[row * 16 + column] = int32_t(sum);
    }
}

float flushed(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value)
                                                : value;
}

float fromBF16(int32_t word, int half) {
  uint32_t bits = half ? uint32_t(word) & 0xffff0000u : uint32_t(word) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return flushed(value);
}

/// Even and odd values of K are summed apart, with one rounding each; then
/// their sum is added to c. Denormal numbers are 0 on the way in and out.
void multiplyBF16(int16_t m, int16_t n, int16_t k, const int32_t *c,
                  const int32_t *x, const int32_t *y, int32_t *result) {
  checkProduct(m, n, k);
  clear(result);
  for (int row = 0; row < m; ++row)
    for (int column = 0; column < n / 4; ++column) {
      float sums[2] = {0, 0};
      for (int word = 0; word < k / 4; ++word)
        for (int half = 0; half < 2; ++half)
          sums[half] = flushed(std::fma(fromBF16(x[row * 16 + word], half),
                                        fromBF16(y[word * 16 + column], half),
                                        sums[half]));
      float start;
      std::memcpy(&start, &c[row * 16 + column], 4);
      float total = flushed(flushed(start) + flushed(sums[0] + sums[1]));
      std::memcpy(&result[row * 16 + column], &total, 4);
    }
}

struct TileInstruction {
  StringLiteral name;
  void *function;
};
const TileInstruction tileInstructions[] = {
    {"llvm.x86.tilezero.internal", reinterpret_cast<void *>(zeroTile)},
    {"llvm.x86.tileloadd64.internal", reinterpret_cast<void *>(loadTile)},
    {"llvm.x86.tilestored64.internal", reinterpret_cast<void *>(storeTile)},
    {"llvm.x86.tdpbsud.internal", reinterpret_cast<void *>(multiplyInt8)},
    {"llvm.x86.tdpbf16ps.internal", reinterpret_cast<void *>(multiplyBF16)},
};

/// The call by the same operands, tiles by address, with a place for the result
/// at the end.
void replace(CallInst *call, void *function, Type *tile) {
  LLVMContext &context = call->getContext();
  IRBuilder<> entry(&*call->getFunction()->getEntryBlock().begin());
  IRBuilder<> builder(call);
  SmallVector<Value *> operands;
  SmallVector<Type *> types;
  auto place = [&] {
    AllocaInst *memory = entry.CreateAlloca(tile);
    operands.push_back(memory);
    return memory;
  };
  for (Value *operand : call->args()) {
    if (operand->getType() == tile)
      builder.CreateStore(operand, place());
    else
      operands.push_back(operand);
  }
  AllocaInst *result = call->getType()->isVoidTy() ? nullptr : place();
  for (Value *operand : operands)
    types.push_back(operand->getType());
  auto *type = FunctionType::get(Type::getVoidTy(context), types, false);
  Constant *address = ConstantExpr::getIntToPtr(
      ConstantInt::get(Type::getInt64Ty(context),
                       reinterpret_cast<uintptr_t>(function)),
      PointerType::get(context, 0));
  CallInst *emulation = builder.CreateCall(type, address, operands);
  for (auto [index, operand] : enumerate(operands))
    if (operand->getType()->isIntegerTy(16))
      emulation->addParamAttr(index, Attribute::SExt);
  if (result)
    call->replaceAllUsesWith(builder.CreateLoad(tile, result));
  call->eraseFromParent();
}

} // namespace

void plmc::test::emulateTiles(Module &module) {
  Type *tile = FixedVectorType::get(Type::getInt32Ty(module.getContext()), 256);
  for (Function &function : module) {
    SmallVector<std::pair<CallInst *, void *>> calls;
    for (Instruction &inst : llvm::instructions(function)) {
      if (inst.getType()->isX86_AMXTy())
        inst.mutateType(tile);
      auto *call = dyn_cast<CallInst>(&inst);
      if (!call || !call->getCalledFunction())
        continue;
      for (const auto &known : tileInstructions)
        if (call->getCalledFunction()->getName() == known.name)
          calls.push_back({call, known.function});
    }
    for (auto [call, emulation] : calls)
      replace(call, emulation, tile);
  }
}
