//===- LayerwiseTargets.cpp - What layers are fitted to -------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/LayerwiseFit.h"

using namespace mlir;
using namespace plmc;

LayerwiseFit::Target LayerwiseFit::targetOf(plm::LinearOp op) {
  Value result = op.getResult();
  if (result.hasOneUse())
    if (auto add = dyn_cast<plm::BinaryOp>(*result.getUsers().begin());
        add && add.getKind() == plm::BinaryKind::Add &&
        add.getLhs().getType() == add.getRhs().getType() &&
        counterpart.count(add)) {
      Value other = add.getLhs() == result ? add.getRhs() : add.getLhs();
      // It must be there when the layer is.
      Operation *producer = other.getDefiningOp();
      if (other != result && (!producer || producer->isBeforeInBlock(op)))
        return {counterpart[add]->getResult(0), other,
                projections.lookup(add).get()};
    }
  return {counterpart[op]->getResult(0), Value(), projections.lookup(op).get()};
}

/// The original runs to the end of the next few layers.
llvm::Error LayerwiseFit::advanceOriginal(plm::LinearOp op) {
  size_t index = llvm::find(asked, op) - asked.begin();
  if (index < reached)
    return llvm::Error::success();
  SmallVector<Value> values;
  Operation *last = nullptr;
  int64_t numbers = 0, width = 0;
  // From where it stopped: a layer that was skipped may be asked for later.
  size_t end = reached;
  for (; end < asked.size(); ++end) {
    Value value = targetOf(asked[end]).teacher;
    Operation *producer = value.getDefiningOp();
    int64_t previous = width;
    width = cast<RankedTensorType>(value.getType()).getShape().back();
    numbers += tokens * width;
    // What lies behind its end cannot be asked for any more. It does not stop
    // where the next is narrower: it would go on from all of the wide one.
    if (end > index && numbers > int64_t(12) << 20 && // 48 MB
        width >= previous && last->isBeforeInBlock(producer))
      break;
    values.push_back(value);
    if (Value norm = normTarget(asked[end])) {
      if (originalNext && norm.getDefiningOp()->isBeforeInBlock(originalNext))
        normBefore.erase(asked[end]); // ran before it was asked for
      else
        values.push_back(norm);
    }
    if (!last || last->isBeforeInBlock(producer))
      last = producer;
  }
  originalNext = last->getNextNode();
  reached = end;
  return before->advanceTo(originalNext, values);
}

/// What the layer itself is wanted to give, without its residual.
llvm::Expected<RowSource> LayerwiseFit::wanted(plm::LinearOp op) {
  if (llvm::Error error = advanceOriginal(op))
    return std::move(error);
  Target target = targetOf(op);
  auto result = before->rowSource(target.teacher);
  if (!result)
    return result.takeError();
  if (target.projection) {
    auto product =
        gemm->times(result->read(0, result->rows), *target.projection);
    if (!product)
      return product.takeError();
    auto rows = std::make_shared<const Matrix>(std::move(*product));
    *result = {rows->rows(), rows->cols(),
               [rows](int64_t first, int64_t count) -> Matrix {
                 return rows->middleRows(first, count);
               }};
  }
  if (target.residual) {
    auto residual = now->rowSource(target.residual);
    if (!residual)
      return residual.takeError();
    *result = std::move(*result).then(
        [residual = std::move(*residual)](Matrix &block, int64_t first) {
          block -= residual.read(first, block.rows());
        });
  }
  if (auto kept = outputsKept.find(op); kept != outputsKept.end()) {
    ArrayRef<int64_t> columns = kept->second;
    *result = std::move(*result).then([columns](Matrix &block, int64_t) {
      Matrix narrow(block.rows(), int64_t(columns.size()));
      for (auto [to, from] : llvm::enumerate(columns))
        narrow.col(to) = block.col(from);
      block = std::move(narrow);
    });
    result->cols = columns.size();
  }
  return result;
}
