//===- TileProduct.cpp - Products in matrix registers (AMX) -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// AMX has eight registers ("tiles") of up to 16 rows of 64 bytes, and
//
//     tdpbsud    C[m][n] += sum over words k of dot(A[m][k], B[k][n])
//
// of signed bytes A and unsigned bytes B, four to a word (tdpbf16ps: of two
// bfloat16). Encoded rows are A and panels are B as they lie in memory: rows of
// words of K, and for each word of K a row of words, one of each column. So the
// weights and the rows are those of the other levels, and the integers, too:
// int8 gives the bits that vpdpbusd gives.
//
// Registers. Two tiles of rows by two of columns: 4 sums + 2 A + 2 B are all
// eight, and each tile that is loaded is used twice. A panel is 32 columns
// wide; if no more than 16 exist, one tile of columns does.
//
// Rows. The shape of each register is fixed when a function configures the unit
// (LLVM inserts ldtilecfg at its start and tilerelease at its end, so no state
// outlives a call and each thread has its own). Configuring costs tens of
// cycles, so a function loops over all whole groups of 32 rows; what is left is
// one more call, with the last tile as high as there are rows. Nothing past the
// last row is read. Calls inside the loop would configure again: activations
// run over all rows at the end.
//
// K. Steps of 16 words are a full tile. Another number would need tiles of a
// second shape for the rest, for which there is no register left. So all steps
// have the same number of words, the largest from 16 down to 8 that divides K
// (312 codes: 6 steps of 13 words). If none does (K = 100), what 16 does not
// divide is added with vectors, in the epilogue. Below 8 words vectors do all.
//
// Epilogue. Only memory connects tiles and vectors: sums go through 4 KB of
// stack, from which emitDotTile goes on as if they were its own.
//
// Few rows. A tile of one row takes about as long as its loads do, as the
// vectors do, and without them there is nothing to configure: up to 4 rows of
// int8 take the vectors. The number is a guess, nobody has measured it. In bf16
// the two ways round differently, and a row has to give the same bits whatever
// else is in the batch: all take tiles.
//
//===----------------------------------------------------------------------===//

#include "TileProduct.h"
#include "LinearTile.h"

using namespace mlir;
using namespace plmc;

static constexpr int64_t tileRows = 16, tileBytes = 64;
static constexpr int64_t columnsOfTile = tileBytes / 4;
static_assert(tileGroupRows == 2 * tileRows);

TileSteps TileSteps::of(int64_t words) {
  for (int64_t step = 16; step >= 8; --step)
    if (words % step == 0)
      return {step, words / step};
  return {16, words / 16};
}

bool plmc::usesTiles(const TargetInfo &target, const DotFormat &format,
                     int64_t k) {
  bool has = format.isInt()
                 ? target.amxInt8 && format.bits == 8 && !format.block
                 : target.amxBF16;
  return has && TileSteps::of(format.words(k)).count > 0;
}

int64_t plmc::fewTileRows(const DotFormat &format) {
  return format.isInt() ? 4 : 0;
}

namespace {

/// Instructions on tiles, whose shapes are i16 values: rows, bytes of a row.
class Tiles {
public:
  Tiles(KernelBuilder &b, const DotFormat &format)
      : b(b), type(LLVM::LLVMX86AMXType::get(b.getContext())),
        product(format.isInt() ? "llvm.x86.tdpbsud.internal"
                               : "llvm.x86.tdpbf16ps.internal") {}

  Value size(int64_t value) {
    return arith::ConstantIntOp::create(b, b.loc, value, 16);
  }
  Value zero(Value rows, Value bytes) {
    return call("llvm.x86.tilezero.internal", {rows, bytes});
  }
  Value load(Value rows, Value bytes, Value from, int64_t stride) {
    return call("llvm.x86.tileloadd64.internal",
                {rows, bytes, from, b.c(stride)});
  }
  void store(Value rows, Value bytes, Value to, int64_t stride, Value tile) {
    LLVM::CallIntrinsicOp::create(
        b, b.loc, b.getStringAttr("llvm.x86.tilestored64.internal"),
        ValueRange{rows, bytes, to, b.c(stride), tile});
  }
  /// sum + x * y; `bytes` of a row of x, 64 of the others.
  Value multiply(Value rows, Value bytes, Value sum, Value x, Value y) {
    return call(product, {rows, size(tileBytes), bytes, sum, x, y});
  }

private:
  Value call(StringRef name, ValueRange operands) {
    return LLVM::CallIntrinsicOp::create(b, b.loc, type, b.getStringAttr(name),
                                         operands)
        .getResult(0);
  }
  KernelBuilder &b;
  Type type;
  StringRef product;
};

/// Where a panel's product lies, at its first column and some row.
struct PanelProduct {
  Value x, panel, bias, residual, y;
  Value scales, zeroPoints; // int8 only
};

class TileKernel {
public:
  TileKernel(KernelBuilder &b, const LinearSpec &spec, int64_t valid,
             bool activated)
      : b(b), spec(spec), format(*spec.dot), valid(valid), activated(activated),
        steps(TileSteps::of(format.words(spec.k))),
        layout(EncodedRow::of(b.target, format, spec.k)),
        columnTiles(llvm::divideCeil(valid, columnsOfTile)),
        panelBytes(spec.panelWidth * 4), sumBytes(b.target.panelWidth() * 4) {}

  /// The arguments of a register tile, then (groups, height : i64): groups of
  /// `rowTiles` tiles of rows, the last tile of each group `height` rows high.
  func::FuncOp build(ModuleOp module, StringRef name, int64_t rowTiles);

private:
  void emitGroup(const PanelProduct &at, Value sums, ValueRange heights);
  void emitEpilogue(const PanelProduct &at, Value sums, Value rows);
  PanelProduct rowsFrom(const PanelProduct &at, Value row);

  KernelBuilder &b;
  const LinearSpec &spec;
  const DotFormat &format;
  const int64_t valid;
  const bool activated; // the residual comes after the activation
  const TileSteps steps;
  const EncodedRow layout;
  const int64_t columnTiles, panelBytes, sumBytes;
};

} // namespace

PanelProduct TileKernel::rowsFrom(const PanelProduct &at, Value row) {
  PanelProduct moved = at;
  moved.x = b.at(at.x, row, layout.stride);
  moved.residual = b.at(at.residual, row, spec.n * 4);
  moved.y = b.at(at.y, row, spec.n * 4);
  return moved;
}

/// Products of one group of rows, to `sums`.
void TileKernel::emitGroup(const PanelProduct &at, Value sums,
                           ValueRange heights) {
  Tiles tiles(b, format);
  Value xBytes = tiles.size(steps.words * 4), all = tiles.size(tileBytes);
  Value panelRows = tiles.size(steps.words);
  SmallVector<Value> zeros;
  for (Value height : heights)
    for (int64_t c = 0; c < columnTiles; ++c)
      zeros.push_back(tiles.zero(height, all));

  int64_t prefetchBytes = prefetchDistance(spec, tileGroupRows);
  auto results = b.loop(
      b.c(0), b.c(steps.count), 1, zeros, [&](Value step, ValueRange carried) {
        SmallVector<Value> acc(carried), weights;
        Value panel = b.at(at.panel, step, steps.words * panelBytes);
        if (prefetchBytes)
          for (int64_t word = 0; word < steps.words; ++word)
            for (int64_t c = 0; c < columnTiles; ++c)
              b.prefetch(b.offset(panel, prefetchBytes + word * panelBytes +
                                             c * tileBytes));
        for (int64_t c = 0; c < columnTiles; ++c)
          weights.push_back(tiles.load(
              panelRows, all, b.offset(panel, c * tileBytes), panelBytes));
        Value codes = b.offset(b.at(at.x, step, steps.words * 4), layout.codes);
        for (auto [r, height] : llvm::enumerate(heights)) {
          Value x = tiles.load(height, xBytes,
                               b.offset(codes, r * tileRows * layout.stride),
                               layout.stride);
          for (int64_t c = 0; c < columnTiles; ++c) {
            Value &sum = acc[r * columnTiles + c];
            sum = tiles.multiply(height, xBytes, sum, x, weights[c]);
          }
        }
        return acc;
      });
  for (auto [r, height] : llvm::enumerate(heights))
    for (int64_t c = 0; c < columnTiles; ++c)
      tiles.store(height, all,
                  b.offset(sums, r * tileRows * sumBytes + c * tileBytes),
                  sumBytes, results[r * columnTiles + c]);
}

/// From sums to y. Four rows at a time share what belongs to columns.
void TileKernel::emitEpilogue(const PanelProduct &at, Value sums, Value rows) {
  auto emitRows = [&](Value row, int64_t count) {
    PanelProduct here = rowsFrom(at, row);
    DotTile tile{format, count,      spec.k,      spec.panelWidth,
                 here.x, here.panel, here.scales, here.zeroPoints};
    tile.done = b.at(sums, row, sumBytes);
    tile.donePacks = steps.done();
    if (spec.bias)
      for (int64_t v = 0; v < b.target.panelVectors; ++v)
        tile.bias.push_back(loadColumns(b, here.bias, v, valid));
    storeTile(b, spec, count, valid, emitDotTile(b, tile),
              spec.residual && !activated ? here.residual : Value(), here.y,
              b.c(spec.n * 4));
  };
  Value most = b.mul(b.div(rows, b.c(4)), 4);
  b.loop(b.c(0), most, 4, [&](Value row) { emitRows(row, 4); });
  b.loop(most, rows, 1, [&](Value row) { emitRows(row, 1); });
}

func::FuncOp TileKernel::build(ModuleOp module, StringRef name,
                               int64_t rowTiles) {
  SmallVector<Type> types(format.isInt() ? 7 : 5, b.ptr);
  types.append(2, b.i64);
  auto func = b.beginFunction(module, name, types);
  func.setPrivate();
  auto argument = [&](int64_t i) { return Value(func.getArgument(i)); };
  PanelProduct all{argument(0), argument(1), argument(2), argument(3),
                   argument(4), {},          {}};
  if (format.isInt()) {
    all.scales = argument(5);
    all.zeroPoints = argument(6);
  }
  Value groups = argument(types.size() - 2), last = argument(types.size() - 1);
  Value sums = LLVM::AllocaOp::create(
      b, b.loc, b.ptr, b.i8, b.c(rowTiles * tileRows * sumBytes), tileBytes);
  SmallVector<Value> heights;
  for (int64_t r = 1; r < rowTiles; ++r)
    heights.push_back(Tiles(b, format).size(tileRows));
  heights.push_back(arith::TruncIOp::create(b, b.loc, b.getI16Type(), last));
  Value rows = b.add(last, (rowTiles - 1) * tileRows);
  b.loop(b.c(0), groups, 1, [&](Value group) {
    PanelProduct at = rowsFrom(all, b.mul(group, rowTiles * tileRows));
    emitGroup(at, sums, heights);
    emitEpilogue(at, sums, rows);
  });
  b.endFunction();
  return func;
}

func::FuncOp plmc::buildTileRows(KernelBuilder &b, ModuleOp module,
                                 const LinearSpec &spec, StringRef name,
                                 int64_t valid, func::FuncOp activate,
                                 ArrayRef<func::FuncOp> few) {
  TileKernel kernel(b, spec, valid, bool(activate));
  auto two = kernel.build(module, (name + "_amx2").str(), 2);
  auto one = kernel.build(module, (name + "_amx1").str(), 1);
  EncodedRow layout = EncodedRow::of(b.target, *spec.dot, spec.k);

  SmallVector<Type> types(spec.dot->isInt() ? 7 : 5, b.ptr);
  types.push_back(b.i64);
  auto func = b.beginFunction(module, (name + "_amx").str(), types);
  func.setPrivate();
  SmallVector<Value> first(func.getArguments().drop_back());
  Value rows = func.getArguments().back();
  Value groups = b.div(rows, b.c(tileGroupRows));
  Value whole = b.mul(groups, tileGroupRows), rest = b.sub(rows, whole);
  SmallVector<Value> left = first;
  left[0] = b.at(first[0], whole, layout.stride);
  for (int64_t index : {3, 4})
    left[index] = b.at(first[index], whole, spec.n * 4);

  auto call = [&](func::FuncOp callee, ArrayRef<Value> operands,
                  ArrayRef<Value> more) {
    SmallVector<Value> all(operands);
    llvm::append_range(all, more);
    b.call(callee, all);
  };
  b.ifThen(b.lt(b.c(0), groups),
           [&] { call(two, first, {groups, b.c(tileRows)}); });
  b.ifThenElse(
      b.lt(b.c(tileRows), rest),
      [&] { call(two, left, {b.c(1), b.sub(rest, b.c(tileRows))}); },
      [&] {
        int64_t most = fewTileRows(*spec.dot);
        SmallVector<Value> ofTile = left;
        if (!spec.residual || activate)
          ofTile[3] = b.nullPointer();
        b.ifThen(b.lt(b.c(most), rest),
                 [&] { call(one, left, {b.c(1), rest}); });
        for (int64_t height = 1; height <= most; ++height)
          b.ifThen(b.eq(rest, b.c(height)),
                   [&] { call(few[height], ofTile, {b.c(spec.n * 4)}); });
      });
  if (activate)
    b.call(activate, {first[4], first[3], rows});
  b.endFunction();
  return func;
}
