//===- NormalizeLinear.cpp - Biases of linear layers ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A bias is added to the product, or behind the reshape to heads as [heads, d]
// (Keras' einsum layers), or behind the transpose as [heads, 1, d]. Wherever it
// is, it adds one number a column, and joins the layer.
//
//===----------------------------------------------------------------------===//

#include "Layout.h"
#include "Passes.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

struct FuseBias : OpRewritePattern<BinaryOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(BinaryOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getKind() != BinaryKind::Add || !isFloatTensor(op.getResult()))
      return failure();
    Value sum = op.getLhs(), bias = op.getRhs();
    if (isWeight(sum))
      std::swap(sum, bias);
    if (!isWeight(bias) || sum.getType() != op.getType() ||
        typeOf(bias).getNumElements() < 2)
      return failure();
    // Up to the layer, which nothing else may read.
    FactorTable table;
    Layout layout = table.fresh(dimsOf(sum)), added = layout;
    Value value = sum;
    for (int steps = 0; steps < 16; ++steps) {
      Operation *above = value.getDefiningOp();
      if (!isa_and_present<ReshapeOp, TransposeOp>(above))
        break;
      std::optional<Layout> next = table.operandLayout(above, layout);
      if (!next || !value.hasOneUse())
        return failure();
      layout = *next;
      value = above->getOperand(0);
    }
    auto linear = value.getDefiningOp<LinearOp>();
    if (!linear || linear.getBias() || !value.hasOneUse())
      return failure();
    // Every column once, whichever dimensions they are in.
    Factors columns = table.resolve(layout.back()), order;
    Dims dims = dimsOf(bias);
    size_t offset = added.size() - dims.size();
    for (auto [index, dim] : llvm::enumerate(dims)) {
      Factors factors = table.resolve(added[offset + index]);
      if (!dim.isConstant(1) && table.product(factors) != dim)
        return failure();
      if (!dim.isConstant(1))
        order.append(factors);
    }
    if (order.size() != columns.size() || !llvm::all_of(order, [&](int factor) {
          return llvm::is_contained(columns, factor);
        }))
      return failure();
    rewriter.setInsertionPoint(op);
    Value vector = buildView(rewriter, bias.getLoc(), bias, table, order,
                             columns, {dimsOf(value).back()});
    Value biased = LinearOp::create(rewriter, linear.getLoc(), value.getType(),
                                    linear.getInput(), linear.getWeight(),
                                    vector, linear.getTransposed());
    rewriter.replaceOp(op,
                       buildView(rewriter, op.getLoc(), biased, table,
                                 table.flatten(layout), table.flatten(added),
                                 dimsOf(op.getResult())));
    return success();
  }
};

} // namespace

void recognition::populateLinearPatterns(RewritePatternSet &patterns) {
  patterns.add<FuseBias>(patterns.getContext());
}
