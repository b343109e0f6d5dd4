//===- NormalizeElementwise.cpp - Folding and identities ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Nothing here changes a floating-point result: identities are exact, and a
// constant is folded by the interpreter, which rounds as the op does.
//
//===----------------------------------------------------------------------===//

#include "IndexValue.h"
#include "Passes.h"
#include "mlir/IR/PatternMatch.h"
#include "plmc/Interpreter/Interpreter.h"

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

constexpr int64_t foldLimit = 1024; // elements

/// Anything of constants alone, while it stays small.
struct FoldConstants : RewritePattern {
  FoldConstants(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (op->getNumResults() != 1 || !op->getNumOperands() || !isPure(op) ||
        !hasReferenceSemantics(op->getName().getStringRef()))
      return failure();
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!type || !type.hasStaticShape() || type.getNumElements() > foldLimit)
      return failure();
    llvm::SmallVector<HostTensor> operands;
    for (Value operand : op->getOperands()) {
      auto constant = operand.getDefiningOp<ConstantOp>();
      if (!constant || typeOf(operand).getNumElements() > (1 << 16))
        return failure();
      auto tensor = weightValue(operand);
      if (!tensor)
        return failure();
      operands.push_back(std::move(*tensor));
    }
    llvm::Expected<HostTensor> result = evaluateOp(op, operands, {});
    if (!result) {
      llvm::consumeError(result.takeError()); // stays, and fails when it runs
      return failure();
    }
    DenseElementsAttr value = attrFromTensor(*result, getContext());
    if (value.getType() != type)
      return failure();
    rewriter.replaceOpWithNewOp<ConstantOp>(op, type, value);
    return success();
  }
};

/// Replaces by `value`, broadcast to the op's type where it is smaller.
LogicalResult replaceWith(PatternRewriter &rewriter, Operation *op,
                          Value value) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (typeOf(value).getElementType() != type.getElementType())
    return failure();
  rewriter.replaceOp(op, broadcastTo(rewriter, op->getLoc(), value, type));
  return success();
}

Value boolConstant(PatternRewriter &rewriter, Location loc, bool value) {
  auto type = RankedTensorType::get({}, rewriter.getI1Type());
  return ConstantOp::create(rewriter, loc, type,
                            DenseElementsAttr::get(type, value));
}

/// x + 0, x * 1, x and true, ... The other operand may widen the shape.
struct NeutralOperand : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    auto neutral = [&](double number, bool eitherSide) -> LogicalResult {
      if (scalarOf(op.getRhs()) == number)
        return replaceWith(rewriter, op, op.getLhs());
      if (eitherSide && scalarOf(op.getLhs()) == number)
        return replaceWith(rewriter, op, op.getRhs());
      return failure();
    };
    switch (op.getKind()) {
    case BinaryKind::Add:
      return neutral(0, true);
    case BinaryKind::Sub:
      return neutral(0, false);
    case BinaryKind::Mul:
      return neutral(1, true);
    case BinaryKind::Div:
    case BinaryKind::Pow:
      return neutral(1, false);
    case BinaryKind::And:
      if (typeOf(op.getType()).isInteger(1))
        return neutral(1, true);
      return failure();
    case BinaryKind::Or:
      if (typeOf(op.getType()).isInteger(1))
        return neutral(0, true);
      return failure();
    default:
      return failure();
    }
  }
  static Type typeOf(RankedTensorType type) { return type.getElementType(); }
};

/// A comparison of positions with one outcome: arange(n) >= 0.
struct DecideComparison : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<bool> outcome = decideComparison(op);
    if (!outcome)
      return failure();
    return replaceWith(rewriter, op,
                       boolConstant(rewriter, op.getLoc(), *outcome));
  }
};

struct SelectConstant : OpRewritePattern<SelectOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SelectOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getOnTrue() == op.getOnFalse())
      return replaceWith(rewriter, op, op.getOnTrue());
    std::optional<double> condition = scalarOf(op.getCondition());
    if (!condition)
      return failure();
    return replaceWith(rewriter, op,
                       *condition != 0 ? op.getOnTrue() : op.getOnFalse());
  }
};

struct DoubleNot : OpRewritePattern<UnaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(UnaryOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<UnaryOp>();
    if (!inner || inner.getKind() != op.getKind() ||
        (op.getKind() != UnaryKind::Not && op.getKind() != UnaryKind::Neg))
      return failure();
    rewriter.replaceOp(op, inner.getInput());
    return success();
  }
};

/// True when every value of `from` is a value of `to`.
bool isLossless(Type from, Type to) {
  if (from.isInteger(1))
    return true;
  auto fromInt = dyn_cast<IntegerType>(from), toInt = dyn_cast<IntegerType>(to);
  if (fromInt && toInt)
    return fromInt.isUnsigned() == toInt.isUnsigned() &&
           toInt.getWidth() >= fromInt.getWidth();
  if (!isa<FloatType>(from))
    return false;
  if (to.isF64())
    return true;
  return to.isF32() && !from.isF64();
}

/// cast(cast(x)) where the first loses nothing.
struct CastOfCast : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<CastOp>();
    if (!inner || !isLossless(typeOf(inner.getInput()).getElementType(),
                              typeOf(inner.getResult()).getElementType()))
      return failure();
    if (inner.getInput().getType() == op.getType())
      rewriter.replaceOp(op, inner.getInput());
    else
      rewriter.replaceOpWithNewOp<CastOp>(op, op.getType(), inner.getInput());
    return success();
  }
};

/// True if `value` is a projection of activations seen through views and
/// scales: then a product with it is Q K^T of heads of size 1.
bool isProjected(Value value) {
  for (int step = 0; step < 16; ++step) {
    Operation *op = value.getDefiningOp();
    if (!op || !isa<ReshapeOp, TransposeOp, BinaryOp>(op))
      return op && isa<MatmulOp, LinearOp>(op);
    value = op->getOperand(0);
    // The constant of a scale or the parameter of a bias may come first.
    if (op->getNumOperands() == 2)
      if (Operation *first = value.getDefiningOp();
          first && isa<ConstantOp, GetParameterOp>(first))
        value = op->getOperand(1);
  }
  return false;
}

/// [M, 1] x [1, N] is an outer product, as TensorFlow builds its masks.
struct OuterProduct : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp op,
                                PatternRewriter &rewriter) const override {
    if (!dimsOf(op.getLhs()).back().isConstant(1) || isProjected(op.getLhs()) ||
        isProjected(op.getRhs()))
      return failure();
    rewriter.replaceOpWithNewOp<BinaryOp>(op, op.getType(), BinaryKind::Mul,
                                          op.getLhs(), op.getRhs());
    return success();
  }
};

} // namespace

void recognition::populateElementwisePatterns(RewritePatternSet &patterns) {
  patterns.add<FoldConstants, NeutralOperand, DecideComparison, SelectConstant,
               DoubleNot, CastOfCast, OuterProduct>(patterns.getContext());
}
