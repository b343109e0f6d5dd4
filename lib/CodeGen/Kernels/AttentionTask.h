//===- AttentionTask.h - One head of one sequence ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELS_ATTENTIONTASK_H
#define PLMC_LIB_CODEGEN_KERNELS_ATTENTIONTASK_H

#include "Kernels.h"
#include <limits>

namespace plmc {

/// A score that does not take part.
inline constexpr float lowestScore = -std::numeric_limits<float>::infinity();

/// (scores : ptr, bytes between rows, length, greatest of each row) -> a vector
/// of one f32 for each row: turns rows of scores into 2^(s - max), or the codes
/// of that, and gives 1 / sum, or 0 if no score is above -inf. Built once a
/// module.
mlir::func::FuncOp buildSoftmaxRows(KernelBuilder &b, mlir::ModuleOp module,
                                    int64_t rows, bool bf16);

/// Emits the parts of one task; members are the task's values.
class AttentionTask {
public:
  AttentionTask(KernelBuilder &b, const AttentionSpec &spec)
      : b(b), spec(spec), width(b.target.panelWidth()), lanes(b.target.lanes),
        vectors(b.target.panelVectors),
        headWords(llvm::divideCeil(spec.headSize, 2)),
        keyRows(spec.bf16 ? headWords : spec.headSize) {}

  KernelBuilder &b;
  const AttentionSpec &spec;
  int64_t width, lanes, vectors;
  int64_t headWords;            // bf16: words of a row of Q or K
  int64_t keyRows;              // rows of a panel of K
  Value q, k, v, out;           // at the sequence's first row and the head
  Value rows, keys, paddedKeys; // paddedKeys: to a multiple of the panel
  Value kept;                   // rows that the mask keeps: seq_keys
  Value keyPanels, valuePanels, strip, queryCodes;
  Value stripStride; // bytes
  // bf16: words of a panel of V, to a multiple of a step of the product.
  static constexpr int64_t wordsPerStep = 4;
  Value valueWords;
  /// Of so many rows, the most first.
  llvm::SmallVector<std::pair<int64_t, mlir::func::FuncOp>> softmax;
  // With a bias: at this sequence and head; the sources of its rows; the
  // source of its position 0; strides in elements.
  Value bias, rowSource, firstSource, biasQueryStride, biasKeyStride;

  void packKeys();
  void packValues();
  void strips();

private:
  /// `values` elements of a key as its panel has them, from `word` on.
  Value keyWords(Value source, Value word, int64_t values);
  void packValuesBF16();
  /// A vector of columns of value row `key`, as it is stored in a panel.
  Value valueColumns(Value key, int64_t column);
  /// The query rows of a tile as codes.
  void encodeQueries(int64_t tile, Value row);
  int64_t queryCodeBytes() const {
    return llvm::alignTo(2 * headWords, lanes) * bf16CodeBytes(b.target);
  }
  /// Panel by panel of keys.
  llvm::SmallVector<Value> scoreTile(int64_t tile, Value row, Value key);
  /// Rows of the strip times panel `p` of the values.
  llvm::SmallVector<Value> valueTile(int64_t tile, int64_t p);
  /// `tile` query rows from `row` on, through scores, softmax and values.
  void stripOf(int64_t tile, Value row);
  /// Fills the strip; gives the greatest scores of each row, lane by lane, if
  /// asked to.
  llvm::SmallVector<Value> scores(int64_t tile, Value row, bool maxima);
  /// The same of a strip that is filled.
  llvm::SmallVector<Value> rowMaxima(int64_t tile);
  /// Adds the bias to the scores of query row `row`, in strip row `r`.
  void addBias(Value row, int64_t r);
  /// A bias as it is added to scores in units of log2(e).
  Value scaledBias(Value value);
};

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_ATTENTIONTASK_H
