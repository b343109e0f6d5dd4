//===- Transpose.cpp - Squares of 32-bit elements ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Every shuffle here is one instruction: two rounds within parts of 128 bits
// (unpcklps, unpcklpd), which make squares of 4 x 4, then rounds that move
// whole parts (vperm2f128, vshuff32x4).
//

#include "Transpose.h"

using namespace mlir;
using namespace plmc;

/// Elements of 32 bits in a part.
static constexpr int64_t partLanes = 4;

namespace {
class Transpose {
public:
  explicit Transpose(KernelBuilder &b) : b(b), lanes(b.target.lanes) {}

  SmallVector<Value> square(ArrayRef<Value> rows);

private:
  Value shuffle(Value x, Value y, ArrayRef<int64_t> lanesOfBoth) {
    return vector::ShuffleOp::create(b, b.loc, x, y, lanesOfBoth);
  }
  /// Of each part, runs of `run` elements of x and y in turn, from element
  /// `first` of the part on.
  Value interleave(Value x, Value y, int64_t first, int64_t run);
  /// The even or the odd parts of x, then those of y.
  Value everyOtherPart(Value x, Value y, int64_t first);
  /// Element i is made of part i of each of the vectors.
  SmallVector<Value> parts(ArrayRef<Value> vectors);

  KernelBuilder &b;
  const int64_t lanes;
};
} // namespace

Value Transpose::interleave(Value x, Value y, int64_t first, int64_t run) {
  SmallVector<int64_t> indices;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    int64_t part = lane / partLanes * partLanes, place = lane % partLanes;
    int64_t source = place / (2 * run) * run + place % run;
    bool isSecond = place / run % 2;
    indices.push_back(part + first + source + (isSecond ? lanes : 0));
  }
  return shuffle(x, y, indices);
}

Value Transpose::everyOtherPart(Value x, Value y, int64_t first) {
  SmallVector<int64_t> indices;
  for (int64_t part = first; part < 2 * lanes / partLanes; part += 2)
    for (int64_t lane = 0; lane < partLanes; ++lane)
      indices.push_back(part * partLanes + lane);
  return shuffle(x, y, indices);
}

SmallVector<Value> Transpose::parts(ArrayRef<Value> vectors) {
  if (vectors.size() == 1)
    return SmallVector<Value>(vectors);
  SmallVector<Value> halves[2], result;
  for (int64_t odd : {0, 1}) {
    for (size_t i = 0; i < vectors.size(); i += 2)
      halves[odd].push_back(everyOtherPart(vectors[i], vectors[i + 1], odd));
    halves[odd] = parts(halves[odd]);
  }
  for (auto [even, odd] : llvm::zip(halves[0], halves[1]))
    result.append({even, odd});
  return result;
}

SmallVector<Value> Transpose::square(ArrayRef<Value> rows) {
  // of[c]: for each four rows, column c of each part of four columns.
  SmallVector<Value> of[partLanes], result(lanes);
  for (int64_t row = 0; row < lanes; row += partLanes) {
    auto pairs = [&](int64_t first, int64_t half) {
      return interleave(rows[row + first], rows[row + first + 1], half * 2, 1);
    };
    for (int64_t column = 0; column < partLanes; ++column)
      of[column].push_back(interleave(pairs(0, column / 2),
                                      pairs(2, column / 2), column % 2 * 2, 2));
  }
  for (int64_t column = 0; column < partLanes; ++column)
    for (auto [part, value] : llvm::enumerate(parts(of[column])))
      result[part * partLanes + column] = value;
  return result;
}

SmallVector<Value> plmc::emitTranspose(KernelBuilder &b, ArrayRef<Value> rows) {
  assert(int64_t(rows.size()) == b.target.lanes && "not a square");
  return Transpose(b).square(rows);
}
