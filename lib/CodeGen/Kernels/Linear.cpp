//===- Linear.cpp - Matrix product with a packed weight ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The weight lies in panels of one register tile's width, [N / W][K][W], so the
// inner loop reads one row of W floats and broadcasts one float of each row of
// x for it:
//
//     for k:  for r in rows:  acc[r] += broadcast(x[r][k]) * panel[k]
//
// with all accumulators in registers (6 x 16 on AVX2, 14 x 32 on AVX-512). The
// loops around it: blocks of rows that stay in L2, panels, tiles of rows. A
// panel of K = 384 stays in L1 while the tiles of a block pass over it; with
// few rows the whole weight is streamed exactly once. There is no blocking
// over K: at the widths of BERT it costs more than it saves.
//
// An 8-bit weight is converted where it is read: one conversion of a row of the
// panel serves all rows of the tile. Its zero points are subtracted there, too,
// which is exact; its scales belong to columns and come last.
//
// Products in bf16 or int8 have tiles of their own (DotProduct.cpp); the loops
// around them are these. A panel may be wider than a tile: then one copy of the
// weights serves CPUs of several vector widths. On AMX all rows of a block go
// through one panel in one call (TileProduct.cpp).
//
// A row count that is no multiple of the tile ends in two tiles of nearly equal
// height (8 rows are 4 + 4, not 6 + 2): a low tile has too few independent
// accumulators to keep the multipliers busy.
//
//===----------------------------------------------------------------------===//

#include "../VectorMath.h"
#include "Kernels.h"
#include "TileProduct.h"

using namespace mlir;
using namespace plmc;

std::string LinearSpec::name() const {
  std::string text = llvm::formatv("linear_{0}x{1}", k, n).str() +
                     (dot ? dot->name() : weight.name());
  text += "_p" + std::to_string(panelWidth);
  if (bias)
    text += "_bias";
  if (activation)
    text += "_" + plm::stringifyActivationKind(*activation).str();
  if (residual)
    text += "_residual";
  return text;
}

int64_t LinearSpec::tileRows(const TargetInfo &target) const {
  if (!dot)
    return target.tileRows;
  return usesTiles(target, *dot, k) ? tileGroupRows : dotTileRows(target, *dot);
}

int64_t LinearSpec::tileColumns(const TargetInfo &target) const {
  return dot ? dotTileColumns(target, *dot) : target.panelWidth();
}

WeightFormat WeightFormat::of(plk::WeightOp weight) {
  WeightFormat format;
  if (!weight.getQuantized())
    return format;
  format.element = weight.getQuantized()->isUnsignedInteger() ? U8 : I8;
  if (!weight.getPrecision() && weight.getBits() <= 4) {
    format.element = Codes;
    format.bits = weight.getBits();
    format.block = weight.getBlock().value_or(0);
  }
  format.zeroPoint = weight.getZeroPoint().has_value();
  format.axis = weight.getAxis().value_or(-1);
  return format;
}

std::string WeightFormat::name() const {
  if (!isQuantized())
    return "";
  if (element == Codes)
    return llvm::formatv("_i{0}b{1}", bits, block);
  std::string text = element == U8 ? "_u8" : "_i8";
  if (zeroPoint)
    text += "_zero";
  return axis < 0 ? text : text + std::to_string(axis);
}

SmallVector<Value> plmc::emitTile(KernelBuilder &b, const TileOperands &tile,
                                  ArrayRef<Value> init) {
  int64_t vectors = b.target.panelVectors;
  int64_t lanes = b.target.lanes, bytes = tile.format.bytes();
  int64_t rowBytes =
      (tile.panelWidth ? tile.panelWidth : b.target.panelWidth()) * bytes;
  int64_t unroll = 1;
  for (int64_t candidate : {4, 2})
    if (unroll == 1 && tile.constantK > 0 && tile.constantK % candidate == 0)
      unroll = candidate;

  SmallVector<Value> rows;
  for (int64_t r = 0; r < tile.rows; ++r)
    rows.push_back(b.offset(tile.a, b.mul(tile.aStride, b.c(r))));

  return b.loop(b.c(0), tile.k, unroll, init, [&](Value k, ValueRange carried) {
    SmallVector<Value> acc(carried);
    Value panel = b.at(tile.panel, k, rowBytes);
    for (int64_t u = 0; u < unroll; ++u) {
      if (tile.prefetchBytes && u * rowBytes % 64 == 0)
        for (int64_t line = 0; line < rowBytes; line += 64)
          b.prefetch(b.offset(panel, tile.prefetchBytes + u * rowBytes + line));
      SmallVector<Value> weights;
      for (int64_t v = 0; v < vectors; ++v) {
        Value at = b.offset(panel, u * rowBytes + v * lanes * bytes);
        if (!tile.format.isQuantized()) {
          weights.push_back(b.load(b.vf32, at));
          continue;
        }
        Value weight =
            b.loadVec8(at, lanes, tile.format.element == WeightFormat::U8);
        weights.push_back(tile.format.zeroPoint
                              ? b.fsub(weight, tile.zeroPoints[v])
                              : weight);
      }
      for (int64_t r = 0; r < tile.rows; ++r) {
        Value x = b.broadcast(b.load(b.f32, b.offset(b.at(rows[r], k), u * 4)));
        for (int64_t v = 0; v < vectors; ++v)
          acc[r * vectors + v] = b.fma(x, weights[v], acc[r * vectors + v]);
      }
    }
    return acc;
  });
}

/// Activates a stored tile in place: (y, residual : ptr; rows). One function
/// for tiles of any height: unrolled into each of them, the polynomial would be
/// most of the library's code and of the time to compile it.
static func::FuncOp buildActivateTile(KernelBuilder &b, ModuleOp module,
                                      const LinearSpec &spec, StringRef name,
                                      int64_t valid) {
  auto func = b.beginFunction(module, name, {b.ptr, b.ptr, b.i64});
  func.setPrivate();
  int64_t lanes = b.target.lanes;
  b.loop(b.c(0), func.getArgument(2), 1, [&](Value row) {
    Value y = b.at(func.getArgument(0), row, spec.n * 4);
    Value residual = b.at(func.getArgument(1), row, spec.n * 4);
    for (int64_t column = 0; column < valid; column += lanes) {
      int64_t lanesHere = std::min(lanes, valid - column);
      Value at = b.offset(y, column * 4);
      Value value =
          emitActivation(b, *spec.activation, b.loadVec(at, lanesHere));
      if (spec.residual)
        value =
            b.fadd(value, b.loadVec(b.offset(residual, column * 4), lanesHere));
      b.storeVec(value, at, lanesHere);
    }
  });
  b.endFunction();
  return func;
}

static bool hasScales(const LinearSpec &spec) {
  return spec.dot ? spec.dot->isInt() : spec.weight.isQuantized();
}

Value plmc::loadColumns(KernelBuilder &b, Value vector, int64_t v,
                        int64_t valid) {
  int64_t lanes = b.target.lanes;
  int64_t here = std::clamp<int64_t>(valid - v * lanes, 0, lanes);
  return here ? b.loadVec(b.offset(vector, v * lanes * 4), here) : b.splat(0);
}

// Of 4 to 400 KB, 8 and 16 were best, by up to 10 % at 8 rows. A single row
// streams them as fast as they can be read.
int64_t plmc::prefetchDistance(const LinearSpec &spec, int64_t rows) {
  return spec.prefetch && rows > 1 ? 8 * 1024 : 0;
}

void plmc::storeTile(KernelBuilder &b, const LinearSpec &spec, int64_t rows,
                     int64_t valid, ArrayRef<Value> acc, Value residual,
                     Value y) {
  int64_t lanes = b.target.lanes;
  int64_t vectors = spec.tileColumns(b.target) / lanes;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      int64_t here = std::clamp<int64_t>(valid - v * lanes, 0, lanes);
      if (!here)
        continue;
      int64_t at = (r * spec.n + v * lanes) * 4;
      Value value = acc[r * vectors + v];
      if (residual)
        value = b.fadd(value, b.loadVec(b.offset(residual, at), here));
      b.storeVec(value, b.offset(y, at), here);
    }
}

/// x W + bias of a tile, by multiply-adds in f32.
static SmallVector<Value> emitFloat(KernelBuilder &b, const LinearSpec &spec,
                                    int64_t rows, int64_t valid,
                                    func::FuncOp func) {
  bool quantized = spec.weight.isQuantized();
  int64_t vectors = b.target.panelVectors;
  Value bias = func.getArgument(2);
  // Without scales the sum starts at the bias.
  SmallVector<Value> start;
  for (int64_t v = 0; v < vectors; ++v)
    start.push_back(spec.bias && !quantized ? loadColumns(b, bias, v, valid)
                                            : b.splat(0));
  SmallVector<Value> init;
  for (int64_t r = 0; r < rows; ++r)
    llvm::append_range(init, start);

  TileOperands tile{rows,
                    func.getArgument(0),
                    b.c(spec.k * 4),
                    func.getArgument(1),
                    b.c(spec.k),
                    spec.k,
                    spec.panelWidth};
  tile.prefetchBytes = prefetchDistance(spec, rows);
  tile.format = spec.weight;
  if (spec.weight.zeroPoint)
    for (int64_t v = 0; v < vectors; ++v)
      tile.zeroPoints.push_back(loadColumns(b, func.getArgument(6), v, valid));
  SmallVector<Value> acc = emitTile(b, tile, init);
  if (quantized)
    for (int64_t v = 0; v < vectors; ++v) {
      Value scale = loadColumns(b, func.getArgument(5), v, valid);
      Value shift = spec.bias ? loadColumns(b, bias, v, valid) : Value();
      for (int64_t r = 0; r < rows; ++r) {
        Value &sum = acc[r * vectors + v];
        sum = shift ? b.fma(sum, scale, shift) : b.fmul(sum, scale);
      }
    }
  return acc;
}

/// The same by dot products below f32.
static SmallVector<Value> emitDot(KernelBuilder &b, const LinearSpec &spec,
                                  int64_t rows, int64_t valid,
                                  func::FuncOp func) {
  DotTile tile{
      *spec.dot,           rows, spec.k, spec.panelWidth, func.getArgument(0),
      func.getArgument(1), {},   {}};
  if (spec.dot->isInt()) {
    tile.scales = func.getArgument(5);
    tile.zeroPoints = func.getArgument(6);
  }
  tile.prefetchBytes = prefetchDistance(spec, rows);
  if (spec.bias)
    for (int64_t v = 0; v < spec.tileColumns(b.target) / b.target.lanes; ++v)
      tile.bias.push_back(loadColumns(b, func.getArgument(2), v, valid));
  return emitDotTile(b, tile);
}

/// One tile: (x, panel, bias, residual, y : ptr), all at the tile's first row
/// and column; with a quantised weight also (scales, zero points : ptr).
/// `valid` columns of the panel exist.
static func::FuncOp buildLinearTile(KernelBuilder &b, ModuleOp module,
                                    const LinearSpec &spec, StringRef name,
                                    int64_t rows, int64_t valid,
                                    func::FuncOp activate) {
  SmallVector<Type> types(hasScales(spec) ? 7 : 5, b.ptr);
  auto func = b.beginFunction(module, name, types);
  func.setPrivate();
  Value residual = func.getArgument(3), y = func.getArgument(4);
  SmallVector<Value> acc = spec.dot ? emitDot(b, spec, rows, valid, func)
                                    : emitFloat(b, spec, rows, valid, func);
  storeTile(b, spec, rows, valid, acc,
            spec.residual && !activate ? residual : Value(), y);
  if (activate)
    b.call(activate, {y, residual, b.c(rows)});
  b.endFunction();
  return func;
}

func::FuncOp plmc::buildLinear(KernelBuilder &b, ModuleOp module,
                               const LinearSpec &spec) {
  int64_t tileRows = spec.tileRows(b.target),
          width = spec.tileColumns(b.target);
  int64_t wholeTiles = spec.n / width, tail = spec.n % width;
  int64_t tilesPerPanel = spec.panelWidth / width;
  int64_t xStride = spec.k * 4, panelBytes, wordBytes;
  if (spec.dot) {
    xStride = EncodedRow::of(b.target, *spec.dot, spec.k).stride;
    wordBytes = 4;
    panelBytes = spec.dot->words(spec.k) * spec.panelWidth * 4;
  } else {
    wordBytes = spec.weight.bytes();
    panelBytes = spec.k * spec.panelWidth * wordBytes;
  }
  std::string name = spec.name();

  auto activation = [&](StringRef suffix, int64_t valid) {
    return spec.activation
               ? buildActivateTile(b, module, spec,
                                   name + "_epilogue" + suffix.str(), valid)
               : func::FuncOp();
  };
  func::FuncOp activateWhole, activateLast;
  if (wholeTiles)
    activateWhole = activation("", width);
  if (tail)
    activateLast = activation("_tail", tail);
  bool amx = spec.dot && usesTiles(b.target, *spec.dot, spec.k);
  int64_t heights = amx ? fewTileRows(*spec.dot) : tileRows;
  SmallVector<func::FuncOp> whole(heights + 1), last(heights + 1);
  for (int64_t rows = 1; rows <= heights; ++rows) {
    if (wholeTiles)
      whole[rows] = buildLinearTile(b, module, spec,
                                    llvm::formatv("{0}_m{1}", name, rows).str(),
                                    rows, width, activateWhole);
    if (tail)
      last[rows] = buildLinearTile(
          b, module, spec, llvm::formatv("{0}_m{1}_tail", name, rows).str(),
          rows, tail, activateLast);
  }
  // Any number of rows.
  func::FuncOp amxWhole, amxLast;
  if (amx && wholeTiles)
    amxWhole =
        buildTileRows(b, module, spec, name, width, activateWhole, whole);
  if (amx && tail)
    amxLast = buildTileRows(b, module, spec, name + "_tail", tail, activateLast,
                            last);

  bool scales = hasScales(spec);
  SmallVector<Type> types(5, b.ptr);
  types.append(4, b.i64);
  types.append(scales ? 2 : 0, b.ptr);
  auto func = b.beginFunction(module, name, types);
  func.setPrivate();
  Value x = func.getArgument(0), weight = func.getArgument(1),
        bias = func.getArgument(2), residual = func.getArgument(3),
        y = func.getArgument(4), row0 = func.getArgument(5),
        row1 = func.getArgument(6), tile0 = func.getArgument(7),
        tile1 = func.getArgument(8);

  // Rows of x that share the L2 with the panels that pass by; blocks of equal
  // size, so that no low block is left at the end.
  int64_t largest = std::clamp<int64_t>(192 * 1024 / xStride, 24, 192);
  Value total = b.sub(row1, row0);
  Value blocks = b.ceilDiv(total, largest);
  Value block = b.mul(b.ceilDiv(b.div(b.add(total, b.sub(blocks, b.c(1))),
                                      b.max(blocks, b.c(1))),
                                tileRows),
                      tileRows);

  b.loop(b.c(0), blocks, 1, [&](Value index) {
    Value begin = b.min(b.add(row0, b.mul(index, block)), row1);
    Value count = b.sub(b.min(b.add(begin, block), row1), begin);
    Value full = b.div(count, b.c(tileRows));
    Value rest = b.rem(count, b.c(tileRows));
    // Two nearly equal tiles instead of one whole and a low one.
    Value split =
        arith::AndIOp::create(b, b.loc, b.lt(b.c(0), rest), b.lt(b.c(0), full));
    full = b.select(split, b.sub(full, b.c(1)), full);
    Value left = b.select(split, b.add(rest, tileRows), rest);
    Value first = b.select(split, b.ceilDiv(left, 2), rest);
    Value second = b.sub(left, first);

    b.loop(tile0, tile1, 1, [&](Value t) {
      Value inPanel = b.mul(b.rem(t, b.c(tilesPerPanel)), width);
      Value number = b.div(t, b.c(tilesPerPanel));
      Value panel = b.at(b.at(weight, number, panelBytes), inPanel, wordBytes);
      Value column = b.mul(t, width);
      auto runTiles = [&](ArrayRef<func::FuncOp> tiles, func::FuncOp all) {
        auto argumentsAt = [&](Value row) {
          Value at = b.add(b.mul(row, spec.n), column);
          SmallVector<Value> arguments{b.at(x, row, xStride), panel,
                                       b.at(bias, column), b.at(residual, at),
                                       b.at(y, at)};
          if (spec.dot && scales) { // panels too
            Value at = b.at(func.getArgument(9), number,
                            spec.dot->scaleWords(spec.k) * spec.panelWidth * 4);
            Value zeros = b.at(func.getArgument(10), number,
                               spec.dot->blocks(spec.k) * spec.panelWidth);
            arguments.append({b.at(at, inPanel), b.offset(zeros, inPanel)});
          } else if (scales) {
            for (unsigned index : {9, 10})
              arguments.push_back(b.at(func.getArgument(index), column));
          }
          return arguments;
        };
        if (all) {
          SmallVector<Value> arguments = argumentsAt(begin);
          arguments.push_back(count);
          return b.call(all, arguments);
        }
        auto tileAt = [&](int64_t rows, Value row) {
          b.call(tiles[rows], argumentsAt(row));
        };
        b.loop(b.c(0), full, 1, [&](Value i) {
          tileAt(tileRows, b.add(begin, b.mul(i, tileRows)));
        });
        Value row = b.add(begin, b.mul(full, tileRows));
        for (Value height : {first, second}) {
          for (int64_t rows = 1; rows <= tileRows; ++rows)
            b.ifThen(b.eq(height, b.c(rows)), [&] { tileAt(rows, row); });
          row = b.add(row, first);
        }
      };
      if (!tail)
        return runTiles(whole, amxWhole);
      if (!wholeTiles)
        return runTiles(last, amxLast);
      b.ifThenElse(
          b.lt(t, b.c(wholeTiles)), [&] { runTiles(whole, amxWhole); },
          [&] { runTiles(last, amxLast); });
    });
  });
  b.endFunction();
  return func;
}
