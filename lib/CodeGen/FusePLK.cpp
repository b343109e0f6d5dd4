//===- FusePLK.cpp - Merge kernels ------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/CodeGen/Passes.h"
#include "plmc/Dialect/PLM/DimExpr.h"

namespace plmc {
#define GEN_PASS_DEF_FUSEPLK
#include "plmc/CodeGen/Passes.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plk;

namespace {

/// The producer of `value` if this is its only use.
template <typename OpT> OpT soleProducer(Value value) {
  return value.hasOneUse() ? value.getDefiningOp<OpT>() : OpT();
}

/// activation(linear(x)) => linear(x) activation
struct FuseActivation : OpRewritePattern<plm::ActivationOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(plm::ActivationOp op,
                                PatternRewriter &rewriter) const override {
    auto linear = soleProducer<LinearOp>(op.getInput());
    if (!linear || linear.getActivation() || linear.getResidual() ||
        linear.getGamma())
      return failure();
    rewriter.modifyOpInPlace(
        linear, [&] { linear.setActivationAttr(op.getKindAttr()); });
    rewriter.replaceOp(op, linear.getResult());
    return success();
  }
};

/// add(linear(x), r) => linear(x) residual r
struct FuseResidual : OpRewritePattern<plm::BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(plm::BinaryOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKind() != plm::BinaryKind::Add ||
        op.getLhs().getType() != op.getRhs().getType() ||
        op.getType() != op.getLhs().getType())
      return failure();
    for (int side : {0, 1}) {
      Value other = op->getOperand(1 - side);
      auto linear = soleProducer<LinearOp>(op->getOperand(side));
      if (!linear || linear.getResidual() || linear.getGamma())
        continue;
      // The residual may be computed after the product: move it down here.
      rewriter.moveOpBefore(linear, op);
      rewriter.modifyOpInPlace(
          linear, [&] { linear.getResidualMutable().assign(other); });
      rewriter.replaceOp(op, linear.getResult());
      return success();
    }
    return failure();
  }
};

/// norm(linear(x)) => linear(x) norm, norm(embed) => embed norm
template <typename ProducerT> struct FuseNorm : OpRewritePattern<NormOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(NormOp op,
                                PatternRewriter &rewriter) const override {
    auto producer = soleProducer<ProducerT>(op.getInput());
    if (!producer || producer.getGamma())
      return failure();
    rewriter.modifyOpInPlace(producer, [&] {
      producer.setGammaAttr(op.getGammaAttr());
      producer.setBetaAttr(op.getBetaAttr());
      producer.setEpsilonAttr(op.getEpsilonAttr());
    });
    rewriter.replaceOp(op, producer.getResult());
    return success();
  }
};

/// add(embed(a), embed(b)) => embed(a, b)
struct FuseEmbeds : OpRewritePattern<plm::BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(plm::BinaryOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKind() != plm::BinaryKind::Add || op.getLhs() == op.getRhs())
      return failure();
    auto a = soleProducer<EmbedOp>(op.getLhs());
    auto b = soleProducer<EmbedOp>(op.getRhs());
    if (!a || !b || a.getGamma() || b.getGamma() ||
        (a.getPosition() && b.getPosition()) || a.getType() != b.getType())
      return failure();
    SmallVector<Value> ids(a.getIds());
    llvm::append_range(ids, b.getIds());
    SmallVector<Attribute> tables(a.getTables().getValue());
    llvm::append_range(tables, b.getTables());
    EmbedOp withPosition = a.getPosition() ? a : b;
    rewriter.replaceOpWithNewOp<EmbedOp>(op, op.getType(), ids, tables,
                                         withPosition.getPositionAttr(),
                                         int64_t(withPosition.getOffset()));
    return success();
  }
};

/// add(linear(x) residual embed(a), embed(b)) => linear(x) residual embed(a,
/// b): a factorised word table, whose product meets positions and types one by
/// one.
struct FuseResidualEmbeds : OpRewritePattern<plm::BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(plm::BinaryOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKind() != plm::BinaryKind::Add)
      return failure();
    for (int side : {0, 1}) {
      auto linear = soleProducer<LinearOp>(op->getOperand(side));
      auto b = soleProducer<EmbedOp>(op->getOperand(1 - side));
      if (!linear || !linear.getResidual() || linear.getGamma() || !b ||
          b.getGamma() || b.getType() != op.getType() ||
          linear.getType() != op.getType())
        continue;
      auto a = soleProducer<EmbedOp>(linear.getResidual());
      if (!a || a.getGamma() || a.getType() != b.getType() ||
          (a.getPosition() && b.getPosition()))
        continue;
      rewriter.moveOpBefore(linear, op);
      rewriter.setInsertionPoint(linear);
      auto sum = plm::BinaryOp::create(rewriter, op.getLoc(), op.getType(),
                                       op.getKindAttr(), a, b);
      rewriter.modifyOpInPlace(
          linear, [&] { linear.getResidualMutable().assign(sum.getResult()); });
      rewriter.replaceOp(op, linear.getResult());
      return success();
    }
    return failure();
  }
};

/// Several products of the same input become one with a concatenated weight:
/// one pass over the input instead of three.
struct FuseQKV : OpRewritePattern<AttentionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AttentionOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<LinearOp> linears;
    for (Value value : {op.getQuery(), op.getKey(), op.getValue()}) {
      auto linear = soleProducer<LinearOp>(value);
      if (!linear || linear.getActivation() || linear.getResidual() ||
          linear.getGamma())
        return failure();
      linears.push_back(linear);
    }
    if (linears[0].getInput() != linears[1].getInput() ||
        linears[0].getInput() != linears[2].getInput())
      return failure();
    bool bias = linears[0].getBias().has_value();
    if (linears[1].getBias().has_value() != bias ||
        linears[2].getBias().has_value() != bias)
      return failure();

    auto module = op->getParentOfType<ModuleOp>();
    SymbolTable symbols(module);
    SmallVector<FlatSymbolRefAttr> weights, biases;
    for (LinearOp linear : linears) {
      weights.push_back(linear.getWeightAttr());
      biases.push_back(linear.getBiasAttr());
    }
    FlatSymbolRefAttr weight = concat(weights, symbols, rewriter);
    FlatSymbolRefAttr biasRef =
        bias ? concat(biases, symbols, rewriter) : FlatSymbolRefAttr();
    if (!weight || (bias && !biasRef))
      return failure();

    SmallVector<DimExpr> dims =
        getDims(cast<RankedTensorType>(op.getQuery().getType()));
    int64_t keyOffset = *dims.back().constant();
    int64_t valueOffset = keyOffset + linears[1].getType().getShape().back();
    int64_t width = valueOffset + linears[2].getType().getShape().back();
    dims.back() = DimExpr(width);
    Location loc = rewriter.getFusedLoc(
        {linears[0].getLoc(), linears[1].getLoc(), linears[2].getLoc()});
    rewriter.setInsertionPoint(linears.back());
    Value product = LinearOp::create(
        rewriter, loc, makeTensorType(dims, op.getType().getElementType()),
        linears[0].getInput(), weight, biasRef);
    rewriter.moveOpBefore(product.getDefiningOp(), op);
    rewriter.modifyOpInPlace(op, [&] {
      op.getQueryMutable().assign(product);
      op.getKeyMutable().assign(product);
      op.getValueMutable().assign(product);
      op.setKeyOffset(keyOffset);
      op.setValueOffset(valueOffset);
    });
    return success();
  }

  /// A weight that concatenates the sources of others along the columns, with
  /// their scales and zero points. Null if they are quantised in different
  /// ways. Reused when a shared layer asks again: equal sources, equal symbol.
  static FlatSymbolRefAttr concat(ArrayRef<FlatSymbolRefAttr> refs,
                                  SymbolTable &symbols,
                                  PatternRewriter &rewriter) {
    SmallVector<Attribute> sources;
    SmallVector<bool> transposed;
    SmallVector<int64_t> shape;
    IntegerAttr panel;
    WeightOp first;
    SmallVector<FlatSymbolRefAttr> scales, zeroPoints;
    for (FlatSymbolRefAttr ref : refs) {
      auto op = symbols.lookup<WeightOp>(ref.getValue());
      if (!op)
        return {};
      if (!first) {
        first = op;
        shape.assign(op.getShape().begin(), op.getShape().end());
        panel = op.getPanelAttr();
      } else {
        shape.back() += op.getShape().back();
      }
      if (op.getQuantizedAttr() != first.getQuantizedAttr() ||
          bool(op.getZeroPoint()) != bool(first.getZeroPoint()) ||
          op.getPrecisionAttr() != first.getPrecisionAttr() ||
          op.getBits() != first.getBits() ||
          op.getBlockAttr() != first.getBlockAttr())
        return {};
      if (op.getScale())
        scales.push_back(op.getScaleAttr());
      if (op.getZeroPoint())
        zeroPoints.push_back(op.getZeroPointAttr());
      llvm::append_range(sources, op.getSources());
      llvm::append_range(transposed, op.getTransposed());
    }
    FlatSymbolRefAttr scale, zeroPoint;
    if (!scales.empty())
      scale = concat(scales, symbols, rewriter);
    if (!zeroPoints.empty())
      zeroPoint = concat(zeroPoints, symbols, rewriter);
    if ((!scales.empty() && !scale) || (!zeroPoints.empty() && !zeroPoint))
      return {}; // scales of two forms
    ArrayAttr sourcesAttr = rewriter.getArrayAttr(sources);
    for (auto op : cast<ModuleOp>(symbols.getOp()).getOps<WeightOp>())
      if (op.getSources() == sourcesAttr && op.getPanelAttr() == panel &&
          op.getScaleAttr() == scale && op.getZeroPointAttr() == zeroPoint &&
          op.getPrecisionAttr() == first.getPrecisionAttr() &&
          op.getTransposed() == ArrayRef<bool>(transposed))
        return FlatSymbolRefAttr::get(op);
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointAfter(first);
    auto op = WeightOp::create(rewriter, first.getLoc(),
                               (first.getSymName() + ".qkv").str(), sourcesAttr,
                               shape, panel, transposed);
    op.setQuantizedAttr(first.getQuantizedAttr());
    op.setScaleAttr(scale);
    op.setZeroPointAttr(zeroPoint);
    op.setAxisAttr(first.getAxisAttr());
    op.setPrecisionAttr(first.getPrecisionAttr());
    op.setBitsAttr(first.getBitsAttr());
    op.setBlockAttr(first.getBlockAttr());
    symbols.insert(op, Block::iterator(first->getNextNode()
                                           ? first->getNextNode()
                                           : first.getOperation()));
    return FlatSymbolRefAttr::get(op);
  }
};

struct FusePLKPass : plmc::impl::FusePLKBase<FusePLKPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseActivation, FuseResidual, FuseNorm<LinearOp>,
                 FuseNorm<EmbedOp>, FuseEmbeds, FuseResidualEmbeds, FuseQKV>(
        &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      return signalPassFailure();
    // Weights that a merge has left without a reader.
    SymbolTable symbols(getOperation());
    auto weights = llvm::to_vector(getOperation().getOps<WeightOp>());
    for (WeightOp weight :
         llvm::reverse(weights)) // scales before what they scale
      if (SymbolTable::symbolKnownUseEmpty(weight, getOperation()))
        symbols.erase(weight);
  }
};

} // namespace
