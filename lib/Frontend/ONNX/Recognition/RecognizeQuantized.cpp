//===- RecognizeQuantized.cpp - plm-recognize-quantized -------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Quantised models come in two dialects. Q/DQ models are float models with
// plm.quantize and plm.dequantize in between. The others multiply integers and
// scale afterwards:
//
//     cast(sum over k of (a - a_zero) * (w - w_zero)) * (a_scale * w_scale)
//
// The second becomes the first, since products of the same factors are the
// same:
//
//     dequantize(a, a_scale, a_zero) x dequantize(w, w_scale, w_zero)
//
// Then every other recogniser sees a float model whose weights happen to be
// dequantised parameters, and code generation sees 8-bit operands with their
// scales beside them, from which it may choose an integer kernel.
//
// This is exact up to the rounding of float sums: |a - a_zero| * |w - w_zero|
// is an integer below 2^16, so up to 256 of them add up without any rounding
// when the scales come last, and more round as any float product does.
//
// What is done in what order does not matter: the integer product first becomes
// a float product of dequantised operands with scales of 1; factors that follow
// then move into those scales.
//
//===----------------------------------------------------------------------===//

#include "Passes.h"
#include "QuantizedValue.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace plmc {
#define GEN_PASS_DEF_RECOGNIZEQUANTIZEDPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

/// A scalar constant 1 in f32.
Value one(OpBuilder &builder, Location loc) {
  auto type = RankedTensorType::get({}, builder.getF32Type());
  return ConstantOp::create(builder, loc, type,
                            DenseElementsAttr::get(type, 1.0f));
}

/// x8 - zero, in integers.
struct Centered {
  Value narrow;
  std::optional<Channels> constant; // the zero point, if it is one
  Value dynamic;                    // or else, a scalar of narrow's type

  static std::optional<Centered> match(Value value);
  /// The same as floats: a dequantisation with a scale of 1.
  Value build(OpBuilder &builder, Location loc) const;
};

std::optional<Centered> Centered::match(Value value) {
  Value zero;
  if (auto sub = value.getDefiningOp<BinaryOp>();
      sub && sub.getKind() == BinaryKind::Sub) {
    if (sub.getLhs().getType() != sub.getType())
      return std::nullopt;
    value = sub.getLhs();
    zero = sub.getRhs();
  }
  auto wide = value.getDefiningOp<CastOp>();
  if (!wide || !is8Bit(wide.getInput()))
    return std::nullopt;
  Centered result;
  result.narrow = wide.getInput();
  Type element = typeOf(result.narrow).getElementType();
  if (!zero)
    return result;
  if (auto constant = channelsOf(zero, dimsOf(result.narrow))) {
    result.constant = asZeroPoint(*constant, *dtypeFromMLIR(element));
    if (!result.constant)
      return std::nullopt;
    return result;
  }
  auto widened = zero.getDefiningOp<CastOp>();
  if (!widened || typeOf(zero).getRank() != 0 ||
      typeOf(widened.getInput()).getElementType() != element)
    return std::nullopt;
  result.dynamic = widened.getInput();
  return result;
}

Value Centered::build(OpBuilder &builder, Location loc) const {
  if (!dynamic)
    return dequantize(builder, loc, narrow, unitScale(), constant);
  return DequantizeOp::create(
      builder, loc, makeTensorType(dimsOf(narrow), builder.getF32Type()),
      narrow, one(builder, loc), dynamic, builder.getI64IntegerAttr(0));
}

/// cast(integer product) => float product
struct IntegerProduct : OpRewritePattern<CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(CastOp op,
                                PatternRewriter &rewriter) const override {
    auto product = op.getInput().getDefiningOp<MatmulOp>();
    if (!product || !typeOf(op.getResult()).getElementType().isF32() ||
        !isa<IntegerType>(product.getType().getElementType()))
      return failure();
    auto lhs = Centered::match(product.getLhs()),
         rhs = Centered::match(product.getRhs());
    if (!lhs || !rhs)
      return failure();
    Location loc = product.getLoc();
    rewriter.replaceOpWithNewOp<MatmulOp>(
        op, op.getType(), lhs->build(rewriter, loc), rhs->build(rewriter, loc));
    return success();
  }
};

/// The factors of a product of numbers and constants; false if they are many.
bool collectFactors(Value value, llvm::SmallVectorImpl<Value> &factors) {
  if (auto mul = value.getDefiningOp<BinaryOp>();
      mul && mul.getKind() == BinaryKind::Mul)
    return collectFactors(mul.getLhs(), factors) &&
           collectFactors(mul.getRhs(), factors);
  factors.push_back(value);
  return factors.size() <= 8;
}

/// True if the scale is the number 1: an operand of an integer product, whose
/// scales are still to come. Others are let alone.
bool isUnscaled(DequantizeOp op) { return scalarOf(op.getScale()) == 1.0; }

DequantizeOp rescale(OpBuilder &builder, DequantizeOp op, Value scale) {
  return DequantizeOp::create(builder, op.getLoc(), op.getType(), op.getInput(),
                              scale, op.getZeroPoint(), op.getAxisAttr());
}

/// (a x w) * scales => (a * number) x (w * constants)
struct ScalesOfProduct : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKind() != BinaryKind::Mul)
      return failure();
    for (int side : {0, 1})
      if (auto product = op->getOperand(side).getDefiningOp<MatmulOp>())
        if (product->hasOneUse() && product.getType() == op.getType() &&
            succeeded(rewrite(op, product, op->getOperand(1 - side), rewriter)))
          return success();
    return failure();
  }

  static LogicalResult rewrite(BinaryOp op, MatmulOp product, Value factor,
                               PatternRewriter &rewriter) {
    auto lhs = product.getLhs().getDefiningOp<DequantizeOp>(),
         rhs = product.getRhs().getDefiningOp<DequantizeOp>();
    llvm::SmallVector<Value> factors;
    if (!lhs || !rhs || (!isUnscaled(lhs) && !isUnscaled(rhs)) ||
        !collectFactors(factor, factors))
      return failure();
    // One number scales the left operand, and numbers of columns the right.
    int64_t columnAxis = typeOf(product.getRhs()).getRank() - 1;
    Dims resultDims = dimsOf(product.getResult());
    int64_t resultAxis = resultDims.size() - 1;
    auto known = channelsOf(rhs.getScale(), int64_t(rhs.getAxis()));
    if (!known || (known->axis >= 0 && known->axis != columnAxis))
      return failure();
    Channels columns = std::move(*known);
    llvm::SmallVector<Value> numbers;
    for (Value value : factors) {
      if (auto constant = channelsOf(value, resultDims);
          constant && constant->values.dtype == DType::F32 &&
          (constant->axis < 0 || constant->axis == resultAxis)) {
        if (constant->axis >= 0)
          constant->axis = columnAxis;
        auto combined = combine(columns, *constant,
                                [](double a, double b) { return a * b; });
        if (!combined)
          return failure();
        columns = std::move(*combined);
        continue;
      }
      if (!productOf(dimsOf(value)).isConstant(1) ||
          !typeOf(value).getElementType().isF32())
        return failure();
      numbers.push_back(value);
    }
    if (!numbers.empty() && !isUnscaled(lhs))
      return failure();
    std::optional<Channels> zero;
    if (rhs.getZeroPoint()) {
      zero = channelsOf(rhs.getZeroPoint(), int64_t(rhs.getAxis()));
      if (!zero || (zero->axis >= 0 && zero->axis != columnAxis))
        return failure();
    }
    Value number;
    for (Value value : numbers) {
      value = reshapeTo(rewriter, value.getLoc(), value, {});
      number =
          number ? Value(BinaryOp::create(rewriter, op.getLoc(), typeOf(value),
                                          BinaryKind::Mul, number, value))
                 : value;
    }
    if (number)
      lhs = rescale(rewriter, lhs, number);
    Value scaled =
        dequantize(rewriter, rhs.getLoc(), rhs.getInput(), columns, zero);
    rewriter.replaceOpWithNewOp<MatmulOp>(op, op.getType(), lhs, scaled);
    return success();
  }
};

/// Quantisation by one number is the same before a view and behind it. In
/// front of the views it stands at the layer whose result it rounds.
template <typename Op> struct AboveView : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Operation *view = op.getInput().getDefiningOp();
    if (!isa_and_present<ReshapeOp, TransposeOp>(view) ||
        typeOf(op.getScale()).getRank() != 0 || isParameterView(op.getInput()))
      return failure();
    Value above = view->getOperand(0);
    auto type = makeTensorType(dimsOf(above), op.getType().getElementType());
    Value moved = Op::create(rewriter, op.getLoc(), type, above, op.getScale(),
                             op.getZeroPoint(), op.getAxisAttr());
    Operation *copy = rewriter.clone(*view);
    copy->setOperand(0, moved);
    copy->getResult(0).setType(op.getType());
    rewriter.replaceOp(op, copy);
    return success();
  }
};

/// plm.attention has no way to round its scores or its weights, as a static
/// quantisation of all products asks for.
void explainAttention(SoftmaxOp softmax) {
  llvm::SmallVector<Value> pending{softmax.getInput()};
  auto isBetween = [](Operation *op) {
    return isa_and_present<BinaryOp, UnaryOp, SelectOp, ReshapeOp, TransposeOp>(
        op);
  };
  for (int steps = 0; !pending.empty() && steps < 32; ++steps) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (isa_and_present<DequantizeOp>(op))
      return setReason(softmax, "its scores are rounded to 8 bits, which "
                                "attention cannot express; leave the products "
                                "of activations unquantized");
    if (isBetween(op))
      pending.append(op->operand_begin(), op->operand_end());
  }
  llvm::SmallVector<Operation *> users(softmax->getUsers());
  for (int steps = 0; !users.empty() && steps < 32; ++steps) {
    Operation *op = users.pop_back_val();
    if (isa<QuantizeOp>(op))
      return setReason(softmax, "its weights are rounded to 8 bits, which "
                                "attention cannot express; leave the products "
                                "of activations unquantized");
    if (isBetween(op))
      users.append(op->user_begin(), op->user_end());
  }
}

struct RecognizeQuantized
    : public plmc::impl::RecognizeQuantizedPassBase<RecognizeQuantized> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateQuantizedWeightPatterns(patterns);
    patterns.add<IntegerProduct, ScalesOfProduct, AboveView<QuantizeOp>,
                 AboveView<DequantizeOp>>(&getContext());
    // Not converging leaves valid IR that is merely less normal.
    (void)applyPatternsGreedily(getOperation(), std::move(patterns));
    eraseDeadOps(getOperation());
    getOperation().walk(explainAttention);
  }
};

} // namespace
