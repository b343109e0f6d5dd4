//===- DotProduct.h - Products below f32 ------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELS_DOTPRODUCT_H
#define PLMC_LIB_CODEGEN_KERNELS_DOTPRODUCT_H

#include "../KernelBuilder.h"
#include "plmc/Dialect/PLK/PLK.h"

namespace plmc {

/// What the panels of a weight and the rows that meet them are made of
/// (`precision`, `bits`, `block`, `quantized`, `zero_point` and `scale` of
/// plk.weight).
struct DotFormat {
  plm::Precision precision = plm::Precision::Int8;
  int64_t bits = 8;
  int64_t block = 0; // 0: all of K
  bool isUnsigned = false, zeroPoint = false, scalesInBF16 = false;

  static std::optional<DotFormat> of(plk::WeightOp weight);
  bool isInt() const { return precision == plm::Precision::Int8; }
  /// The target has an instruction for words of this format.
  bool hasInstruction(const TargetInfo &target) const;
  /// A vector of a tile holds two partial sums of each column.
  bool halvesColumns(const TargetInfo &target) const;
  /// Values of K in a pack of a panel, and words of a pack.
  int64_t packSize() const;
  int64_t packWords() const { return isInt() && bits == 3 ? 3 : 1; }
  int64_t packs(int64_t k) const { return llvm::divideCeil(k, packSize()); }
  /// Words of a column.
  int64_t words(int64_t k) const { return packs(k) * packWords(); }
  int64_t blocks(int64_t k) const {
    return block ? llvm::divideCeil(k, block) : 1;
  }
  /// Words of a column of the scales.
  int64_t scaleWords(int64_t k) const {
    return scalesInBF16 ? llvm::divideCeil(blocks(k) + 3, 2) : blocks(k) + 1;
  }
  /// The code that stands for 0 where there is no zero point.
  int64_t zeroCode() const { return isUnsigned ? 0 : int64_t(1) << (bits - 1); }
  /// Codes are read 2^this times as large, and scales are as much smaller: the
  /// code of 0 is then 8, and -8 S is what sums begin with.
  int64_t codeShift() const {
    return zeroPoint || isUnsigned || bits > 4 ? 0 : 4 - bits;
  }
  std::string name() const; // "_bf16", "_int8", "_int4b32_zero"
};

/// Bytes of a row from plk.encode_rows, enough for every target.
int64_t encodedRowBytes(const DotFormat &format, int64_t k);

/// Where the parts of an encoded row are on this target, in bytes.
///   int8: f32 scale and shift; for each block, S the sum of its codes, i32
///         -8 S and -S; codes
///   bf16: codes
struct EncodedRow {
  int64_t codes = 0, codeBytes = 0, stride = 0;
  static constexpr int64_t scale = 0, shift = 4, sums = 8, sumBytes = 8;
  static EncodedRow of(const TargetInfo &target, const DotFormat &format,
                       int64_t k);
};

/// Codes with a scale from outside, the same for all rows (plm.quantize).
struct GivenCodes {
  bool zeroPoint = false, isUnsigned = false;
};

/// (x, encoded : ptr; row0, row1): rows of f32 [.., k] to encoded rows. Given
/// codes, int8 only, have two more: (scale, zero point : ptr).
mlir::func::FuncOp
buildEncodeRows(KernelBuilder &b, mlir::ModuleOp module,
                const DotFormat &format, int64_t k,
                std::optional<GivenCodes> given = std::nullopt);

/// The nearest bfloat16, ties to even, in the upper half of each word.
Value emitRoundToBF16(KernelBuilder &b, Value x);

/// The same as what a row of codes is made of: vector<lanes x i16> where the
/// target has the instruction, else vector<lanes x f32>.
Value emitBF16Codes(KernelBuilder &b, Value x);
/// Of two vectors at once, where the target has the instruction:
/// vector<2 * lanes x i16>.
Value emitBF16CodePair(KernelBuilder &b, Value x, Value y);
int64_t bf16CodeBytes(const TargetInfo &target);

/// Rows of a register tile. One less than what the registers hold for f32: the
/// weights are loaded further ahead of their use here, and one more would
/// spill. Fewer with blocks.
int64_t dotTileRows(const TargetInfo &target, const DotFormat &format);
/// Columns of a register tile; they divide the width of a panel.
int64_t dotTileColumns(const TargetInfo &target, const DotFormat &format);

/// A register tile of `rows` encoded rows.
struct DotTile {
  DotFormat format;
  int64_t rows = 0, k = 0;
  int64_t panelWidth = 0;
  Value x;     // first encoded row
  Value panel; // first word, at the tile's first column
  /// int8 only: the scales of the first block, at the tile's first column, and
  /// its zero points if there are any (plk.weight says what follows).
  Value scales, zeroPoints;
  /// How far ahead of the panel to prefetch; 0: not.
  int64_t prefetchBytes = 0;
  /// A vector of each column vector of the tile, or none.
  llvm::SmallVector<Value> bias = {};
  /// [rows][panelVectors * lanes], i32 or f32: sums over the first `donePacks`
  /// packs of K, which are then not read; none, nothing is done. Not with
  /// blocks, nor where a tile holds partial sums.
  Value done = {};
  int64_t donePacks = 0;
};
/// The products, with the bias, as f32, [rows][dotTileColumns / lanes] vectors,
/// row major.
llvm::SmallVector<Value> emitDotTile(KernelBuilder &b, const DotTile &tile);
/// The same in int8.
llvm::SmallVector<Value> emitIntegerTile(KernelBuilder &b, const DotTile &tile);

/// A register tile of `rows` rows of bf16 codes (emitBF16Codes) that lie
/// `stride` bytes apart, and a panel of `words` words (a value) of the target's
/// width, two values of K each. `words` is a multiple of `unroll`.
struct BF16Tile {
  int64_t rows = 0;
  Value x, stride, panel, words;
  int64_t unroll = 1;
};
llvm::SmallVector<Value> emitBF16Tile(KernelBuilder &b, const BF16Tile &tile);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_DOTPRODUCT_H
