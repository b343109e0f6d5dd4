//===- RowChains.cpp - Ops that a thread runs block by block ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowChains.h"
#include "plmc/Dialect/PLK/PLK.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"

using namespace mlir;
using namespace plmc;

Value plmc::storageOf(Value value) {
  while (auto reshape = value.getDefiningOp<plm::ReshapeOp>())
    value = reshape.getInput();
  return value;
}

bool plmc::isView(Operation *op) {
  return isa<plm::GetParameterOp, plm::ConstantOp, plm::ReshapeOp>(op);
}

bool RowChain::isLocal(Value result) const {
  return llvm::all_of(result.getUsers(), [&](Operation *user) {
    if (isa<plm::ReshapeOp>(user))
      return isLocal(user->getResult(0));
    return members.contains(user);
  });
}

/// The number of rows of the result: all dimensions but the last.
static std::optional<DimExpr> rowsOf(Operation *op) {
  if (!isa<plk::EmbedOp, plk::LinearOp, plk::NormOp, plk::EncodeRowsOp>(op))
    return std::nullopt;
  DimExpr rows(1);
  SmallVector<DimExpr> dims =
      getDims(cast<RankedTensorType>(op->getResult(0).getType()));
  for (const DimExpr &dim : ArrayRef<DimExpr>(dims).drop_back())
    rows = rows * dim;
  return rows;
}

SmallVector<RowChain> plmc::findRowChains(Block &block) {
  SmallVector<RowChain> chains;
  RowChain chain;
  std::optional<DimExpr> rows;
  auto finish = [&] {
    if (chain.ops.size() > 1) {
      chain.members.insert(chain.ops.begin(), chain.ops.end());
      chains.push_back(std::move(chain));
    }
    chain = RowChain();
  };
  for (Operation &op : block) {
    if (isView(&op))
      continue;
    std::optional<DimExpr> own = rowsOf(&op);
    if (!own || (rows && *own != *rows))
      finish();
    rows = own;
    if (own)
      chain.ops.push_back(&op);
  }
  finish();
  return chains;
}
