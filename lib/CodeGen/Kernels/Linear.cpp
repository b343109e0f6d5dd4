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

#include "LinearTile.h"
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
      whole[rows] = linearTile(b, module, spec, rows, width);
    if (tail)
      last[rows] = linearTile(b, module, spec, rows, tail);
  }
  // Any number of rows.
  func::FuncOp amxWhole, amxLast;
  if (amx && wholeTiles)
    amxWhole =
        buildTileRows(b, module, spec, name, width, activateWhole, whole);
  if (amx && tail)
    amxLast = buildTileRows(b, module, spec, name + "_tail", tail, activateLast,
                            last);

  bool scales = spec.hasScales();
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
      auto runTiles = [&](ArrayRef<func::FuncOp> tiles, func::FuncOp activate,
                          func::FuncOp all) {
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
        // Whole tiles, then the two that are left.
        b.loop(b.c(0), b.add(full, b.c(2)), 1, [&](Value i) {
          Value isWhole = b.lt(i, full), isFirst = b.eq(i, full);
          Value height = b.select(isWhole, b.c(tileRows),
                                  b.select(isFirst, first, second));
          Value before = b.add(b.mul(b.min(i, full), tileRows),
                               b.select(b.lt(full, i), first, b.c(0)));
          SmallVector<Value> arguments = argumentsAt(b.add(begin, before));
          Value residualAt = arguments[3], yAt = arguments[4];
          if (!spec.residual || activate)
            arguments[3] = b.nullPointer();
          arguments.push_back(b.c(spec.n * 4));
          b.ifThenElse(
              b.eq(height, b.c(tileRows)), // most are
              [&] { b.call(tiles[tileRows], arguments); },
              [&] {
                for (int64_t rows = 1; rows < tileRows; ++rows)
                  b.ifThen(b.eq(height, b.c(rows)),
                           [&] { b.call(tiles[rows], arguments); });
              });
          if (activate)
            b.call(activate, {yAt, residualAt, height});
        });
      };
      if (!tail)
        return runTiles(whole, activateWhole, amxWhole);
      if (!wholeTiles)
        return runTiles(last, activateLast, amxLast);
      b.ifThenElse(
          b.lt(t, b.c(wholeTiles)),
          [&] { runTiles(whole, activateWhole, amxWhole); },
          [&] { runTiles(last, activateLast, amxLast); });
    });
  });
  b.endFunction();
  return func;
}
