//===- DotProduct.cpp - Products below f32 ----------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// One schedule serves bf16 and int8. K is counted in words of 32 bits, a word
// of a row is broadcast, and a vector of words, one of each column, is read
// from the panel:
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
// Weights of fewer than 8 bits are a pack of words, which has more words of K
// than it takes in the panel (UnpackCodes.cpp).
//
// Where there are matrix registers, they compute the sums; what follows is as
// here, from where they have left them (TileProduct.cpp).
//
// The loop: DotLoop.cpp. What makes numbers of integers: IntegerTile.cpp.
// Rows: EncodeRows.cpp.
//
//===----------------------------------------------------------------------===//

#include "DotLoop.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace plmc;

std::optional<DotFormat> DotFormat::of(plk::WeightOp weight) {
  if (!weight.getPrecision())
    return std::nullopt;
  DotFormat format{*weight.getPrecision(), int64_t(weight.getBits()),
                   int64_t(weight.getBlock().value_or(0))};
  if (!format.isInt())
    return format;
  format.isUnsigned = weight.getQuantized()->isUnsignedInteger();
  format.zeroPoint = weight.getZeroPoint().has_value();
  auto scale = SymbolTable::lookupNearestSymbolFrom<plk::WeightOp>(
      weight, weight.getScaleAttr());
  format.scalesInBF16 = scale && scale.getPrecision();
  return format;
}

int64_t DotFormat::packSize() const {
  if (!isInt())
    return 2;
  return bits == 3 ? 32 : 32 / bits;
}

std::string DotFormat::name() const {
  if (!isInt())
    return "_bf16";
  std::string text = (isUnsigned ? "_uint" : "_int") + std::to_string(bits);
  if (block)
    text += (scalesInBF16 ? "h" : "b") + std::to_string(block);
  return zeroPoint ? text + "_zero" : text;
}

bool DotFormat::halvesColumns(const TargetInfo &target) const {
  return isInt() && !target.dotInt8;
}

bool DotFormat::hasInstruction(const TargetInfo &target) const {
  return isInt() ? target.dotInt8 : target.dotBF16;
}

int64_t plmc::dotTileRows(const TargetInfo &target, const DotFormat &format) {
  if (target.lanes < 16)
    return target.tileRows;
  // The totals of the blocks need registers, too: at 12 rows they are stored
  // and loaded for each block, which takes 8 % of the time of a block of 128.
  return std::min<int64_t>(target.tileRows, format.block ? 8 : 12);
}

int64_t plmc::dotTileColumns(const TargetInfo &target,
                             const DotFormat &format) {
  int64_t columns = target.panelWidth();
  return format.halvesColumns(target) ? columns / 2 : columns;
}

SmallVector<Value> plmc::emitDotTile(KernelBuilder &b, const DotTile &tile) {
  const DotFormat &format = tile.format;
  if (format.isInt())
    return emitIntegerTile(b, tile);
  EncodedRow layout = EncodedRow::of(b.target, format, tile.k);
  SmallVector<Value> rows, start;
  for (int64_t r = 0; r < tile.rows; ++r)
    rows.push_back(b.offset(tile.x, r * layout.stride + layout.codes));
  DotLoop loop(b, format, tile.panel, tile.panelWidth, rows);
  loop.prefetchBytes = tile.prefetchBytes;
  int64_t vectors = b.target.panelVectors, lanes = b.target.lanes;
  for (int64_t r = 0; r < tile.rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value value = tile.bias.empty() ? b.splat(0) : tile.bias[v];
      if (tile.done)
        value = b.fadd(
            b.load(b.vf32, b.offset(tile.done, (r * vectors + v) * lanes * 4)),
            value);
      start.push_back(value);
    }
  return loop.run(b.c(tile.donePacks), format.packs(tile.k) - tile.donePacks,
                  start);
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
