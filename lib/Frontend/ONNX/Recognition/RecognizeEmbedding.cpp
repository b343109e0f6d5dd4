//===- RecognizeEmbedding.cpp - plm-recognize-embedding -------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A gather of rows of a parameter [V, H] is
// * plm.position_embedding when the ids are offset, offset+1, ... along the
//   sequence and no input influences them (IndexValue.h);
// * one row of the table, broadcast, when they are all the same number, as
//   token types are in models exported without that input;
// * plm.embedding when they come from the inputs and are never negative
//   (ValueRange.h), whatever is done to them before: cast, clipped, counted
//   up along the tokens that are no padding. Code that wraps negative ids by
//   hand, where(ids < 0, ids + V, ids), is taken off first.
// A slice of such a parameter whose length varies is plm.position_embedding
// too, and so is a product of one-hot rows with a table, as TensorFlow looks up
// token types: that is a comparison of ids with 0, 1, 2, ...
//
// What no input influences and is no row of positions (the buckets of relative
// positions) stays a gather: it is part of something else.
//
//===----------------------------------------------------------------------===//

#include "IndexValue.h"
#include "Passes.h"
#include "ValueRange.h"
#include "llvm/ADT/DenseSet.h"

namespace plmc {
#define GEN_PASS_DEF_RECOGNIZEEMBEDDINGPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

/// True if an argument of the function is among what the value comes from.
bool dependsOnInput(Value value) {
  llvm::SmallVector<Value> pending{value};
  llvm::DenseSet<Value> seen;
  while (!pending.empty()) {
    Value next = pending.pop_back_val();
    if (!seen.insert(next).second)
      continue;
    if (isa<BlockArgument>(next))
      return true;
    pending.append(next.getDefiningOp()->operand_begin(),
                   next.getDefiningOp()->operand_end());
  }
  return false;
}

/// x of where(x < 0, ..., x), x never negative.
Value skipNegativeGuard(Value ids) {
  auto select = ids.getDefiningOp<SelectOp>();
  auto test =
      select ? select.getCondition().getDefiningOp<BinaryOp>() : BinaryOp();
  if (!test || scalarOf(test.getRhs()) != 0.0)
    return ids;
  Value x = test.getLhs();
  bool negative = test.getKind() == BinaryKind::Lt;
  if ((!negative && test.getKind() != BinaryKind::Ge) ||
      x != (negative ? select.getOnFalse() : select.getOnTrue()) ||
      x.getType() != ids.getType() || !(rangeOf(x).low >= 0))
    return ids;
  return x;
}

/// A cast to the type of ids that code generation reads.
Value asIds(OpBuilder &builder, Value ids) {
  Type element = typeOf(ids).getElementType();
  if (element.isInteger(32) || element.isInteger(64))
    return ids;
  return CastOp::create(builder, ids.getLoc(),
                        makeTensorType(dimsOf(ids), builder.getIntegerType(64)),
                        ids);
}

/// The run must be refused where the original gather would have refused it.
void constrain(OpBuilder &builder, GatherOp op, const DimExpr &slack) {
  if (isNonNegative(slack))
    return;
  for (auto other : op->getBlock()->getOps<ConstraintOp>())
    if (!other.getEqual() && other.getExpr() == slack.str())
      return;
  ConstraintOp::create(
      builder, op.getLoc(), builder.getStringAttr(slack.str()), UnitAttr(),
      builder.getStringAttr("the sequence is longer than the position table "
                            "allows"));
}

/// ids[..., s, ...] = base + s along one dimension, the same along others.
bool recognizePositions(GatherOp op, const IndexValue &ids) {
  std::optional<int64_t> offset = ids.base.constant();
  if (!offset || *offset < 0)
    return false;
  int64_t along = -1;
  for (auto [dim, step] : llvm::enumerate(ids.steps)) {
    if (step.isConstant(0))
      continue;
    if (along >= 0 || !step.isConstant(1))
      return false;
    along = dim;
  }
  if (along < 0)
    return false;
  Dims idDims = dimsOf(op.getIndices()), table = dimsOf(op.getData());
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Type element = typeOf(op.getData()).getElementType();
  DimExpr length = idDims[along];
  constrain(builder, op, table[0] - DimExpr(*offset) - length);
  Value rows = PositionEmbeddingOp::create(
      builder, loc, makeTensorType({DimExpr(1), length, table[1]}, element),
      op.getData(), builder.getI64IntegerAttr(*offset));
  // [1, S, H] to the gather's [..., S, ..., H].
  Dims thin(idDims.size(), DimExpr(1));
  thin[along] = length;
  thin.push_back(table[1]);
  rows = reshapeTo(builder, loc, rows, thin);
  rows = broadcastTo(builder, loc, rows, op.getType());
  op.getResult().replaceAllUsesWith(rows);
  return true;
}

bool recognizeConstantRow(GatherOp op, const IndexValue &ids) {
  Dims table = dimsOf(op.getData());
  std::optional<int64_t> row = ids.base.constant(), count = table[0].constant();
  if (!ids.isUniform() || !row || !count)
    return false;
  if (*row < 0)
    *row += *count;
  if (*row < 0 || *row >= *count)
    return false; // the run is refused, as it was
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Type element = typeOf(op.getData()).getElementType();
  Value slice = SliceOp::create(
      builder, loc, makeTensorType({DimExpr(1), table[1]}, element),
      builder.getStrArrayAttr({std::to_string(*row), "0"}),
      builder.getDenseI64ArrayAttr({1, 1}), op.getData());
  Dims thin(typeOf(op.getResult()).getRank(), DimExpr(1));
  thin.back() = table[1];
  slice = reshapeTo(builder, loc, slice, thin);
  slice = broadcastTo(builder, loc, slice, op.getType());
  op.getResult().replaceAllUsesWith(slice);
  return true;
}

void recognize(GatherOp op) {
  if (op.getAxis() != 0 || typeOf(op.getData()).getRank() != 2 ||
      !isStoredMatrix(op.getData()) || !isFloatTensor(op.getData()))
    return;
  if (std::optional<IndexValue> ids = analyzeIndex(op.getIndices()))
    if (recognizePositions(op, *ids) || recognizeConstantRow(op, *ids))
      return;
  if (!dependsOnInput(op.getIndices()))
    return;
  Value ids = skipNegativeGuard(op.getIndices());
  if (!(rangeOf(ids).low >= 0)) {
    setReason(op, "the ids of this lookup are computed, and may be negative");
    return;
  }
  OpBuilder builder(op);
  op.getResult().replaceAllUsesWith(
      EmbeddingOp::create(builder, op.getLoc(), op.getType(),
                          asIds(builder, ids), op.getData())
          .getResult());
}

//===----------------------------------------------------------------------===//
// One-hot rows times a table
//===----------------------------------------------------------------------===//

/// The ids [...] of one-hot rows [..., V]: eq(ids[..., 1], 0..V-1), as number
/// 1 where it holds and 0 elsewhere. Null for anything else.
Value idsOfOneHot(Value rows, OpBuilder &builder) {
  for (int steps = 0; steps < 8; ++steps) {
    if (auto cast = rows.getDefiningOp<CastOp>()) {
      rows = cast.getInput();
      continue;
    }
    auto select = rows.getDefiningOp<SelectOp>();
    if (!select)
      break;
    if (scalarOf(select.getOnTrue()) != 1.0 ||
        scalarOf(select.getOnFalse()) != 0.0 ||
        dimsOf(select.getCondition()) != dimsOf(rows))
      return {};
    rows = select.getCondition();
  }
  auto equal = rows.getDefiningOp<BinaryOp>();
  if (!equal || equal.getKind() != BinaryKind::Eq)
    return {};
  Dims dims = dimsOf(rows);
  Value ids = equal.getLhs(), counted = equal.getRhs();
  auto isCounted = [&](Value value) {
    std::optional<IndexValue> index = analyzeIndex(value);
    if (!index || !index->base.isConstant(0) ||
        dimsOf(value).back() != dims.back())
      return false;
    Dims steps = index->steps;
    return !steps.empty() && steps.pop_back_val().isConstant(1) &&
           llvm::all_of(steps,
                        [](const DimExpr &step) { return step.isConstant(0); });
  };
  if (!isCounted(counted))
    std::swap(ids, counted);
  Dims thin = dims;
  thin.back() = DimExpr(1);
  if (!isCounted(counted) || dimsOf(ids) != thin ||
      !isa<IntegerType>(typeOf(ids).getElementType()) ||
      typeOf(ids).getElementTypeBitWidth() < 32)
    return {};
  thin.pop_back();
  if (auto reshape = ids.getDefiningOp<ReshapeOp>())
    ids = skipNegativeGuard(reshape.getInput());
  else
    ids = skipNegativeGuard(ids);
  return reshapeTo(builder, ids.getLoc(), ids, thin);
}

/// An id outside [0, V) gave a row of zeros, and is refused from here on, as
/// it is by every other spelling.
void recognizeOneHot(Operation *op) {
  Value rows = op->getOperand(0), table = op->getOperand(1), bias;
  if (auto linear = dyn_cast<LinearOp>(op)) {
    if (linear.getTransposed())
      return;
    bias = linear.getBias();
  }
  if (typeOf(table).getRank() != 2 || !isStoredMatrix(table) ||
      !isFloatTensor(table) || dimsOf(rows).back() != dimsOf(table)[0])
    return;
  OpBuilder builder(op);
  Value ids = idsOfOneHot(rows, builder);
  if (!ids || !(rangeOf(ids).low >= 0))
    return;
  Value result =
      EmbeddingOp::create(builder, op->getLoc(), op->getResult(0).getType(),
                          asIds(builder, ids), table);
  if (bias)
    result = BinaryOp::create(builder, op->getLoc(), typeOf(result),
                              BinaryKind::Add, result, bias);
  op->getResult(0).replaceAllUsesWith(result);
}

/// table[offset : offset + length] with a length that varies: positions that a
/// graph slices instead of looking them up, as our own export does. The
/// importer has already constrained the length.
void recognizeSlice(SliceOp op) {
  if (typeOf(op.getInput()).getRank() != 2 || !isWeight(op.getInput()) ||
      !isFloatTensor(op.getInput()))
    return;
  Dims table = dimsOf(op.getInput()), window = dimsOf(op.getResult());
  auto start = [&](int64_t dim) {
    return DimExpr::parse(cast<StringAttr>(op.getStarts()[dim]).getValue());
  };
  std::optional<int64_t> offset = start(0)->constant();
  if (!offset || *offset < 0 || !start(1)->isConstant(0) ||
      window[0].isConstant() || window[1] != table[1] ||
      llvm::any_of(op.getSteps(), [](int64_t step) { return step != 1; }))
    return;
  OpBuilder builder(op);
  Type element = typeOf(op.getInput()).getElementType();
  Value rows = PositionEmbeddingOp::create(
      builder, op.getLoc(),
      makeTensorType({DimExpr(1), window[0], table[1]}, element), op.getInput(),
      builder.getI64IntegerAttr(*offset));
  op.getResult().replaceAllUsesWith(
      reshapeTo(builder, op.getLoc(), rows, window));
}

struct RecognizeEmbedding
    : public plmc::impl::RecognizeEmbeddingPassBase<RecognizeEmbedding> {
  void runOnOperation() override {
    llvm::SmallVector<GatherOp> gathers;
    getOperation().walk([&](GatherOp op) { gathers.push_back(op); });
    for (GatherOp gather : gathers)
      recognize(gather);
    llvm::SmallVector<Operation *> products;
    getOperation().walk([&](Operation *op) {
      if (isa<LinearOp, MatmulOp>(op))
        products.push_back(op);
    });
    llvm::for_each(products, recognizeOneHot);
    getOperation().walk([](SliceOp op) { recognizeSlice(op); });
    eraseDeadOps(getOperation());
  }
};

} // namespace
