//===- DotLoop.h - The inner loop of products below f32 ----------*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELS_DOTLOOP_H
#define PLMC_LIB_CODEGEN_KERNELS_DOTLOOP_H

#include "DotProduct.h"

namespace plmc {

/// 0 2 4 ... and 1 3 5 ..., `lanes` each.
std::pair<llvm::SmallVector<int64_t>, llvm::SmallVector<int64_t>>
evenAndOddLanes(int64_t lanes);

/// Emits the sums over one range of packs.
class DotLoop {
public:
  /// `rows`: where the codes of each row begin.
  DotLoop(KernelBuilder &b, const DotFormat &format, Value panel,
          int64_t panelWidth, llvm::ArrayRef<Value> rows)
      : b(b), format(format), panel(panel), rows(rows), lanes(b.target.lanes),
        vectors(b.target.panelVectors), wordBytes(panelWidth * 4),
        codeBytes(EncodedRow::of(b.target, format, 1).codeBytes),
        words(format.hasInstruction(b.target)) {}

  /// Adds packs [first, first + count) to `acc`, [rows][vectors].
  llvm::SmallVector<Value> run(Value first, int64_t count,
                               llvm::ArrayRef<Value> acc);
  llvm::SmallVector<Value> run(Value first, Value last, int64_t unroll,
                               llvm::ArrayRef<Value> acc);

  int64_t prefetchBytes = 0; // how far ahead of the panel; 0: not

private:
  using Sums = llvm::MutableArrayRef<Value>;
  void step(Value pack, int64_t ahead, Sums acc);
  void intWords(Value panel, Value pack, int64_t ahead, Sums acc);
  void intPairs(Value panel, Value pack, int64_t ahead, Sums acc);
  void bf16Words(Value panel, Value pack, int64_t ahead, Sums acc);
  void bf16Floats(Value panel, Value pack, int64_t ahead, Sums acc);
  /// How many sums each accumulator is made of.
  int64_t chains() const;
  /// Codes of row r from value `ahead` after pack `pack` on: one value of type
  /// `scalar` in all lanes, seen as `vector`.
  Value broadcastCodes(int64_t r, Value pack, int64_t ahead, Type scalar,
                       mlir::VectorType vector);
  Value intrinsic(llvm::StringRef name, Type type, ValueRange operands);

  KernelBuilder &b;
  const DotFormat format;
  Value panel;
  llvm::SmallVector<Value> rows;
  int64_t lanes, vectors, wordBytes, codeBytes;
  bool words;
};

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_DOTLOOP_H
