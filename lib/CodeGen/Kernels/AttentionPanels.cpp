//===- AttentionPanels.cpp - Q, K and V as a task reads them ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionTask.h"
#include "DotLoop.h"
#include "IntegerVectors.h"
#include "Transpose.h"

using namespace mlir;
using namespace plmc;

void AttentionTask::packKeys() {
  // A square of keys and words at a time. The lanes behind the last key repeat
  // it; their scores are not used.
  Value last = b.sub(keys, b.c(1));
  b.loop(b.c(0), paddedKeys, lanes, [&](Value first) {
    Value lane = b.rem(first, b.c(width));
    Value target = b.at(b.at(keyPanels, b.sub(first, lane), keyRows * 4), lane);
    SmallVector<Value> sources;
    for (int64_t r = 0; r < lanes; ++r)
      sources.push_back(
          b.at(k, b.min(b.add(first, r), last), spec.keyStride * 4));
    int64_t perVector = spec.bf16 ? 2 * lanes : lanes;
    auto pack = [&](Value word, int64_t values) {
      SmallVector<Value> square;
      for (Value source : sources)
        square.push_back(keyWords(source, word, values));
      square = emitTranspose(b, square);
      int64_t words = spec.bf16 ? llvm::divideCeil(values, 2) : values;
      for (int64_t w = 0; w < words; ++w)
        b.store(square[w], b.at(target, b.add(word, w), width * 4));
    };
    int64_t whole = spec.headSize / perVector;
    b.loop(b.c(0), b.c(whole * lanes), lanes,
           [&](Value word) { pack(word, perVector); });
    if (int64_t rest = spec.headSize % perVector)
      pack(b.c(whole * lanes), rest);
  });
}

Value AttentionTask::keyWords(Value source, Value word, int64_t values) {
  if (!spec.bf16)
    return b.loadVec(b.at(source, word), values);
  auto columns = [&](int64_t column) {
    int64_t valid = std::clamp<int64_t>(values - column, 0, lanes);
    return valid ? b.loadVec(b.offset(b.at(source, word, 8), column * 4), valid)
                 : b.splat(0);
  };
  IntegerVectors i(b);
  Value x = columns(0), y = columns(lanes);
  if (b.target.dotBF16)
    return vector::BitCastOp::create(b, b.loc, i.vi32,
                                     emitBF16CodePair(b, x, y));
  // Pairs of lanes as words.
  x = emitRoundToBF16(b, x);
  y = emitRoundToBF16(b, y);
  auto [even, odd] = evenAndOddLanes(lanes);
  Value low = vector::ShuffleOp::create(b, b.loc, x, y, even);
  Value high = vector::ShuffleOp::create(b, b.loc, x, y, odd);
  return arith::OrIOp::create(b, b.loc, i.shr(low, 16), high);
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
  SmallVector<int64_t> inTurn;
  for (int64_t lane = 0; lane < lanes; ++lane)
    inTurn.append({lane, lanes + lane});
  b.loop(b.c(0), pairs, 1, [&](Value word) {
    Value key = b.mul(word, 2);
    forWord(word, [&](int64_t column) -> Value {
      Value x = valueColumns(key, column);
      Value y = valueColumns(b.add(key, 1), column);
      if (b.target.dotBF16)
        return vector::BitCastOp::create(
            b, b.loc, i.vi32,
            vector::ShuffleOp::create(b, b.loc, emitBF16Codes(b, x),
                                      emitBF16Codes(b, y), inTurn));
      return arith::OrIOp::create(b, b.loc, low(x), emitRoundToBF16(b, y));
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
