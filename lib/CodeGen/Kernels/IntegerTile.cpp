//===- IntegerTile.cpp - From sums of integers to numbers -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A row stands for scale * q + shift, q its codes, and a block of a column for
// s (u - z), u the unsigned codes that the panel has. So an element of the
// product is
//
//     scale * (sum over blocks of s * (sum of q u - z * sum of q)) + shift * c
//
// with c the sum of the column, from the compiler, and the sum of q from who
// encoded the row. The inner parenthesis is exact in 32 bits up to K = 2^16: a
// sum starts at -z * (sum of q), z a constant of the format or, with zero
// points, a number of the column and the block.
//
//===----------------------------------------------------------------------===//

#include "DotLoop.h"
#include "IntegerVectors.h"

using namespace mlir;
using namespace plmc;

/// Two vectors of partial sums, (a0 a0' a1 a1' ...) and (b0 b0' ...), as one of
/// sums (a0 a1 ... b0 b1 ...).
static Value addPartials(KernelBuilder &b, Value first, Value second) {
  auto [even, odd] = evenAndOddLanes(b.target.lanes);
  return arith::AddIOp::create(
      b, b.loc, vector::ShuffleOp::create(b, b.loc, first, second, even),
      vector::ShuffleOp::create(b, b.loc, first, second, odd));
}

namespace {

/// What belongs to the columns of a tile, in vectors.
class Columns {
public:
  Columns(KernelBuilder &b, const DotTile &tile)
      : b(b), i(b), tile(tile), format(tile.format) {}

  Value scale(Value block, int64_t v);
  /// What each code of the block is too large by, as i32.
  Value zero(Value block, int64_t v);
  /// The sum of each column.
  Value sum(int64_t v);

private:
  Value scaleWord(Value row, int64_t v, VectorType type) {
    return b.load(type, b.offset(b.at(tile.scales, row, tile.panelWidth * 4),
                                 v * b.target.lanes * 4));
  }

  KernelBuilder &b;
  IntegerVectors i;
  const DotTile &tile;
  const DotFormat &format;
};

class IntegerTile {
public:
  IntegerTile(KernelBuilder &b, const DotTile &tile)
      : b(b), i(b), tile(tile), format(tile.format),
        layout(EncodedRow::of(b.target, format, tile.k)), columns(b, tile),
        lanes(b.target.lanes), vectors(b.target.panelVectors),
        columnVectors(dotTileColumns(b.target, format) / lanes) {}

  SmallVector<Value> emit();

private:
  SmallVector<Value> offsets(Value block, int64_t r, ArrayRef<Value> zeros);
  SmallVector<Value> integerSums(Value block);
  SmallVector<Value> addBlock(Value block, ArrayRef<Value> totals);
  SmallVector<Value> totals();
  Value broadcastOfRow(int64_t r, int64_t part) {
    return b.broadcast(
        b.load(b.f32, b.offset(tile.x, r * layout.stride + part)));
  }

  KernelBuilder &b;
  IntegerVectors i;
  const DotTile &tile;
  const DotFormat &format;
  const EncodedRow layout;
  Columns columns;
  const int64_t lanes, vectors;
  const int64_t columnVectors; // fewer than `vectors` of partial sums
};

} // namespace

Value Columns::scale(Value block, int64_t v) {
  if (!format.scalesInBF16)
    return scaleWord(block, v, b.vf32);
  // The scales of two blocks are one word, the first in the lower half.
  Value two = scaleWord(b.div(block, b.c(2)), v, i.vi32);
  Value left = b.sub(b.c(16), b.mul(b.rem(block, b.c(2)), 16));
  left = vector::BroadcastOp::create(
      b, b.loc, i.vi32, arith::TruncIOp::create(b, b.loc, b.i32, left));
  return i.floats(i.bitAnd(arith::ShLIOp::create(b, b.loc, two, left),
                           i.splat(int32_t(0xffff0000u))));
}

Value Columns::zero(Value block, int64_t v) {
  if (!format.zeroPoint)
    return i.splat(format.zeroCode());
  Value bytes = b.load(VectorType::get({b.target.lanes}, b.i8),
                       b.offset(b.at(tile.zeroPoints, block, tile.panelWidth),
                                v * b.target.lanes));
  if (format.isUnsigned)
    return arith::ExtUIOp::create(b, b.loc, i.vi32, bytes);
  return i.add(arith::ExtSIOp::create(b, b.loc, i.vi32, bytes),
               i.splat(format.zeroCode()));
}

Value Columns::sum(int64_t v) {
  int64_t blocks = format.blocks(tile.k);
  if (!format.scalesInBF16)
    return scaleWord(b.c(blocks), v, b.vf32);
  Value low = b.fadd(scale(b.c(blocks + 1), v), scale(b.c(blocks + 2), v));
  return b.fadd(scale(b.c(blocks), v), low);
}

/// What the integer sums of a row begin with, in each vector of columns.
SmallVector<Value> IntegerTile::offsets(Value block, int64_t r,
                                        ArrayRef<Value> zeros) {
  auto minusSum = [&](int64_t part) -> Value {
    Value sum =
        b.load(b.i32, b.offset(b.at(tile.x, block, layout.sumBytes),
                               r * layout.stride + layout.sums + part * 4));
    return vector::BroadcastOp::create(b, b.loc, i.vi32, sum);
  };
  if (!format.zeroPoint && format.zeroCode() << format.codeShift() == 8)
    return SmallVector<Value>(columnVectors, minusSum(0));
  SmallVector<Value> result;
  Value sum = minusSum(1);
  for (Value zero : zeros)
    result.push_back(arith::MulIOp::create(b, b.loc, sum, zero));
  return result;
}

/// Of the block: [rows][columnVectors].
SmallVector<Value> IntegerTile::integerSums(Value block) {
  SmallVector<Value> rows, zeros, begin, start;
  for (int64_t v = 0; v < columnVectors; ++v)
    zeros.push_back(columns.zero(block, v));
  for (int64_t r = 0; r < tile.rows; ++r) {
    rows.push_back(b.offset(tile.x, r * layout.stride + layout.codes));
    llvm::append_range(begin, offsets(block, r, zeros));
  }
  // Partial sums start at 0, and their sum gets the offset.
  bool halves = columnVectors < vectors;
  for (int64_t n = 0; n < tile.rows * vectors; ++n) {
    Value value = halves ? i.splat(0) : begin[n];
    if (tile.done)
      value = i.add(b.load(i.vi32, b.offset(tile.done, n * lanes * 4)), value);
    start.push_back(value);
  }
  DotLoop loop(b, format, tile.panel, tile.panelWidth, rows);
  loop.prefetchBytes = tile.prefetchBytes;
  int64_t blockPacks = format.packs(format.block ? format.block : tile.k);
  Value first = b.add(b.mul(block, blockPacks), tile.donePacks);
  SmallVector<Value> sums = loop.run(first, blockPacks - tile.donePacks, start);
  if (!halves)
    return sums;
  SmallVector<Value> whole;
  for (int64_t n = 0; n < tile.rows * columnVectors; ++n)
    whole.push_back(
        i.add(addPartials(b, sums[2 * n], sums[2 * n + 1]), begin[n]));
  return whole;
}

SmallVector<Value> IntegerTile::addBlock(Value block, ArrayRef<Value> totals) {
  SmallVector<Value> sums = integerSums(block), scales, result;
  for (int64_t v = 0; v < columnVectors; ++v)
    scales.push_back(columns.scale(block, v));
  for (int64_t n = 0; n < tile.rows * columnVectors; ++n) {
    Value value = arith::SIToFPOp::create(b, b.loc, b.vf32, sums[n]);
    Value scale = scales[n % columnVectors];
    result.push_back(totals.empty() ? b.fmul(value, scale)
                                    : b.fma(value, scale, totals[n]));
  }
  return result;
}

/// [rows][columnVectors], of all blocks.
SmallVector<Value> IntegerTile::totals() {
  int64_t blocks = format.blocks(tile.k);
  if (blocks == 1)
    return addBlock(b.c(0), {});
  SmallVector<Value> start(tile.rows * columnVectors, b.splat(0));
  return b.loop(b.c(0), b.c(blocks), 1, start,
                [&](Value block, ValueRange carried) {
                  return addBlock(block, SmallVector<Value>(carried));
                });
}

SmallVector<Value> IntegerTile::emit() {
  SmallVector<Value> result = totals(), columnSums;
  for (int64_t v = 0; v < columnVectors; ++v)
    columnSums.push_back(columns.sum(v));
  for (int64_t r = 0; r < tile.rows; ++r) {
    Value scale = broadcastOfRow(r, layout.scale);
    Value shift = broadcastOfRow(r, layout.shift);
    for (int64_t v = 0; v < columnVectors; ++v) {
      Value rest = tile.bias.empty()
                       ? b.fmul(shift, columnSums[v])
                       : b.fma(shift, columnSums[v], tile.bias[v]);
      Value &total = result[r * columnVectors + v];
      total = b.fma(total, scale, rest);
    }
  }
  return result;
}

SmallVector<Value> plmc::emitIntegerTile(KernelBuilder &b,
                                         const DotTile &tile) {
  return IntegerTile(b, tile).emit();
}
