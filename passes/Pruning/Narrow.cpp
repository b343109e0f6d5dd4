//===- Narrow.cpp - Layers with fewer outputs -----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Narrow.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Dialect/PLM/DimExpr.h"

using namespace mlir;
using namespace plmc;

void plmc::setWidth(Value value, int64_t width) {
  auto type = cast<RankedTensorType>(value.getType());
  auto dims = getDims(type);
  dims.back() = DimExpr(width);
  value.setType(makeTensorType(dims, type.getElementType()));
}

Matrix plmc::columnsOf(const Matrix &matrix, llvm::ArrayRef<int64_t> columns) {
  Matrix result(matrix.rows(), int64_t(columns.size()));
  for (auto [to, from] : llvm::enumerate(columns))
    result.col(to) = matrix.col(from);
  return result;
}

llvm::Error plmc::keepOutputs(llvm::ArrayRef<plm::LinearOp> ops,
                              llvm::ArrayRef<int64_t> kept,
                              SymbolTable &symbols) {
  auto weight = weightOf(ops.front(), symbols);
  if (!weight)
    return weight.takeError();
  Matrix transposed = weight->transpose();
  setWeight(ops.front(), columnsOf(transposed, kept).transpose(), symbols);
  shareWeight(ops.front(), ops.drop_front());
  for (plm::LinearOp op : ops) {
    if (op.getBias()) {
      auto bias = biasOf(op);
      if (!bias)
        return bias.takeError();
      Vector narrow(int64_t(kept.size()));
      for (auto [to, from] : llvm::enumerate(kept))
        narrow[to] = (*bias)[from];
      setBias(op, narrow, symbols);
    }
    setWidth(op.getResult(), kept.size());
  }
  return llvm::Error::success();
}

llvm::Error plmc::keepOutputs(llvm::ArrayRef<plm::LinearOp> ops,
                              llvm::ArrayRef<int64_t> kept, LayerwiseFit &fit) {
  if (llvm::Error error = keepOutputs(ops, kept, fit.symbolTable()))
    return error;
  for (plm::LinearOp op : ops)
    fit.keepOutputs(op, kept);
  return llvm::Error::success();
}
