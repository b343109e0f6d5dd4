//===- Kernels.h - Kernel generators ----------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Each generator appends one private function to the kernel module and returns
// it. Arguments are bare pointers and i64 counts; widths are constants of the
// kernel. Work is given as a half-open range of rows, panels or tasks, so that
// the caller decides how threads share it.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELS_H
#define PLMC_LIB_CODEGEN_KERNELS_H

#include "DotProduct.h"
#include "plmc/Dialect/PLK/CodePlanes.h"
#include "plmc/Dialect/PLK/PLK.h"
#include "plmc/Dialect/PLM/PLM.h"

namespace plmc {

//===--- matrix products
//---------------------------------------------------===//

/// How a weight lies in memory. 8-bit values stand for
/// (value - zero point) * scale.
struct WeightFormat {
  enum Element { F32, I8, U8, Codes } element = F32;
  int64_t bits = 8;       // Codes: 2 to 4, see CodePlanes.h
  bool zeroPoint = false; // there is one that is not 0
  int64_t axis = -1;      // of scales and zero points; -1: one for all
  int64_t block = 0;      // Codes: values of a row that share a scale; 0: all
  int64_t scaleBytes = 4; // 2: bf16, of tables only
  bool isQuantized() const { return element != F32; }
  int64_t bytes() const { return isQuantized() ? 1 : 4; }
  int64_t rowBytes(int64_t width) const {
    return element == Codes ? plk::codeRowBytes(width, bits) : width * bytes();
  }
  static WeightFormat of(plk::WeightOp weight);
  std::string name() const; // "", "_i8", "_u8_zero0"
};

/// y = activation(x W + bias) + residual
struct LinearSpec {
  int64_t k = 0, n = 0;
  int64_t panelWidth = 0;
  WeightFormat weight;
  /// Below f32: x are rows of plk.encode_rows, `weight` says nothing.
  std::optional<DotFormat> dot;
  bool bias = false, residual = false;
  std::optional<plm::ActivationKind> activation;
  /// The weights of the model come from memory, not from a cache: fetch them
  /// some time before they are used.
  bool prefetch = false;
  /// Rows and columns of a register tile, and how many tiles of columns.
  int64_t tileRows(const TargetInfo &target) const;
  int64_t tileColumns(const TargetInfo &target) const;
  int64_t numTiles(const TargetInfo &target) const {
    return llvm::divideCeil(n, tileColumns(target));
  }
  std::string name() const;
};
/// (x, weight panels, bias, residual, y : ptr; row0, row1, tile0, tile1),
/// tiles of columns; and with a quantised weight also (scales, zero points :
/// ptr), one a column, or the panels of scales of an integer dot product.
/// Rows are dense: x [rows, k], y and residual [rows, n].
mlir::func::FuncOp buildLinear(KernelBuilder &b, mlir::ModuleOp module,
                               const LinearSpec &spec);
/// `valid` values of a vector of columns, the first of which `vector` points
/// to; from column v * lanes on. The others are 0.
Value loadColumns(KernelBuilder &b, Value vector, int64_t v, int64_t valid);
/// Stores the accumulators of a tile with `valid` columns at y, plus the
/// residual unless there is none.
void storeTile(KernelBuilder &b, const LinearSpec &spec, int64_t rows,
               int64_t valid, llvm::ArrayRef<Value> acc, Value residual,
               Value y);
/// How far ahead to fetch weights that come from memory, in bytes; 0: not.
int64_t prefetchDistance(const LinearSpec &spec, int64_t rows);

/// Accumulators of one register tile: rows x panelVectors vectors, row major.
/// `a` holds the rows `aStride` bytes apart (a constant or a value), `panel`
/// is [k][panelWidth], the target's or a wider one.
struct TileOperands {
  int64_t rows;
  Value a;
  Value aStride;
  Value panel;
  Value k;                   // i64
  int64_t constantK = -1;    // k where it is known: the loop is then unrolled
  int64_t panelWidth = 0;    // 0: the target's
  int64_t prefetchBytes = 0; // how far ahead of the panel to prefetch; 0: not
  /// Of the panel; its scales are the caller's, but not the zero points.
  WeightFormat format = {};
  llvm::SmallVector<Value> zeroPoints = {}; // a vector each, with zeroPoint
};
llvm::SmallVector<Value> emitTile(KernelBuilder &b, const TileOperands &tile,
                                  llvm::ArrayRef<Value> init);

//===--- attention
//---------------------------------------------------------===//

struct AttentionSpec {
  int64_t heads = 0, headSize = 0, valueSize = 0;
  /// Row strides in elements.
  int64_t queryStride = 0, keyStride = 0, valueStride = 0;
  float scale = 1;
  /// Every row is a key, not only the first seq_keys of a sequence.
  bool allKeys = false;
  /// A bias is added to the scores.
  bool bias = false;
  /// The products are in bf16.
  bool bf16 = false;
  std::string name() const;
};
/// Bytes of scratch memory a thread needs are (maxRows + 64) * this.
int64_t attentionScratchBytesPerRow(int64_t headSize, int64_t valueSize);
/// (q, k, v, out, seq_start, seq_keys, scratch : ptr; task0, task1), and with a
/// bias also (bias, row_source : ptr; sequence; the bias's strides in elements
/// by batch, head, query and key, 0 where it repeats).
/// Tasks are sequence * heads + head; `out` is [tokens, heads * valueSize].
mlir::func::FuncOp buildAttention(KernelBuilder &b, mlir::ModuleOp module,
                                  const AttentionSpec &spec);

//===--- rows
//----------------------------------------------------------------===//

/// (x, gamma, beta, y : ptr; row0, row1); y may be x. Without beta its
/// pointer is not read.
mlir::func::FuncOp buildNorm(KernelBuilder &b, mlir::ModuleOp module,
                             int64_t width, bool beta, double epsilon);

/// How the rows of a table come about (Embed.cpp).
struct TableFormat {
  WeightFormat values; // of the table, or of its codebooks
  int64_t rows = 0;    // ids are below
  /// Product quantization: entries of a codebook and columns of an entry; 0:
  /// rows are not codes. Quantised codebooks have a scale for each column.
  int64_t entries = 0, entrySize = 0;
  int64_t mapBytes = 0; // of an index of the map; 0: there is none

  static TableFormat of(plk::WeightOp weight, mlir::SymbolTable &symbols);
  std::string name() const;
};

struct EmbedSpec {
  int64_t width = 0;
  llvm::SmallVector<TableFormat> tables;
  llvm::SmallVector<int64_t> idBytes; // 4 or 8
  std::optional<TableFormat> position;
  int64_t offset = 0;
  std::string name() const;
};
/// (ids..., tables..., position : ptr; row_source, y, error : ptr;
///  error code, sequence, row0, row1). An id outside its table reads row 0 and
/// stores the error code. Then come, for each table and the position table
/// last, those of (scale, zero point, codebooks, map : ptr) that it has: the
/// first two if it is quantised.
mlir::func::FuncOp buildEmbed(KernelBuilder &b, mlir::ModuleOp module,
                              const EmbedSpec &spec);

/// (x, y, seq_start, seq_keys, first_row : ptr; sequence0, sequence1)
mlir::func::FuncOp buildPool(KernelBuilder &b, mlir::ModuleOp module,
                             plm::PoolKind kind, int64_t width, bool allRows,
                             double epsilon);

/// (x, y : ptr; row0, row1)
mlir::func::FuncOp buildL2Normalize(KernelBuilder &b, mlir::ModuleOp module,
                                    int64_t width, double epsilon);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_H
