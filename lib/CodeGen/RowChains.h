//===- RowChains.h - Ops that a thread runs block by block ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Between two attentions an encoder computes every row from the same row: a
// product, its norm, the next products. Such ops are a chain. With enough rows
// each thread takes its share of them through the whole chain, a block of rows
// at a time: what one op has written is in the L2 when the next one reads it,
// and no thread waits for another inside the chain. (With few rows the threads
// share the columns of each product instead: Program/Run.cpp.)
//
// A value that only its own chain reads is *local*: it needs the rows of one
// block of each thread, so all blocks use the same ones, the first of the
// thread's share. Since later blocks write what earlier blocks have read, no
// two values of a chain may share memory, whatever the order of its ops.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_ROWCHAINS_H
#define PLMC_LIB_CODEGEN_ROWCHAINS_H

#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/SetVector.h"

namespace plmc {

/// The value whose storage `value` is: a reshape is its operand.
mlir::Value storageOf(mlir::Value value);
/// The op has no code: it gives a name to what is there.
bool isView(mlir::Operation *op);

struct RowChain {
  llvm::SmallVector<mlir::Operation *> ops; // at least two
  llvm::SmallPtrSet<mlir::Operation *, 8> members;
  /// All readers of this result are in the chain.
  bool isLocal(mlir::Value result) const;
};
llvm::SmallVector<RowChain> findRowChains(mlir::Block &block);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_ROWCHAINS_H
