//===- QuantizedWeights.cpp - 8-bit weights, however they are scaled ------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// (w - zero) * scale is written with DequantizeLinear, or with Cast, Sub and
// Mul, before or behind the lookup of an embedding. All of it becomes
// plm.dequantize directly on the parameter, which is the one form in which
// weights stay 8-bit down to the kernels.
//
//===----------------------------------------------------------------------===//

#include "Passes.h"
#include "QuantizedValue.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

bool isF32(Value value) { return typeOf(value).getElementType().isF32(); }

/// A parameter dequantised by constants, perhaps read row by row.
struct ScaledWeight {
  Value parameter;
  Channels scale;
  std::optional<Channels> zeroPoint;
  mutable GatherOp lookup; // of rows; null: the whole matrix

  static std::optional<ScaledWeight> match(Value value) {
    ScaledWeight result;
    if (auto gather = value.getDefiningOp<GatherOp>()) {
      if (gather.getAxis() != 0 || typeOf(gather.getData()).getRank() != 2)
        return std::nullopt;
      result.lookup = gather;
      value = gather.getData();
    }
    auto op = value.getDefiningOp<DequantizeOp>();
    if (!op || !isF32(value) || !isQuantizedMatrix(op.getInput()))
      return std::nullopt;
    auto scale = channelsOf(op.getScale(), int64_t(op.getAxis()));
    if (!scale)
      return std::nullopt;
    result.parameter = op.getInput();
    result.scale = std::move(*scale);
    if (op.getZeroPoint()) {
      result.zeroPoint = channelsOf(op.getZeroPoint(), int64_t(op.getAxis()));
      if (!result.zeroPoint)
        return std::nullopt;
    }
    return result;
  }

  /// A constant that is combined with the value, by the axes of the parameter.
  std::optional<Channels> channels(Value constant) {
    if (!lookup)
      return channelsOf(constant, dimsOf(parameter));
    auto result = channelsOf(constant, dimsOf(lookup.getResult()));
    if (result && result->axis >= 0) {
      if (result->axis + 1 != typeOf(lookup.getResult()).getRank())
        return std::nullopt;
      result->axis = 1;
    }
    return result;
  }

  Value build(PatternRewriter &rewriter, Location loc) {
    Value matrix = dequantize(rewriter, loc, parameter, scale, zeroPoint);
    if (!lookup)
      return matrix;
    return GatherOp::create(rewriter, lookup.getLoc(), lookup.getType(), 0,
                            matrix, lookup.getIndices());
  }
};

/// cast(w) is w with a scale of 1.
struct CastOfWeight : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op,
                                PatternRewriter &rewriter) const override {
    if (!isF32(op.getResult()) || !isQuantizedMatrix(op.getInput()))
      return failure();
    rewriter.replaceOp(op, dequantize(rewriter, op.getLoc(), op.getInput(),
                                      unitScale(), std::nullopt));
    return success();
  }
};

/// cast(cast(w) - zero): the difference of integers.
struct CastOfDifference : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op,
                                PatternRewriter &rewriter) const override {
    auto sub = op.getInput().getDefiningOp<BinaryOp>();
    if (!isF32(op.getResult()) || !sub || sub.getKind() != BinaryKind::Sub ||
        sub.getType().getElementType().isInteger(8))
      return failure();
    auto wide = sub.getLhs().getDefiningOp<CastOp>();
    if (!wide || !isQuantizedMatrix(wide.getInput()) ||
        dimsOf(sub.getResult()) != dimsOf(wide.getResult()))
      return failure();
    Value weight = wide.getInput();
    auto zero = channelsOf(sub.getRhs(), dimsOf(weight));
    if (zero)
      zero =
          asZeroPoint(*zero, *dtypeFromMLIR(typeOf(weight).getElementType()));
    if (!zero)
      return failure();
    rewriter.replaceOp(
        op, dequantize(rewriter, op.getLoc(), weight, unitScale(), zero));
    return success();
  }
};

/// w - zero, w * scale, w / scale on a weight that is dequantised already, or
/// on rows of it.
struct ArithmeticOnWeight : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    BinaryKind kind = op.getKind();
    if (!isF32(op.getResult()) ||
        (kind != BinaryKind::Sub && kind != BinaryKind::Mul &&
         kind != BinaryKind::Div))
      return failure();
    Value value = op.getLhs(), other = op.getRhs();
    auto weight = ScaledWeight::match(value);
    if (!weight && kind == BinaryKind::Mul) {
      std::swap(value, other);
      weight = ScaledWeight::match(value);
    }
    if (!weight || value.getType() != op.getType())
      return failure();
    auto constant = weight->channels(other);
    if (!constant || constant->values.dtype != DType::F32)
      return failure();
    if (kind == BinaryKind::Sub) {
      // (w * 1 - 0) - zero
      if (!weight->scale.isOne() || weight->zeroPoint)
        return failure();
      weight->zeroPoint = asZeroPoint(
          *constant,
          *dtypeFromMLIR(typeOf(weight->parameter).getElementType()));
      if (!weight->zeroPoint)
        return failure();
    } else {
      auto scale = combine(weight->scale, *constant, [&](double a, double b) {
        return kind == BinaryKind::Mul ? a * b : a / b;
      });
      if (!scale)
        return failure();
      weight->scale = std::move(*scale);
    }
    if (weight->zeroPoint && weight->zeroPoint->axis >= 0 &&
        weight->scale.axis >= 0 &&
        weight->zeroPoint->axis != weight->scale.axis)
      return failure();
    rewriter.replaceOp(op, weight->build(rewriter, op.getLoc()));
    return success();
  }
};

/// Rows are looked up in the dequantised table, not dequantised when they are
/// found: the table is what plm.embedding names.
struct LookupBeforeDequantize : RewritePattern {
  LookupBeforeDequantize(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa<DequantizeOp, CastOp>(op) || !isF32(op->getResult(0)))
      return failure();
    auto gather = op->getOperand(0).getDefiningOp<GatherOp>();
    if (!gather || gather.getAxis() != 0 ||
        !isQuantizedMatrix(gather.getData()) ||
        typeOf(gather.getData()).getRank() != 2)
      return failure();
    Value table = gather.getData(), matrix;
    if (auto dequantized = dyn_cast<DequantizeOp>(op)) {
      // A scale along the width is one along axis 1 of the table.
      bool isScalar = typeOf(dequantized.getScale()).getRank() == 0;
      if (!isScalar && int64_t(dequantized.getAxis()) + 1 !=
                           typeOf(gather.getResult()).getRank())
        return failure();
      matrix = DequantizeOp::create(
          rewriter, op->getLoc(),
          makeTensorType(dimsOf(table), rewriter.getF32Type()), table,
          dequantized.getScale(), dequantized.getZeroPoint(),
          rewriter.getI64IntegerAttr(isScalar ? 0 : 1));
    } else {
      matrix =
          dequantize(rewriter, op->getLoc(), table, unitScale(), std::nullopt);
    }
    rewriter.replaceOpWithNewOp<GatherOp>(op, op->getResult(0).getType(), 0,
                                          matrix, gather.getIndices());
    return success();
  }
};

/// view(dequantize(w)) => dequantize(view(w)): views of parameters are settled,
/// those of computed values are not. The transpose of a matrix is left to
/// plm.linear, which needs no copy for it.
struct ViewOfWeight : RewritePattern {
  ViewOfWeight(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa<ReshapeOp, TransposeOp, SliceOp>(op))
      return failure();
    auto weight = op->getOperand(0).getDefiningOp<DequantizeOp>();
    if (!weight || !isQuantizedMatrix(weight.getInput()))
      return failure();
    int64_t axis = 0;
    bool isScalar = typeOf(weight.getScale()).getRank() == 0;
    if (auto transpose = dyn_cast<TransposeOp>(op)) {
      if (weight.getType().getRank() == 2)
        return failure();
      if (!isScalar)
        axis =
            llvm::find(transpose.getPermutation(), int64_t(weight.getAxis())) -
            transpose.getPermutation().begin();
    } else if (!isScalar) {
      return failure();
    }
    RankedTensorType type = typeOf(op->getResult(0));
    Operation *view = rewriter.clone(*op);
    view->setOperand(0, weight.getInput());
    view->getResult(0).setType(makeTensorType(
        getDims(type), typeOf(weight.getInput()).getElementType()));
    rewriter.replaceOpWithNewOp<DequantizeOp>(
        op, type, view->getResult(0), weight.getScale(), weight.getZeroPoint(),
        rewriter.getI64IntegerAttr(axis));
    return success();
  }
};

} // namespace

void recognition::populateQuantizedWeightPatterns(RewritePatternSet &patterns) {
  patterns.add<CastOfWeight, CastOfDifference, ArithmeticOnWeight,
               LookupBeforeDequantize, ViewOfWeight>(patterns.getContext());
}
