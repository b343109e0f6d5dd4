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
// * plm.embedding when they are a model input, perhaps cast or reshaped.
// A slice of such a parameter whose length varies is plm.position_embedding
// too.
//
//===----------------------------------------------------------------------===//

#include "IndexValue.h"
#include "Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace plmc {
#define GEN_PASS_DEF_RECOGNIZEEMBEDDINGPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

/// The model input that the ids are, moved and cast at most.
bool comesFromInput(Value ids) {
  for (int steps = 0; steps < 32; ++steps) {
    if (isa<BlockArgument>(ids))
      return true;
    Operation *op = ids.getDefiningOp();
    if (!isa<CastOp, ReshapeOp, TransposeOp, BroadcastOp, SliceOp>(op))
      return false;
    if (auto cast = dyn_cast<CastOp>(op))
      if (!isa<IntegerType>(typeOf(cast.getInput()).getElementType()))
        return false;
    ids = op->getOperand(0);
  }
  return false;
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
      !isWeight(op.getData()) || !isFloatTensor(op.getData()))
    return;
  if (std::optional<IndexValue> ids = analyzeIndex(op.getIndices())) {
    if (recognizePositions(op, *ids) || recognizeConstantRow(op, *ids))
      return;
    setReason(op, "the ids are neither positions 0, 1, 2, ... nor one number");
    return;
  }
  if (!comesFromInput(op.getIndices())) {
    setReason(op, "the ids of this lookup are computed from the inputs");
    return;
  }
  OpBuilder builder(op);
  op.getResult().replaceAllUsesWith(
      EmbeddingOp::create(builder, op.getLoc(), op.getType(), op.getIndices(),
                          op.getData())
          .getResult());
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
    getOperation().walk([](SliceOp op) { recognizeSlice(op); });
    eraseDeadOps(getOperation());
  }
};

} // namespace
