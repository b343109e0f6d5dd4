//===- AttentionPanels.cpp - Q, K and V as a task reads them ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionTask.h"
#include "IntegerVectors.h"

using namespace mlir;
using namespace plmc;

void AttentionTask::packKeys() {
  // Zero what the padding lanes of the last panel will read.
  b.ifThen(b.lt(keys, paddedKeys), [&] {
    Value panel = b.at(keyPanels, b.sub(paddedKeys, b.c(width)), keyRows * 4);
    b.loop(b.c(0), b.c(keyRows * width), lanes,
           [&](Value i) { b.store(b.splat(0), b.at(panel, i)); });
  });
  b.loop(b.c(0), keys, 1, [&](Value key) {
    Value source = b.at(k, key, spec.keyStride * 4);
    Value lane = b.rem(key, b.c(width));
    Value target = b.at(b.at(keyPanels, b.sub(key, lane), keyRows * 4), lane);
    if (spec.bf16)
      return storeKeyWords(source, target);
    b.loop(b.c(0), b.c(spec.headSize), 1, [&](Value d) {
      b.store(b.load(b.f32, b.at(source, d)), b.at(target, d, width * 4));
    });
  });
}

void AttentionTask::storeKeyWords(Value source, Value target) {
  IntegerVectors i(b);
  auto halves = VectorType::get({lanes}, b.getI16Type());
  auto words = VectorType::get({lanes / 2}, b.i32);
  for (int64_t d = 0; d < spec.headSize; d += lanes) {
    Value x =
        b.loadVec(b.offset(source, d * 4), std::min(lanes, spec.headSize - d));
    Value codes = emitBF16Codes(b, x);
    if (codes.getType() != halves)
      codes =
          arith::TruncIOp::create(b, b.loc, halves, i.shr(i.bits(codes), 16));
    codes = vector::BitCastOp::create(b, b.loc, words, codes);
    for (int64_t w = 0; w < lanes / 2 && d / 2 + w < headWords; ++w)
      b.store(vector::ExtractOp::create(b, b.loc, codes, w),
              b.offset(target, (d / 2 + w) * width * 4));
  }
}

Value AttentionTask::valueColumns(Value key, int64_t column) {
  int64_t valid = std::clamp<int64_t>(spec.valueSize - column, 0, lanes);
  if (!valid)
    return b.splat(0);
  Value row = b.at(v, key, spec.valueStride * 4);
  return b.loadVec(b.offset(row, column * 4), valid);
}

void AttentionTask::packValues() {
  if (spec.bf16)
    return packValuesBF16();
  int64_t panels = llvm::divideCeil(spec.valueSize, width);
  b.loop(b.c(0), keys, 1, [&](Value key) {
    for (int64_t p = 0; p < panels; ++p) {
      Value panel = b.offset(b.at(valuePanels, key, width * 4),
                             b.mul(keys, p * width * 4));
      for (int64_t i = 0; i < vectors; ++i)
        b.store(valueColumns(key, p * width + i * lanes),
                b.offset(panel, i * lanes * 4));
    }
  });
}

void AttentionTask::packValuesBF16() {
  IntegerVectors i(b);
  int64_t panels = llvm::divideCeil(spec.valueSize, width);
  auto forWord = [&](Value word, llvm::function_ref<Value(int64_t)> make) {
    for (int64_t p = 0; p < panels; ++p)
      for (int64_t v = 0; v < vectors; ++v) {
        Value panel = b.offset(valuePanels, b.mul(valueWords, p * width * 4));
        b.store(make(p * width + v * lanes),
                b.offset(b.at(panel, word, width * 4), v * lanes * 4));
      }
  };
  auto low = [&](Value x) { return i.shr(emitRoundToBF16(b, x), 16); };
  Value pairs = b.div(keys, b.c(2));
  b.loop(b.c(0), pairs, 1, [&](Value word) {
    Value key = b.mul(word, 2);
    forWord(word, [&](int64_t column) -> Value {
      Value high = emitRoundToBF16(b, valueColumns(b.add(key, 1), column));
      return arith::OrIOp::create(b, b.loc, low(valueColumns(key, column)),
                                  high);
    });
  });
  b.ifThen(b.lt(b.mul(pairs, 2), keys), [&] {
    forWord(pairs, [&](int64_t column) {
      return low(valueColumns(b.sub(keys, b.c(1)), column));
    });
  });
  // What fills the last step of the product; its weights are as good as 0.
  b.loop(b.ceilDiv(keys, 2), valueWords, 1, [&](Value word) {
    forWord(word, [&](int64_t) { return i.splat(0); });
  });
}

void AttentionTask::encodeQueries(int64_t tile, Value row) {
  for (int64_t r = 0; r < tile; ++r) {
    Value source = b.at(q, b.add(row, r), spec.queryStride * 4);
    for (int64_t d = 0; d < 2 * headWords; d += lanes) {
      int64_t valid = std::clamp<int64_t>(spec.headSize - d, 0, lanes);
      Value x = valid ? b.loadVec(b.offset(source, d * 4), valid) : b.splat(0);
      b.store(emitBF16Codes(b, x),
              b.offset(queryCodes,
                       r * queryCodeBytes() + d * bf16CodeBytes(b.target)));
    }
  }
}
