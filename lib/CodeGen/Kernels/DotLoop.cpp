//===- DotLoop.cpp - The inner loop of products below f32 --------*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A vector of weights is loaded once and serves all rows. A tile of few rows
// has few accumulators, each of which waits for its last sum (4 cycles, with
// two products a cycle): integers, which may be summed in any order, then have
// several sums for each accumulator.
//

#include "DotLoop.h"
#include "IntegerVectors.h"
#include "UnpackCodes.h"

using namespace mlir;
using namespace plmc;

std::pair<SmallVector<int64_t>, SmallVector<int64_t>>
plmc::evenAndOddLanes(int64_t lanes) {
  SmallVector<int64_t> even, odd;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    even.push_back(2 * lane);
    odd.push_back(2 * lane + 1);
  }
  return {even, odd};
}

Value DotLoop::intrinsic(StringRef name, Type type, ValueRange operands) {
  std::string full = (name + "." + Twine(lanes * 32)).str();
  return LLVM::CallIntrinsicOp::create(b, b.loc, type, b.getStringAttr(full),
                                       operands)
      .getResult(0);
}

Value DotLoop::broadcastCodes(int64_t r, Value pack, int64_t ahead, Type scalar,
                              VectorType vector) {
  int64_t packBytes = format.packSize() * codeBytes;
  Value at = b.offset(b.at(rows[r], pack, packBytes), ahead * codeBytes);
  int64_t count = vector.getNumElements() * vector.getElementTypeBitWidth() /
                  scalar.getIntOrFloatBitWidth();
  auto type = VectorType::get({count}, scalar);
  Value all = vector::BroadcastOp::create(b, b.loc, type, b.load(scalar, at));
  return type == vector
             ? all
             : Value(vector::BitCastOp::create(b, b.loc, vector, all));
}

int64_t DotLoop::chains() const {
  if (!format.isInt() || !words)
    return 1;
  return rows.size() == 1 ? 4 : rows.size() <= 3 ? 2 : 1;
}

void DotLoop::intWords(Value panel, Value pack, int64_t ahead, Sums acc) {
  IntegerVectors i(b);
  auto bytes = VectorType::get({lanes * 4}, b.i8);
  CodePack codes(b, format, panel, wordBytes, lanes);
  int64_t parts = format.packSize() / 4, sums = rows.size() * vectors;
  for (int64_t part = 0; part < parts; ++part) {
    int64_t chain = (ahead * parts + part) % chains();
    SmallVector<Value> weights;
    for (int64_t v = 0; v < vectors; ++v)
      weights.push_back(codes.part(part, v));
    for (int64_t r = 0; r < int64_t(rows.size()); ++r) {
      Value x = broadcastCodes(r, pack, ahead * format.packSize() + part * 4,
                               b.i32, bytes);
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = acc[chain * sums + r * vectors + v];
        sum =
            intrinsic("llvm.x86.avx512.vpdpbusd", i.vi32, {sum, weights[v], x});
      }
    }
  }
}

void DotLoop::intPairs(Value panel, Value pack, int64_t ahead, Sums acc) {
  IntegerVectors i(b);
  auto halves = VectorType::get({lanes * 2}, b.getI16Type());
  auto wide = VectorType::get({lanes * 2}, b.i32);
  SmallVector<int64_t> evenLanes, oddLanes;
  std::tie(evenLanes, oddLanes) = evenAndOddLanes(lanes);
  // LLVM makes one vpmaddwd of this.
  auto multiplyAddPairs = [&](Value x, Value y) {
    Value product = arith::MulIOp::create(
        b, b.loc, arith::ExtSIOp::create(b, b.loc, wide, x),
        arith::ExtSIOp::create(b, b.loc, wide, y));
    return i.add(
        vector::ShuffleOp::create(b, b.loc, product, product, evenLanes),
        vector::ShuffleOp::create(b, b.loc, product, product, oddLanes));
  };
  CodePack codes(b, format, panel, wordBytes, lanes / 2);
  for (int64_t part = 0; part < format.packSize() / 4; ++part) {
    SmallVector<Value> weights;
    for (int64_t v = 0; v < vectors; ++v)
      weights.push_back(
          arith::ExtUIOp::create(b, b.loc, halves, codes.part(part, v)));
    for (int64_t r = 0; r < int64_t(rows.size()); ++r) {
      Value x = broadcastCodes(r, pack, ahead * format.packSize() + part * 4,
                               b.i64, halves);
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = acc[r * vectors + v];
        sum = i.add(sum, multiplyAddPairs(weights[v], x));
      }
    }
  }
}

void DotLoop::bf16Words(Value panel, Value pack, int64_t ahead, Sums acc) {
  auto values = VectorType::get({lanes * 2}, b.getBF16Type());
  SmallVector<Value> weights;
  for (int64_t v = 0; v < vectors; ++v)
    weights.push_back(b.load(values, b.offset(panel, v * lanes * 4)));
  for (int64_t r = 0; r < int64_t(rows.size()); ++r) {
    Value x = broadcastCodes(r, pack, ahead * format.packSize(), b.i32, values);
    for (int64_t v = 0; v < vectors; ++v) {
      Value &sum = acc[r * vectors + v];
      sum = intrinsic("llvm.x86.avx512bf16.dpbf16ps", b.vf32,
                      {sum, x, weights[v]});
    }
  }
}

void DotLoop::bf16Floats(Value panel, Value pack, int64_t ahead, Sums acc) {
  IntegerVectors i(b);
  for (int64_t half = 0; half < 2; ++half) {
    SmallVector<Value> weights;
    for (int64_t v = 0; v < vectors; ++v) {
      Value both = b.load(i.vi32, b.offset(panel, v * lanes * 4));
      weights.push_back(
          i.floats(half ? i.bitAnd(both, i.splat(int32_t(0xffff0000u)))
                        : i.shl(both, 16)));
    }
    for (int64_t r = 0; r < int64_t(rows.size()); ++r) {
      Value x = broadcastCodes(r, pack, ahead * format.packSize() + half, b.f32,
                               b.vf32);
      for (int64_t v = 0; v < vectors; ++v)
        acc[r * vectors + v] = b.fma(x, weights[v], acc[r * vectors + v]);
    }
  }
}

void DotLoop::step(Value pack, int64_t ahead, Sums acc) {
  int64_t packBytes = format.packWords() * wordBytes;
  Value panel = b.offset(b.at(this->panel, pack, packBytes), ahead * packBytes);
  if (prefetchBytes)
    for (int64_t word = 0; word < format.packWords(); ++word)
      for (int64_t line = 0; line < vectors * lanes * 4; line += 64)
        b.prefetch(b.offset(panel, prefetchBytes + word * wordBytes + line));
  if (format.isInt())
    words ? intWords(panel, pack, ahead, acc)
          : intPairs(panel, pack, ahead, acc);
  else
    words ? bf16Words(panel, pack, ahead, acc)
          : bf16Floats(panel, pack, ahead, acc);
}

SmallVector<Value> DotLoop::run(Value first, int64_t count,
                                ArrayRef<Value> init) {
  if (!count)
    return SmallVector<Value>(init);
  // Of 16 values of K at most.
  int64_t unroll = 1;
  for (int64_t candidate : {4, 2})
    if (unroll == 1 && count % candidate == 0 &&
        candidate * format.packSize() <= 16)
      unroll = candidate;
  // LLVM would reorder the sums of several steps, and spill.
  if (format.halvesColumns(b.target))
    unroll = 1;
  return run(first, b.add(first, count), unroll, init);
}

SmallVector<Value> DotLoop::run(Value first, Value last, int64_t unroll,
                                ArrayRef<Value> init) {
  IntegerVectors i(b);
  SmallVector<Value> start(init);
  int64_t chains = format.isInt() ? this->chains() : 1, sums = init.size();
  start.append(sums * (chains - 1), i.splat(0));
  SmallVector<Value> result =
      b.loop(first, last, unroll, start, [&](Value pack, ValueRange carried) {
        SmallVector<Value> acc(carried);
        for (int64_t u = 0; u < unroll; ++u)
          step(pack, u, acc);
        return acc;
      });
  for (; chains > 1; --chains)
    for (int64_t sum = 0; sum < sums; ++sum)
      result[sum] = i.add(result[sum], result[(chains - 1) * sums + sum]);
  result.resize(sums);
  return result;
}
