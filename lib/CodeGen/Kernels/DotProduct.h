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
/// (`precision`, `bits` and `block` of plk.weight).
struct DotFormat {
  plm::Precision precision = plm::Precision::Int8;
  int64_t bits = 8;
  int64_t block = 0; // 0: all of K

  static std::optional<DotFormat> of(plk::WeightOp weight);
  bool isInt() const { return precision == plm::Precision::Int8; }
  /// Values of K in a word of a panel.
  int64_t wordSize() const;
  /// Words of a column.
  int64_t words(int64_t k) const { return llvm::divideCeil(k, wordSize()); }
  int64_t blocks(int64_t k) const {
    return block ? llvm::divideCeil(k, block) : 1;
  }
  std::string name() const; // "_bf16", "_int8", "_int4b32"
};

/// Bytes of a row from plk.encode_rows, enough for every target.
int64_t encodedRowBytes(const DotFormat &format, int64_t k);

/// Where the parts of an encoded row are on this target, in bytes.
///   int8: f32 scale and shift, i32 sum of the codes of each block, codes
///   bf16: codes
struct EncodedRow {
  int64_t codes = 0, codeBytes = 0, stride = 0;
  static constexpr int64_t scale = 0, shift = 4, sums = 8;
  static EncodedRow of(const TargetInfo &target, const DotFormat &format,
                       int64_t k);
};

/// (x, encoded : ptr; row0, row1): rows of f32 [.., k] to encoded rows.
mlir::func::FuncOp buildEncodeRows(KernelBuilder &b, mlir::ModuleOp module,
                                   const DotFormat &format, int64_t k);

/// Columns of a register tile; they divide the width of a panel.
int64_t dotTileColumns(const TargetInfo &target, const DotFormat &format);

/// A register tile of `rows` encoded rows.
struct DotTile {
  DotFormat format;
  int64_t rows = 0, k = 0;
  int64_t panelWidth = 0;
  Value x;     // first encoded row
  Value panel; // first word, at the tile's first column
  /// int8 only: the scales of the first block, at the tile's first column; the
  /// other blocks follow, then the sums of the columns.
  Value scales;
};
/// The products as f32, [rows][dotTileColumns / lanes] vectors, row major.
llvm::SmallVector<Value> emitDotTile(KernelBuilder &b, const DotTile &tile);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_DOTPRODUCT_H
