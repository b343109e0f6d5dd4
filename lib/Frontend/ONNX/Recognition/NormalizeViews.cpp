//===- NormalizeViews.cpp - Reshapes, transposes, broadcasts --------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters wrap products in reshapes to [batch*sequence, width] and back.
// Everything downstream (packing of tokens, above all) wants to see tokens as
// [batch, sequence, width], so a reshape that merges leading dimensions sinks
// below what works on rows alone, until it meets the reshape that undoes it.
//
//===----------------------------------------------------------------------===//

#include "Layout.h"
#include "Passes.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

/// A chain of reshapes and transposes is one reshape (or nothing) when it keeps
/// the order of the elements, else one transpose between reshapes.
template <typename Op> struct SimplifyViewChain : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    FactorTable table;
    Layout root = table.fresh(dimsOf(op.getResult())), layout = root;
    Value value = op.getResult(), ordered;
    int transposes = 0, steps = 0;
    for (; steps < 32; ++steps) {
      Operation *here = value.getDefiningOp();
      if (!isa_and_present<ReshapeOp, TransposeOp>(here))
        break;
      std::optional<Layout> above = table.operandLayout(here, layout);
      if (!above)
        break;
      layout = *above;
      value = here->getOperand(0);
      transposes += isa<TransposeOp>(here);
      if (table.flatten(layout) == table.flatten(root))
        ordered = value;
    }
    if (ordered && (transposes || steps >= 2)) {
      if (isa<ReshapeOp>(op.getOperation()) && op->getOperand(0) == ordered)
        return failure(); // only the reshape itself keeps the order
      rewriter.replaceOp(op, reshapeTo(rewriter, op.getLoc(), ordered,
                                       dimsOf(op.getResult())));
      return success();
    }
    if (transposes < 2)
      return failure();
    rewriter.replaceOp(op, buildView(rewriter, op.getLoc(), value, table,
                                     table.flatten(layout), table.flatten(root),
                                     dimsOf(op.getResult())));
    return success();
  }
};

struct BroadcastOfBroadcast : OpRewritePattern<BroadcastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BroadcastOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<BroadcastOp>();
    if (!inner)
      return failure();
    rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(),
                                             inner.getInput());
    return success();
  }
};

/// One place along a dimension that is no symbol, taken by a gather: a window.
struct GatherOfOne : OpRewritePattern<GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GatherOp op,
                                PatternRewriter &rewriter) const override {
    Dims dims = dimsOf(op.getData());
    int64_t axis = op.getAxis();
    std::optional<int64_t> size = dims[axis].constant();
    std::optional<double> index = scalarOf(op.getIndices());
    if (isWeight(op.getData()) || !isFloatTensor(op.getData()) || !size ||
        !index || *index < -*size || *index >= *size ||
        !productOf(dimsOf(op.getIndices())).isConstant(1))
      return failure();
    llvm::SmallVector<Attribute> starts(dims.size(),
                                        rewriter.getStringAttr("0"));
    starts[axis] = rewriter.getStringAttr(
        std::to_string(int64_t(*index) + (*index < 0 ? *size : 0)));
    dims[axis] = DimExpr(1);
    Value window =
        SliceOp::create(rewriter, op.getLoc(),
                        makeTensorType(dims, op.getType().getElementType()),
                        rewriter.getArrayAttr(starts),
                        rewriter.getDenseI64ArrayAttr(
                            llvm::SmallVector<int64_t>(dims.size(), 1)),
                        op.getData());
    rewriter.replaceOp(
        op, reshapeTo(rewriter, op.getLoc(), window, dimsOf(op.getResult())));
    return success();
  }
};

struct SingleConcat : OpRewritePattern<ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConcatOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getInputs().size() != 1 ||
        op.getInputs()[0].getType() != op.getType())
      return failure();
    rewriter.replaceOp(op, op.getInputs()[0]);
    return success();
  }
};

/// Shape of an elementwise op on these operands; nullopt if they do not fit.
std::optional<Dims> broadcastDims(ArrayRef<Value> operands) {
  Dims result;
  for (Value operand : operands) {
    Dims dims = dimsOf(operand);
    if (dims.size() > result.size())
      result.insert(result.begin(), dims.size() - result.size(), DimExpr(1));
    size_t offset = result.size() - dims.size();
    for (auto [index, dim] : llvm::enumerate(dims)) {
      DimExpr &slot = result[offset + index];
      if (slot.isConstant(1))
        slot = dim;
      else if (slot != dim && !dim.isConstant(1))
        return std::nullopt;
    }
  }
  return result;
}

/// Elementwise ops broadcast by themselves: an Expand in front of one is only
/// needed where it decides the result's shape.
template <typename Op> struct DropBroadcast : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    for (OpOperand &operand : op->getOpOperands()) {
      auto broadcast = operand.get().template getDefiningOp<BroadcastOp>();
      if (!broadcast)
        continue;
      llvm::SmallVector<Value> operands(op->getOperands());
      operands[operand.getOperandNumber()] = broadcast.getInput();
      std::optional<Dims> dims = broadcastDims(operands);
      if (!dims || *dims != dimsOf(op.getResult()))
        continue;
      rewriter.modifyOpInPlace(op, [&] { operand.set(broadcast.getInput()); });
      return success();
    }
    return failure();
  }
};

int64_t countNonUnit(ArrayRef<DimExpr> dims) {
  return llvm::count_if(dims,
                        [](const DimExpr &dim) { return !dim.isConstant(1); });
}

/// A reshape that merges dimensions, all but the last `kept`.
ReshapeOp mergesLeading(Value value, size_t kept) {
  auto reshape = value.getDefiningOp<ReshapeOp>();
  if (!reshape)
    return {};
  Dims from = dimsOf(reshape.getInput()), to = dimsOf(reshape.getResult());
  if (from.size() <= to.size() || to.size() < kept ||
      countNonUnit(from) <= countNonUnit(to) ||
      ArrayRef<DimExpr>(from).take_back(kept) !=
          ArrayRef<DimExpr>(to).take_back(kept))
    return {};
  return reshape;
}

/// The operand of an op that works row by row and the number of trailing
/// dimensions that make up a row; null for other ops.
std::pair<OpOperand *, int> rowOperand(Operation *op) {
  if (isa<UnaryOp, CastOp, ActivationOp>(op))
    return {&op->getOpOperand(0), 1};
  if (isa<LayerNormOp, LinearOp, L2NormalizeOp>(op))
    return {&op->getOpOperand(0), 1};
  if (isa<EmbeddingOp>(op))
    return {&op->getOpOperand(0), 0};
  if (auto gather = dyn_cast<GatherOp>(op))
    if (gather.getAxis() == 0 && typeOf(gather.getData()).getRank() == 2)
      return {&op->getOpOperand(1), 0};
  if (auto matmul = dyn_cast<MatmulOp>(op))
    if (typeOf(matmul.getRhs()).getRank() == 2)
      return {&op->getOpOperand(0), 1};
  return {nullptr, 0};
}

/// op(merge(x)) = merge(op(x)) for ops of one token operand.
struct SinkMerge : RewritePattern {
  SinkMerge(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    auto [operand, kept] = rowOperand(op);
    if (!operand)
      return failure();
    ReshapeOp merge = mergesLeading(operand->get(), kept);
    if (!merge)
      return failure();
    RankedTensorType type = typeOf(op->getResult(0));
    Dims dims = dimsOf(merge.getInput());
    if (kept)
      dims.back() = dimsOf(op->getResult(0)).back();
    else
      dims.push_back(dimsOf(op->getResult(0)).back());
    IRMapping mapping;
    mapping.map(operand->get(), merge.getInput());
    Operation *moved = rewriter.clone(*op, mapping);
    moved->getResult(0).setType(makeTensorType(dims, type.getElementType()));
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, type, moved->getResult(0));
    return success();
  }
};

/// merge(x) + merge(y), merge(x) * 2, merge(x) + bias.
struct SinkMergeBelowBinary : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    Dims result = dimsOf(op.getResult());
    ReshapeOp left = mergesLeading(op.getLhs(), 1);
    ReshapeOp right = mergesLeading(op.getRhs(), 1);
    ReshapeOp merge = left ? left : right;
    if (!merge || dimsOf(merge.getResult()) != result)
      return failure();
    Dims dims = dimsOf(merge.getInput());
    auto lifted = [&](Value operand, ReshapeOp own) -> Value {
      if (own && dimsOf(own.getInput()) == dims)
        return own.getInput();
      // The same for every row, however many dimensions rows are spread over.
      Dims small = dimsOf(operand);
      if (countNonUnit(ArrayRef<DimExpr>(small).drop_back(!small.empty())) == 0)
        return operand;
      return {};
    };
    Value lhs = lifted(op.getLhs(), left), rhs = lifted(op.getRhs(), right);
    if (!lhs || !rhs || broadcastDims({lhs, rhs}) != dims)
      return failure();
    Value moved =
        BinaryOp::create(rewriter, op.getLoc(),
                         makeTensorType(dims, op.getType().getElementType()),
                         op.getKind(), lhs, rhs);
    rewriter.replaceOpWithNewOp<ReshapeOp>(op, op.getType(), moved);
    return success();
  }
};

/// split(softmax(merge(x))) = softmax(x) over the last dimension: how onnx's
/// version converter writes the Softmax of opsets before 13.
struct SoftmaxOfMerged : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto softmax = op.getInput().getDefiningOp<SoftmaxOp>();
    auto merge =
        softmax ? softmax.getInput().getDefiningOp<ReshapeOp>() : ReshapeOp();
    if (!merge || merge.getInput().getType() != op.getType())
      return failure();
    Dims dims = dimsOf(op.getResult()), merged = dimsOf(merge.getResult());
    if (dims.empty() || merged.empty() || dims.back() != merged.back() ||
        size_t(softmax.getAxis()) + 1 != merged.size())
      return failure();
    rewriter.replaceOpWithNewOp<SoftmaxOp>(op, op.getType(), dims.size() - 1,
                                           merge.getInput());
    return success();
  }
};

/// quantize(view(x)) = view(quantize(x)) with one scale for all, and the same
/// of dequantize: the views around a quantisation meet, and it stands where the
/// values are computed.
template <typename Op> struct SinkViewBelowScale : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Operation *view = op.getInput().getDefiningOp();
    auto isNumber = [](Value value) {
      return !value || productOf(dimsOf(value)).isConstant(1);
    };
    if (!isa_and_present<ReshapeOp, TransposeOp>(view) ||
        !isNumber(op.getScale()) || !isNumber(op.getZeroPoint()))
      return failure();
    if constexpr (std::is_same_v<Op, DequantizeOp>)
      if (op.getBlockSize() || isWeight(view->getOperand(0)))
        return failure();
    IRMapping mapping;
    mapping.map(op.getInput(), view->getOperand(0));
    auto moved = cast<Op>(rewriter.clone(*op, mapping));
    moved.setAxis(0);
    moved.getResult().setType(makeTensorType(dimsOf(view->getOperand(0)),
                                             op.getType().getElementType()));
    mapping.clear();
    mapping.map(view->getOperand(0), moved.getResult());
    Operation *after = rewriter.clone(*view, mapping);
    after->getResult(0).setType(op.getType());
    rewriter.replaceOp(op, after->getResult(0));
    return success();
  }
};

} // namespace

void recognition::populateViewPatterns(RewritePatternSet &patterns) {
  patterns.add<SimplifyViewChain<ReshapeOp>, SimplifyViewChain<TransposeOp>,
               BroadcastOfBroadcast, GatherOfOne, SingleConcat,
               DropBroadcast<BinaryOp>, DropBroadcast<SelectOp>, SinkMerge,
               SinkMergeBelowBinary, SinkViewBelowScale<QuantizeOp>,
               SinkViewBelowScale<DequantizeOp>, SoftmaxOfMerged>(
      patterns.getContext());
}
