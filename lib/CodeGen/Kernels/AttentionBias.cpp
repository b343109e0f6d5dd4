//===- AttentionBias.cpp - A bias on scores ---------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A bias (relative positions, a window, a visible matrix) is [batch, heads,
// length, length] in the batch's own positions, while rows are packed, kept
// ones first. row_source leads from one to the other. Keys that lie side by
// side, which they do unless the mask has holes, are read as vectors.
//
//===----------------------------------------------------------------------===//

#include "AttentionTask.h"

using namespace mlir;
using namespace plmc;

Value AttentionTask::scaledBias(Value value) {
  // The lowest float, which masks are made of, must not become -inf: a row of
  // nothing else is an average, as in the graph.
  auto vector = dyn_cast<VectorType>(value.getType());
  auto constant = [&](float number) {
    return vector ? b.splat(number) : b.f(number);
  };
  Value scaled = b.fmul(b.fmax(value, constant(-2e38f)), constant(1.44269504f));
  Value excluded = arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OEQ,
                                         value, constant(lowestScore));
  return b.select(excluded, constant(lowestScore), scaled);
}

void AttentionTask::addBias(Value row, int64_t r) {
  Value position = b.sub(b.loadI32(rowSource, b.add(row, r)), firstSource);
  Value source = b.at(bias, b.mul(position, biasQueryStride));
  Value target = b.offset(strip, b.mul(stripStride, r));
  // Kept rows are in order; so are the others, which come after them.
  auto positionOf = [&](Value row) {
    return b.sub(b.loadI32(rowSource, row), firstSource);
  };
  Value first = positionOf(b.c(0));
  auto isRun = [&](Value count) { // the first `count` rows, if any
    Value last = b.sub(b.select(b.lt(b.c(0), count), count, b.c(1)), b.c(1));
    return b.eq(b.sub(positionOf(last), first), last);
  };
  Value adjacent = arith::AndIOp::create(
      b, b.loc, arith::AndIOp::create(b, b.loc, isRun(kept), isRun(keys)),
      b.eq(biasKeyStride, b.c(1)));
  Value whole =
      b.select(adjacent, b.sub(keys, b.rem(keys, b.c(lanes))), b.c(0));
  b.loop(b.c(0), whole, lanes, [&](Value key) {
    Value at = b.at(target, key);
    Value value = b.load(b.vf32, b.at(source, b.add(first, key)));
    b.store(b.fadd(b.load(b.vf32, at), scaledBias(value)), at);
  });
  b.loop(whole, keys, 1, [&](Value key) {
    Value keyPosition = positionOf(key);
    Value at = b.at(target, key);
    Value value =
        b.load(b.f32, b.at(source, b.mul(keyPosition, biasKeyStride)));
    b.store(b.fadd(b.load(b.f32, at), scaledBias(value)), at);
  });
}
