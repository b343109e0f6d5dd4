//===- DotProduct.cpp - Products below f32 ----------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// One schedule serves bf16, int8 and int4. K is counted in words of 32 bits, a
// word of a row is broadcast, and a vector of words, one of each column, is
// read from the panel:
//
//     for word:  for r in rows:  acc[r] += dot(panel[word],
//     broadcast(x[r][word]))
//
// What differs is the dot. CPUs with the instruction have it on words
// (vpdpbusd, vdpbf16ps). Others compute the same from what they have:
//
//   int8   vpmaddwd on values widened to 16 bits: the codes of x are stored so,
//          the weights are widened where they are read, which serves all rows.
//          A vector then holds half as many columns, each as two partial sums.
//          (vpmaddubsw would be faster and saturates: two products of 255 x 127
//          do not fit 16 bits. Results must not depend on the CPU.)
//   bf16   two f32 multiply-adds; a bfloat16 is the upper half of a float. The
//          rows are stored as f32 that have been rounded.
//
// Where there are matrix registers, they compute the sums; what follows is as
// here, from where they have left them (TileProduct.cpp).
//
// Weights are unsigned, v + 128 (int4: v + 8), which is what vpdpbusd takes
// beside signed rows. The offset is taken off afterwards: the sum of the codes
// of the row, times 128. All of it exact in 32 bits up to K = 2^16.
//
// Rows: EncodeRows.cpp.
//
//===----------------------------------------------------------------------===//

#include "DotProduct.h"
#include "IntegerVectors.h"

using namespace mlir;
using namespace plmc;

std::optional<DotFormat> DotFormat::of(plk::WeightOp weight) {
  if (!weight.getPrecision())
    return std::nullopt;
  return DotFormat{*weight.getPrecision(), int64_t(weight.getBits()),
                   int64_t(weight.getBlock().value_or(0))};
}

int64_t DotFormat::wordSize() const {
  return isInt() ? (bits <= 4 ? 8 : 4) : 2;
}

std::string DotFormat::name() const {
  if (!isInt())
    return "_bf16";
  std::string text = bits <= 4 ? "_int4" : "_int8";
  return block ? text + "b" + std::to_string(block) : text;
}

bool DotFormat::halvesColumns(const TargetInfo &target) const {
  return isInt() && !target.dotInt8;
}

bool DotFormat::hasInstruction(const TargetInfo &target) const {
  return isInt() ? target.dotInt8 : target.dotBF16;
}

int64_t plmc::dotTileRows(const TargetInfo &target) {
  return target.lanes == 16 ? std::min<int64_t>(target.tileRows, 12)
                            : target.tileRows;
}

int64_t plmc::dotTileColumns(const TargetInfo &target,
                             const DotFormat &format) {
  int64_t columns = target.panelWidth();
  return format.halvesColumns(target) ? columns / 2 : columns;
}

/// 0 2 4 ... and 1 3 5 ..., `lanes` each.
static std::pair<SmallVector<int64_t>, SmallVector<int64_t>>
evenAndOddLanes(int64_t lanes) {
  SmallVector<int64_t> even, odd;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    even.push_back(2 * lane);
    odd.push_back(2 * lane + 1);
  }
  return {even, odd};
}

namespace {

/// Emits the sums over one range of words.
class DotLoop {
public:
  /// `rows`: where the codes of each row begin.
  DotLoop(KernelBuilder &b, const DotFormat &format, Value panel,
          int64_t panelWidth, ArrayRef<Value> rows)
      : b(b), i(b), format(format), panel(panel), rows(rows),
        lanes(b.target.lanes), vectors(b.target.panelVectors),
        rowBytes(panelWidth * 4),
        codeBytes(EncodedRow::of(b.target, format, 1).codeBytes),
        words(format.hasInstruction(b.target)) {}

  /// Adds words [first, first + count) to `acc`, [rows][vectors].
  SmallVector<Value> run(Value first, int64_t count, ArrayRef<Value> acc);
  SmallVector<Value> run(Value first, Value last, int64_t unroll,
                         ArrayRef<Value> acc);
  IntegerVectors &integers() { return i; }

private:
  void step(Value word, int64_t ahead, SmallVectorImpl<Value> &acc);
  void intWords(Value panel, Value word, int64_t ahead,
                SmallVectorImpl<Value> &acc);
  void intPairs(Value panel, Value word, int64_t ahead,
                SmallVectorImpl<Value> &acc);
  void bf16Words(Value panel, Value word, int64_t ahead,
                 SmallVectorImpl<Value> &acc);
  void bf16Floats(Value panel, Value word, int64_t ahead,
                  SmallVectorImpl<Value> &acc);
  /// Codes of row r from value `ahead` after word `word` on: one value of type
  /// `scalar` in all lanes, seen as `vector`.
  Value broadcastCodes(int64_t r, Value word, int64_t ahead, Type scalar,
                       VectorType vector);
  Value intrinsic(StringRef name, Type type, ValueRange operands) {
    std::string full = (name + "." + Twine(lanes * 32)).str();
    return LLVM::CallIntrinsicOp::create(b, b.loc, type, b.getStringAttr(full),
                                         operands)
        .getResult(0);
  }

  KernelBuilder &b;
  IntegerVectors i;
  const DotFormat format;
  Value panel;
  SmallVector<Value> rows;
  int64_t lanes, vectors, rowBytes, codeBytes;
  bool words;

public:
  int64_t prefetchBytes = 0; // how far ahead of the panel; 0: not
};

} // namespace

Value DotLoop::broadcastCodes(int64_t r, Value word, int64_t ahead, Type scalar,
                              VectorType vector) {
  int64_t wordBytes = format.wordSize() * codeBytes;
  Value at = b.offset(b.at(rows[r], word, wordBytes), ahead * codeBytes);
  int64_t count = vector.getNumElements() * vector.getElementTypeBitWidth() /
                  scalar.getIntOrFloatBitWidth();
  auto type = VectorType::get({count}, scalar);
  Value all = vector::BroadcastOp::create(b, b.loc, type, b.load(scalar, at));
  return type == vector
             ? all
             : Value(vector::BitCastOp::create(b, b.loc, vector, all));
}

void DotLoop::intWords(Value panel, Value word, int64_t ahead,
                       SmallVectorImpl<Value> &acc) {
  auto bytes = VectorType::get({lanes * 4}, b.i8);
  int64_t parts = format.bits <= 4 ? 2 : 1;
  for (int64_t part = 0; part < parts; ++part) {
    SmallVector<Value> weights;
    for (int64_t v = 0; v < vectors; ++v) {
      Value at = b.offset(panel, v * lanes * 4);
      if (parts == 1) {
        weights.push_back(b.load(bytes, at));
        continue;
      }
      Value both = b.load(i.vi32, at);
      Value half = i.bitAnd(part ? i.shr(both, 4) : both, i.splat(0x0f0f0f0f));
      weights.push_back(vector::BitCastOp::create(b, b.loc, bytes, half));
    }
    for (int64_t r = 0; r < int64_t(rows.size()); ++r) {
      Value x = broadcastCodes(r, word, ahead * format.wordSize() + part * 4,
                               b.i32, bytes);
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = acc[r * vectors + v];
        sum =
            intrinsic("llvm.x86.avx512.vpdpbusd", i.vi32, {sum, weights[v], x});
      }
    }
  }
}

void DotLoop::intPairs(Value panel, Value word, int64_t ahead,
                       SmallVectorImpl<Value> &acc) {
  auto bytes = VectorType::get({lanes * 2}, b.i8);
  auto halves = VectorType::get({lanes * 2}, b.getI16Type());
  auto wide = VectorType::get({lanes * 2}, b.i32);
  auto [evenLanes, oddLanes] = evenAndOddLanes(lanes);
  // LLVM makes one vpmaddwd of this.
  auto multiplyAddPairs = [&](Value x, Value y) {
    Value product = arith::MulIOp::create(
        b, b.loc, arith::ExtSIOp::create(b, b.loc, wide, x),
        arith::ExtSIOp::create(b, b.loc, wide, y));
    return i.add(
        vector::ShuffleOp::create(b, b.loc, product, product, evenLanes),
        vector::ShuffleOp::create(b, b.loc, product, product, oddLanes));
  };
  auto constant = [&](int8_t value) {
    return arith::ConstantOp::create(b, b.loc,
                                     DenseElementsAttr::get(bytes, value));
  };
  int64_t parts = format.bits <= 4 ? 2 : 1;
  for (int64_t part = 0; part < parts; ++part) {
    SmallVector<Value> weights;
    for (int64_t v = 0; v < vectors; ++v) {
      Value narrow = b.load(bytes, b.offset(panel, v * lanes * 2));
      if (parts == 2) {
        if (part)
          narrow = arith::ShRUIOp::create(b, b.loc, narrow, constant(4));
        else
          narrow = arith::AndIOp::create(b, b.loc, narrow, constant(15));
      }
      weights.push_back(arith::ExtUIOp::create(b, b.loc, halves, narrow));
    }
    for (int64_t r = 0; r < int64_t(rows.size()); ++r) {
      Value x = broadcastCodes(r, word, ahead * format.wordSize() + part * 4,
                               b.i64, halves);
      for (int64_t v = 0; v < vectors; ++v) {
        Value &sum = acc[r * vectors + v];
        sum = i.add(sum, multiplyAddPairs(weights[v], x));
      }
    }
  }
}

void DotLoop::bf16Words(Value panel, Value word, int64_t ahead,
                        SmallVectorImpl<Value> &acc) {
  auto values = VectorType::get({lanes * 2}, b.getBF16Type());
  SmallVector<Value> weights;
  for (int64_t v = 0; v < vectors; ++v)
    weights.push_back(b.load(values, b.offset(panel, v * lanes * 4)));
  for (int64_t r = 0; r < int64_t(rows.size()); ++r) {
    Value x = broadcastCodes(r, word, ahead * format.wordSize(), b.i32, values);
    for (int64_t v = 0; v < vectors; ++v) {
      Value &sum = acc[r * vectors + v];
      sum = intrinsic("llvm.x86.avx512bf16.dpbf16ps", b.vf32,
                      {sum, x, weights[v]});
    }
  }
}

void DotLoop::bf16Floats(Value panel, Value word, int64_t ahead,
                         SmallVectorImpl<Value> &acc) {
  for (int64_t half = 0; half < 2; ++half) {
    SmallVector<Value> weights;
    for (int64_t v = 0; v < vectors; ++v) {
      Value both = b.load(i.vi32, b.offset(panel, v * lanes * 4));
      weights.push_back(
          i.floats(half ? i.bitAnd(both, i.splat(int32_t(0xffff0000u)))
                        : i.shl(both, 16)));
    }
    for (int64_t r = 0; r < int64_t(rows.size()); ++r) {
      Value x = broadcastCodes(r, word, ahead * format.wordSize() + half, b.f32,
                               b.vf32);
      for (int64_t v = 0; v < vectors; ++v)
        acc[r * vectors + v] = b.fma(x, weights[v], acc[r * vectors + v]);
    }
  }
}

void DotLoop::step(Value word, int64_t ahead, SmallVectorImpl<Value> &acc) {
  Value panel = b.offset(b.at(this->panel, word, rowBytes), ahead * rowBytes);
  if (prefetchBytes)
    for (int64_t line = 0; line < vectors * lanes * 4; line += 64)
      b.prefetch(b.offset(panel, prefetchBytes + line));
  if (format.isInt())
    words ? intWords(panel, word, ahead, acc)
          : intPairs(panel, word, ahead, acc);
  else
    words ? bf16Words(panel, word, ahead, acc)
          : bf16Floats(panel, word, ahead, acc);
}

SmallVector<Value> DotLoop::run(Value first, int64_t count,
                                ArrayRef<Value> init) {
  if (!count)
    return SmallVector<Value>(init);
  int64_t unroll = 1;
  for (int64_t candidate : {4, 2})
    if (unroll == 1 && count % candidate == 0)
      unroll = candidate;
  if (format.wordSize() == 8)
    unroll = std::min<int64_t>(unroll, 2);
  // LLVM would reorder the sums of several steps, and spill.
  if (format.halvesColumns(b.target))
    unroll = 1;
  return run(first, b.add(first, count), unroll, init);
}

SmallVector<Value> DotLoop::run(Value first, Value last, int64_t unroll,
                                ArrayRef<Value> init) {
  return b.loop(first, last, unroll, init, [&](Value word, ValueRange carried) {
    SmallVector<Value> acc(carried);
    for (int64_t u = 0; u < unroll; ++u)
      step(word, u, acc);
    return acc;
  });
}

/// Two vectors of partial sums, (a0 a0' a1 a1' ...) and (b0 b0' ...), as one of
/// sums (a0 a1 ... b0 b1 ...).
static Value addPartials(KernelBuilder &b, Value first, Value second) {
  auto [even, odd] = evenAndOddLanes(b.target.lanes);
  return arith::AddIOp::create(
      b, b.loc, vector::ShuffleOp::create(b, b.loc, first, second, even),
      vector::ShuffleOp::create(b, b.loc, first, second, odd));
}

/// What takes the offset of the weights off the sums of a row: minus the sum of
/// its codes, times the offset; of two partial sums only the first starts so.
static Value startOfSum(KernelBuilder &b, const DotFormat &format,
                        Value codes) {
  IntegerVectors i(b);
  Value offset = arith::MulIOp::create(
      b, b.loc, codes,
      arith::ConstantIntOp::create(b, b.loc, format.bits <= 4 ? -8 : -128, 32));
  Value all = vector::BroadcastOp::create(b, b.loc, i.vi32, offset);
  if (!format.halvesColumns(b.target))
    return all;
  SmallVector<int32_t> first(b.target.lanes, 0);
  for (int64_t lane = 0; lane < b.target.lanes; lane += 2)
    first[lane] = -1;
  return i.bitAnd(
      all, arith::ConstantOp::create(
               b, b.loc, DenseElementsAttr::get(i.vi32, ArrayRef(first))));
}

SmallVector<Value> plmc::emitDotTile(KernelBuilder &b, const DotTile &tile) {
  const DotFormat &format = tile.format;
  EncodedRow layout = EncodedRow::of(b.target, format, tile.k);
  SmallVector<Value> rows;
  for (int64_t r = 0; r < tile.rows; ++r)
    rows.push_back(b.offset(tile.x, r * layout.stride + layout.codes));
  DotLoop loop(b, format, tile.panel, tile.panelWidth, rows);
  loop.prefetchBytes = tile.prefetchBytes;
  int64_t vectors = b.target.panelVectors, lanes = b.target.lanes;
  auto done = [&](Type type, int64_t r, int64_t v) {
    return b.load(type, b.offset(tile.done, (r * vectors + v) * lanes * 4));
  };
  if (!format.isInt()) {
    SmallVector<Value> start;
    for (int64_t r = 0; r < tile.rows; ++r)
      for (int64_t v = 0; v < vectors; ++v) {
        Value value = tile.bias.empty() ? b.splat(0) : tile.bias[v];
        if (tile.done)
          value = b.fadd(done(b.vf32, r, v), value);
        start.push_back(value);
      }
    return loop.run(b.c(tile.doneWords), format.words(tile.k) - tile.doneWords,
                    start);
  }

  int64_t columns = dotTileColumns(b.target, format) / lanes;
  bool halves = format.halvesColumns(b.target);
  int64_t blocks = format.blocks(tile.k);
  int64_t blockWords = format.words(format.block ? format.block : tile.k);

  auto addBlock = [&](Value block, ArrayRef<Value> totals) {
    SmallVector<Value> start;
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value codes = b.load(b.i32, b.offset(b.at(tile.x, block),
                                           r * layout.stride + layout.sums));
      Value offset = startOfSum(b, format, codes);
      for (int64_t v = 0; v < vectors; ++v)
        start.push_back(
            tile.done
                ? loop.integers().add(done(loop.integers().vi32, r, v), offset)
                : offset);
    }
    Value first = b.add(b.mul(block, blockWords), tile.doneWords);
    SmallVector<Value> sums =
        loop.run(first, blockWords - tile.doneWords, start);
    SmallVector<Value> scales, result;
    for (int64_t v = 0; v < columns; ++v)
      scales.push_back(
          b.load(b.vf32, b.offset(b.at(tile.scales, block, tile.panelWidth * 4),
                                  v * lanes * 4)));
    for (int64_t r = 0; r < tile.rows; ++r)
      for (int64_t v = 0; v < columns; ++v) {
        Value sum = halves ? addPartials(b, sums[r * vectors + 2 * v],
                                         sums[r * vectors + 2 * v + 1])
                           : sums[r * vectors + v];
        Value value = arith::SIToFPOp::create(b, b.loc, b.vf32, sum);
        result.push_back(
            totals.empty() ? b.fmul(value, scales[v])
                           : b.fma(value, scales[v], totals[r * columns + v]));
      }
    return result;
  };
  SmallVector<Value> totals;
  if (blocks == 1) {
    totals = addBlock(b.c(0), {});
  } else {
    SmallVector<Value> start(tile.rows * columns, b.splat(0));
    totals = b.loop(b.c(0), b.c(blocks), 1, start,
                    [&](Value block, ValueRange carried) {
                      return addBlock(block, SmallVector<Value>(carried));
                    });
  }
  SmallVector<Value> columnSums;
  for (int64_t v = 0; v < columns; ++v)
    columnSums.push_back(
        b.load(b.vf32, b.offset(tile.scales,
                                blocks * tile.panelWidth * 4 + v * lanes * 4)));
  for (int64_t r = 0; r < tile.rows; ++r) {
    auto ofRow = [&](int64_t part) {
      return b.broadcast(
          b.load(b.f32, b.offset(tile.x, r * layout.stride + part)));
    };
    Value scale = ofRow(layout.scale), shift = ofRow(layout.shift);
    for (int64_t v = 0; v < columns; ++v) {
      Value rest = tile.bias.empty()
                       ? b.fmul(shift, columnSums[v])
                       : b.fma(shift, columnSums[v], tile.bias[v]);
      Value &total = totals[r * columns + v];
      total = b.fma(total, scale, rest);
    }
  }
  return totals;
}

SmallVector<Value> plmc::emitBF16Tile(KernelBuilder &b, const BF16Tile &tile) {
  DotFormat format;
  format.precision = plm::Precision::BF16;
  SmallVector<Value> rows;
  for (int64_t r = 0; r < tile.rows; ++r)
    rows.push_back(b.offset(tile.x, b.mul(tile.stride, r)));
  DotLoop loop(b, format, tile.panel, b.target.panelWidth(), rows);
  SmallVector<Value> zeros(tile.rows * b.target.panelVectors, b.splat(0));
  return loop.run(b.c(0), tile.words, tile.unroll, zeros);
}
