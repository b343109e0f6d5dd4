//===- TokenAnalysis.h - Which values are token-level -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_TOKENANALYSIS_H
#define PLMC_LIB_CODEGEN_TOKENANALYSIS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/DenseSet.h"

namespace plmc {

/// PLM_PACK_* of lib/Runtime/Generated.h.
enum class PackMode { None = 0, All = 1, Kept = 2, KeptAndFirst = 3 };

class TokenAnalysis {
public:
  /// Finds the batch, length and mask that the packed rows stand for. Attention
  /// and pooling under other ones are rewritten to tensor operations.
  explicit TokenAnalysis(mlir::func::FuncOp func);

  /// Nothing is token-level if there is none.
  std::optional<DimExpr> batch, sequence;
  /// The keep mask [batch, sequence], or null: all positions. Every attention
  /// and pooling that reads this mask in some form reads this very value.
  mlir::Value mask;
  /// What the mask has its elements from: an argument of the function, or a
  /// value that tensor operations compute from the arguments.
  mlir::Value maskSource;
  /// The operations that compute the mask, in program order; none for an
  /// argument.
  llvm::SmallVector<mlir::Operation *> maskOps;

  bool isToken(mlir::Value value) const { return tokenLevel.contains(value); }
  bool hasTokenDims(mlir::Value value) const;
  /// True for an operand of a packed elementwise op of rank `rank` that is, or
  /// broadcasts to, [batch, sequence, ...].
  bool canPack(mlir::Value value, int64_t rank) const;
  /// Drops masks that are hints only where masked rows are computed.
  PackMode choosePackMode(bool computePadding);

private:
  PackMode requiredPackMode(bool computePadding);
  void findTokenDims();
  void shareMask();
  bool fits(plm::AttentionOp op) const;
  bool fits(plm::PoolOp op) const;
  void markTokenValues();
  static bool isRowwise(mlir::Operation *op);
  static bool isRow(mlir::Value value);

  mlir::func::FuncOp func;
  llvm::DenseSet<mlir::Value> tokenLevel;
};

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_TOKENANALYSIS_H
