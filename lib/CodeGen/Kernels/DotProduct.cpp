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
// Weights are unsigned, v + 128 (int4: v + 8), which is what vpdpbusd takes
// beside signed rows. The offset is taken off afterwards: the sum of the codes
// of the row, times 128. All of it exact in 32 bits up to K = 2^16.
//
// A row stands for scale * code + shift, shift the middle of its range: the
// residual stream has outliers on one side, GELU has only one side. (MiniLM on
// STS-B: mean cosine 0.9989; 0.9973 with a scale alone.) The shift meets the
// sums of the weight's columns, a row of f32 behind the scales.
//
//===----------------------------------------------------------------------===//

#include "DotProduct.h"
#include "mlir/Dialect/Math/IR/Math.h"

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

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// True if a vector of a tile holds two partial sums of each column.
static bool halvesColumns(const TargetInfo &target, const DotFormat &format) {
  return format.isInt() && !target.dotInt8;
}

static bool hasInstruction(const TargetInfo &target, const DotFormat &format) {
  return format.isInt() ? target.dotInt8 : target.dotBF16;
}

static EncodedRow layoutOf(const DotFormat &format, int64_t k,
                           int64_t codeBytes) {
  EncodedRow row;
  row.codeBytes = codeBytes;
  if (format.isInt())
    row.codes = llvm::alignTo(row.sums + 4 * format.blocks(k), 64);
  row.stride = row.codes + llvm::alignTo(llvm::alignTo(k, 8) * codeBytes, 64);
  return row;
}

EncodedRow EncodedRow::of(const TargetInfo &target, const DotFormat &format,
                          int64_t k) {
  bool words = hasInstruction(target, format);
  return layoutOf(format, k,
                  format.isInt() ? (words ? 1 : 2) : (words ? 2 : 4));
}

int64_t plmc::encodedRowBytes(const DotFormat &format, int64_t k) {
  return layoutOf(format, k, format.isInt() ? 2 : 4).stride;
}

namespace {

/// Vectors of `lanes` integers, for the code below.
struct Integers {
  explicit Integers(KernelBuilder &b)
      : b(b), vi32(VectorType::get({b.target.lanes}, b.i32)) {}

  KernelBuilder &b;
  VectorType vi32;

  Value splat(int64_t value) {
    return arith::ConstantOp::create(
        b, b.loc, DenseElementsAttr::get(vi32, int32_t(value)));
  }
  Value bits(Value vector) {
    return arith::BitcastOp::create(b, b.loc, vi32, vector);
  }
  Value floats(Value vector) {
    return arith::BitcastOp::create(b, b.loc, b.vf32, vector);
  }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, b.loc, x, y); }
  Value bitAnd(Value x, Value y) {
    return arith::AndIOp::create(b, b.loc, x, y);
  }
  Value shr(Value x, int64_t n) {
    return arith::ShRUIOp::create(b, b.loc, x, splat(n));
  }
  Value shl(Value x, int64_t n) {
    return arith::ShLIOp::create(b, b.loc, x, splat(n));
  }
};

} // namespace

/// The nearest bfloat16 in the upper half of each word, ties to even.
static Value roundToBF16(KernelBuilder &b, Value x) {
  Integers i(b);
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

static void encodeBF16(KernelBuilder &b, Value x, Value target, int64_t k,
                       const EncodedRow &layout) {
  Integers i(b);
  auto narrow = VectorType::get({b.target.lanes}, b.getI16Type());
  // Past the end of a row there is room up to the next multiple of 64 bytes.
  b.forColumns(k, [&](Value column, int64_t valid) {
    Value bits = roundToBF16(b, b.loadVec(b.at(x, column), valid));
    Value at = b.at(target, column, layout.codeBytes);
    if (layout.codeBytes == 4)
      b.store(i.floats(bits), at);
    else
      b.store(arith::TruncIOp::create(b, b.loc, narrow, i.shr(bits, 16)), at);
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

static void encodeInt8(KernelBuilder &b, Value x, Value row, int64_t k,
                       const DotFormat &format, const EncodedRow &layout) {
  Integers i(b);
  // The range; and a sum of x * 0, which is NaN unless all are finite. Lanes
  // past the end repeat the first value. Minima are maxima of -x.
  Value first = b.broadcast(b.load(b.f32, x));
  auto negative = [&](Value value) { return b.fsub(b.splat(0), value); };
  auto found = b.forColumns(
      k, ValueRange{first, negative(first), b.splat(0)},
      [&](Value column, int64_t valid, ValueRange carried) {
        Value value = b.loadVec(b.at(x, column), valid);
        Value sum = b.fma(value, b.splat(0), carried[2]);
        if (valid < b.target.lanes)
          value = b.select(lanesBelow(b, valid), value, first);
        return SmallVector<Value>{b.fmax(carried[0], value),
                                  b.fmax(carried[1], negative(value)), sum};
      });
  Value max = b.reduceMax(found[0]);
  Value min = b.fsub(b.f(0), b.reduceMax(found[1]));
  Value range = b.fsub(max, min), check = b.reduceAdd(found[2]);
  Value middle = b.fadd(b.fmul(b.f(0.5f), min), b.fmul(b.f(0.5f), max));
  // An infinite range is no number either.
  check = b.fma(range, b.f(0), check);
  b.store(b.fadd(b.fmul(range, b.f(1.0f / 254.0f)), check),
          b.offset(row, layout.scale));
  b.store(b.fadd(middle, check), b.offset(row, layout.shift));
  Value some =
      arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OGT, range, b.f(0));
  Value inverse = b.broadcast(b.select(some, b.fdiv(b.f(254), range), b.f(0)));
  Value shift = b.broadcast(middle);

  auto narrow = VectorType::get(
      {b.target.lanes}, layout.codeBytes == 1 ? Type(b.i8) : b.getI16Type());
  Value codes = b.offset(row, layout.codes);
  auto encode = [&](Value column, int64_t valid, Value sum) -> Value {
    Value value =
        b.fmul(b.fsub(b.loadVec(b.at(x, column), valid), shift), inverse);
    if (valid < b.target.lanes) // what pads the row has the code 0
      value = b.select(lanesBelow(b, valid), value, b.splat(0));
    // NaN becomes -127 here; the row's scale carries it.
    value = arith::MinNumFOp::create(b, b.loc, b.fmax(value, b.splat(-127)),
                                     b.splat(127));
    Value rounded = math::RoundEvenOp::create(b, b.loc, value);
    Value code = arith::FPToSIOp::create(b, b.loc, i.vi32, rounded);
    b.store(arith::TruncIOp::create(b, b.loc, narrow, code),
            b.at(codes, column, layout.codeBytes));
    return i.add(sum, code);
  };
  auto storeSum = [&](Value sum, Value block) {
    Value total =
        vector::ReductionOp::create(b, b.loc, vector::CombiningKind::ADD, sum);
    b.store(total, b.offset(b.at(row, block), layout.sums));
  };
  if (!format.block) {
    auto sums = b.forColumns(
        k, ValueRange{i.splat(0)},
        [&](Value column, int64_t valid, ValueRange carried) {
          return SmallVector<Value>{encode(column, valid, carried[0])};
        });
    storeSum(sums[0], b.c(0));
    return;
  }
  b.loop(b.c(0), b.c(format.blocks(k)), 1, [&](Value block) {
    Value first = b.mul(block, format.block);
    auto sums = b.loop(
        first, b.add(first, format.block), b.target.lanes,
        ValueRange{i.splat(0)}, [&](Value column, ValueRange carried) {
          return SmallVector<Value>{encode(column, b.target.lanes, carried[0])};
        });
    storeSum(sums[0], block);
  });
}

func::FuncOp plmc::buildEncodeRows(KernelBuilder &b, ModuleOp module,
                                   const DotFormat &format, int64_t k) {
  // The bits of the weight do not show in the rows.
  std::string name =
      format.isInt()
          ? llvm::formatv("encode_int8_{0}_{1}", k, format.block).str()
          : llvm::formatv("encode_bf16_{0}", k).str();
  auto func = b.beginFunction(module, name, {b.ptr, b.ptr, b.i64, b.i64});
  func.setPrivate();
  EncodedRow layout = EncodedRow::of(b.target, format, k);
  b.loop(func.getArgument(2), func.getArgument(3), 1, [&](Value row) {
    Value x = b.at(func.getArgument(0), row, k * 4);
    Value target = b.at(func.getArgument(1), row, layout.stride);
    // What pads the last word has to be 0 (and finite, in bf16).
    if (int64_t padded = llvm::alignTo(k, 8); padded != k)
      for (int64_t column = k; column < padded; ++column) {
        Value at = b.offset(target, layout.codes + column * layout.codeBytes);
        b.store(layout.codeBytes == 1
                    ? Value(arith::ConstantIntOp::create(b, b.loc, 0, 8))
                : layout.codeBytes == 2
                    ? Value(arith::ConstantIntOp::create(b, b.loc, 0, 16))
                    : Value(arith::ConstantIntOp::create(b, b.loc, 0, 32)),
                at);
      }
    if (format.isInt())
      encodeInt8(b, x, target, k, format, layout);
    else
      encodeBF16(b, x, b.offset(target, layout.codes), k, layout);
  });
  b.endFunction();
  return func;
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

int64_t plmc::dotTileColumns(const TargetInfo &target,
                             const DotFormat &format) {
  int64_t columns = target.panelWidth();
  return halvesColumns(target, format) ? columns / 2 : columns;
}

namespace {

/// Emits the sums over one range of words.
class DotLoop {
public:
  DotLoop(KernelBuilder &b, const DotTile &tile)
      : b(b), i(b), tile(tile),
        layout(EncodedRow::of(b.target, tile.format, tile.k)),
        lanes(b.target.lanes), vectors(b.target.panelVectors),
        rowBytes(tile.panelWidth * 4),
        words(hasInstruction(b.target, tile.format)) {
    for (int64_t r = 0; r < tile.rows; ++r)
      rows.push_back(b.offset(tile.x, r * layout.stride + layout.codes));
  }

  /// Adds words [first, first + count) to `acc`, [rows][vectors].
  SmallVector<Value> run(Value first, int64_t count, ArrayRef<Value> acc);

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
  Integers i;
  const DotTile &tile;
  EncodedRow layout;
  int64_t lanes, vectors, rowBytes;
  bool words;
  SmallVector<Value> rows;
};

} // namespace

Value DotLoop::broadcastCodes(int64_t r, Value word, int64_t ahead, Type scalar,
                              VectorType vector) {
  int64_t wordBytes = tile.format.wordSize() * layout.codeBytes;
  Value at = b.offset(b.at(rows[r], word, wordBytes), ahead * layout.codeBytes);
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
  int64_t parts = tile.format.bits <= 4 ? 2 : 1;
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
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value x = broadcastCodes(
          r, word, ahead * tile.format.wordSize() + part * 4, b.i32, bytes);
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
  SmallVector<int64_t> even, odd;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    even.push_back(2 * lane);
    odd.push_back(2 * lane + 1);
  }
  // LLVM makes one vpmaddwd of this.
  auto multiplyAddPairs = [&](Value x, Value y) {
    Value product = arith::MulIOp::create(
        b, b.loc, arith::ExtSIOp::create(b, b.loc, wide, x),
        arith::ExtSIOp::create(b, b.loc, wide, y));
    return i.add(vector::ShuffleOp::create(b, b.loc, product, product, even),
                 vector::ShuffleOp::create(b, b.loc, product, product, odd));
  };
  auto constant = [&](int8_t value) {
    return arith::ConstantOp::create(b, b.loc,
                                     DenseElementsAttr::get(bytes, value));
  };
  int64_t parts = tile.format.bits <= 4 ? 2 : 1;
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
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value x = broadcastCodes(
          r, word, ahead * tile.format.wordSize() + part * 4, b.i64, halves);
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
  for (int64_t r = 0; r < tile.rows; ++r) {
    Value x =
        broadcastCodes(r, word, ahead * tile.format.wordSize(), b.i32, values);
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
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value x = broadcastCodes(r, word, ahead * tile.format.wordSize() + half,
                               b.f32, b.vf32);
      for (int64_t v = 0; v < vectors; ++v)
        acc[r * vectors + v] = b.fma(x, weights[v], acc[r * vectors + v]);
    }
  }
}

void DotLoop::step(Value word, int64_t ahead, SmallVectorImpl<Value> &acc) {
  Value panel = b.offset(b.at(tile.panel, word, rowBytes), ahead * rowBytes);
  if (tile.format.isInt())
    words ? intWords(panel, word, ahead, acc)
          : intPairs(panel, word, ahead, acc);
  else
    words ? bf16Words(panel, word, ahead, acc)
          : bf16Floats(panel, word, ahead, acc);
}

SmallVector<Value> DotLoop::run(Value first, int64_t count,
                                ArrayRef<Value> init) {
  int64_t unroll = 1;
  for (int64_t candidate : {4, 2})
    if (unroll == 1 && count % candidate == 0)
      unroll = candidate;
  if (tile.format.wordSize() == 8)
    unroll = std::min<int64_t>(unroll, 2);
  // LLVM would reorder the sums of several steps, and spill.
  if (halvesColumns(b.target, tile.format))
    unroll = 1;
  return b.loop(first, b.add(first, count), unroll, init,
                [&](Value word, ValueRange carried) {
                  SmallVector<Value> acc(carried);
                  for (int64_t u = 0; u < unroll; ++u)
                    step(word, u, acc);
                  return acc;
                });
}

/// Two vectors of partial sums, (a0 a0' a1 a1' ...) and (b0 b0' ...), as one of
/// sums (a0 a1 ... b0 b1 ...).
static Value addPartials(KernelBuilder &b, Value first, Value second) {
  int64_t lanes = b.target.lanes;
  SmallVector<int64_t> even, odd;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    even.push_back(2 * lane);
    odd.push_back(2 * lane + 1);
  }
  return arith::AddIOp::create(
      b, b.loc, vector::ShuffleOp::create(b, b.loc, first, second, even),
      vector::ShuffleOp::create(b, b.loc, first, second, odd));
}

SmallVector<Value> plmc::emitDotTile(KernelBuilder &b, const DotTile &tile) {
  const DotFormat &format = tile.format;
  DotLoop loop(b, tile);
  int64_t vectors = b.target.panelVectors, lanes = b.target.lanes;
  if (!format.isInt()) {
    SmallVector<Value> zeros(tile.rows * vectors, b.splat(0));
    return loop.run(b.c(0), format.words(tile.k), zeros);
  }

  Integers i(b);
  EncodedRow layout = EncodedRow::of(b.target, format, tile.k);
  int64_t columns = dotTileColumns(b.target, format) / lanes;
  bool halves = halvesColumns(b.target, format);
  int64_t blocks = format.blocks(tile.k);
  int64_t blockWords = format.words(format.block ? format.block : tile.k);
  SmallVector<Value> zeros(tile.rows * vectors, i.splat(0));

  auto addBlock = [&](Value block, ArrayRef<Value> totals) {
    SmallVector<Value> sums =
        loop.run(b.mul(block, blockWords), blockWords, zeros);
    SmallVector<Value> result;
    for (int64_t r = 0; r < tile.rows; ++r) {
      Value codes = b.load(b.i32, b.offset(b.at(tile.x, block),
                                           r * layout.stride + layout.sums));
      Value offset =
          arith::MulIOp::create(b, b.loc, codes,
                                arith::ConstantIntOp::create(
                                    b, b.loc, format.bits <= 4 ? 8 : 128, 32));
      Value offsets = vector::BroadcastOp::create(b, b.loc, i.vi32, offset);
      for (int64_t v = 0; v < columns; ++v) {
        Value sum = halves ? addPartials(b, sums[r * vectors + 2 * v],
                                         sums[r * vectors + 2 * v + 1])
                           : sums[r * vectors + v];
        sum = arith::SubIOp::create(b, b.loc, sum, offsets);
        Value value = arith::SIToFPOp::create(b, b.loc, b.vf32, sum);
        Value scale = b.load(
            b.vf32, b.offset(b.at(tile.scales, block, tile.panelWidth * 4),
                             v * lanes * 4));
        result.push_back(totals.empty()
                             ? b.fmul(value, scale)
                             : b.fma(value, scale, totals[r * columns + v]));
      }
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
  for (int64_t r = 0; r < tile.rows; ++r) {
    auto ofRow = [&](int64_t part) {
      return b.broadcast(
          b.load(b.f32, b.offset(tile.x, r * layout.stride + part)));
    };
    Value scale = ofRow(layout.scale), shift = ofRow(layout.shift);
    for (int64_t v = 0; v < columns; ++v) {
      Value sum =
          b.load(b.vf32, b.offset(tile.scales, blocks * tile.panelWidth * 4 +
                                                   v * lanes * 4));
      Value &total = totals[r * columns + v];
      total = b.fma(total, scale, b.fmul(shift, sum));
    }
  }
  return totals;
}
