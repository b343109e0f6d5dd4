//===- RecognizeAttention.cpp - plm-recognize-attention -------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For every softmax over the last dimension: match the score product and the
// value products (AttentionMatch.h), find out which axes are batch, heads and
// features (Layout.h), divide what acts on the scores into a keep mask and a
// bias (AttentionBias.h), and put a plm.attention in the place of each value
// product. Its operands and result are views of what was there; plm-normalize
// then removes the views that cancel out.
//
//===----------------------------------------------------------------------===//

#include "AttentionBias.h"
#include "AttentionMatch.h"
#include "Passes.h"
#include <cmath>

namespace plmc {
#define GEN_PASS_DEF_RECOGNIZEATTENTIONPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;
using llvm::Error;
using llvm::Expected;

namespace {

Error refuse(const llvm::Twine &reason) {
  return llvm::createStringError(reason);
}

class AttentionRewriter {
public:
  AttentionRewriter(SoftmaxOp softmax) : softmax(softmax) {}

  /// Replaces the value products. The error is the reason.
  Error run();

private:
  Error match();
  Error followOperands();
  Error chooseAxes();
  Error proveMask();
  Expected<Value> operandAs3D(OpBuilder &builder,
                              llvm::ArrayRef<View> candidates,
                              llvm::ArrayRef<int> sequence,
                              llvm::ArrayRef<int> features, double *scale);
  Error rewrite(const ValuesMatch &values);

  SoftmaxOp softmax;
  FactorTable table;
  Layout layout; // of the softmax
  ScoresMatch scores;
  std::vector<ValuesMatch> products;
  std::vector<View> query, key;
  Factors features;
  AttentionAxes axes;
  MaskAndBias mask;
};

Error AttentionRewriter::match() {
  Dims dims = dimsOf(softmax.getInput());
  int64_t rank = dims.size();
  if (int64_t(softmax.getAxis()) != rank - 1)
    return refuse("the softmax is over axis " + llvm::Twine(softmax.getAxis()) +
                  ", not over the last one");
  if (rank != 3 && rank != 4)
    return refuse("the scores have rank " + llvm::Twine(rank) +
                  ", attention has [batch, heads, queries, keys] or "
                  "[batch*heads, queries, keys]");
  layout = table.fresh(dims);
  Expected<ScoresMatch> match = matchScores(table, softmax, layout);
  if (!match)
    return match.takeError();
  scores = std::move(*match);
  products = matchValues(table, softmax, layout);
  if (products.empty())
    return refuse("the probabilities go into no product with values");
  return Error::success();
}

/// From the score product up to where query and key come from.
Error AttentionRewriter::followOperands() {
  MatmulOp matmul = scores.matmul;
  Value lhs = matmul.getLhs(), rhs = matmul.getRhs();
  if (isWeight(lhs) || isWeight(rhs))
    return refuse("the scores are a product with a parameter");
  int64_t rank = typeOf(matmul.getResult()).getRank();
  Dims dims = dimsOf(matmul.getResult());
  for (Value operand : {lhs, rhs}) {
    Dims own = dimsOf(operand);
    if (int64_t(own.size()) != rank ||
        llvm::ArrayRef<DimExpr>(own).drop_back(2) !=
            llvm::ArrayRef<DimExpr>(dims).drop_back(2))
      return refuse("query and key are broadcast against one another");
  }
  features = table.create(dimsOf(lhs).back());
  Layout left(scores.layout.begin(), scores.layout.end() - 2), right = left;
  left.append({scores.layout[rank - 2], features});
  right.append({features, scores.layout[rank - 1]});

  // Transposed scores (keys by queries) are the same with roles exchanged.
  Factors rows = table.resolve(scores.layout[rank - 2]);
  Factors columns = table.resolve(scores.layout[rank - 1]);
  Factors queries = table.resolve(layout[layout.size() - 2]);
  Factors keys = table.resolve(layout.back());
  if (columns == keys && rows == queries) {
    query = followOperand(table, lhs, left);
    key = followOperand(table, rhs, right);
  } else if (columns == queries && rows == keys) {
    key = followOperand(table, lhs, left);
    query = followOperand(table, rhs, right);
  } else {
    return refuse("the softmax is not over the keys of the score product");
  }
  return Error::success();
}

Error AttentionRewriter::chooseAxes() {
  Expected<AttentionAxes> chosen = chooseAttentionAxes(
      table, layout, query.back().layout, key.back().layout);
  if (!chosen)
    return chosen.takeError();
  axes = std::move(*chosen);
  features = table.resolve(features);
  if (!table.product(features).isConstant())
    return refuse("the head size is not constant (" +
                  table.product(features).str() + ")");
  return Error::success();
}

Error AttentionRewriter::proveMask() {
  std::vector<MaskTerm> terms = scores.terms;
  for (const ValuesMatch &values : products)
    terms.insert(terms.end(), values.terms.begin(), values.terms.end());
  Expected<MaskAndBias> divided = divideMask(table, terms, axes);
  if (!divided)
    return divided.takeError();
  mask = std::move(*divided);
  return Error::success();
}

/// The operand as [batch, sequence, heads*features]: the nearest tensor on its
/// way that is exactly that, else the nearest that is it up to a reshape, else
/// the origin with its axes moved.
Expected<Value> AttentionRewriter::operandAs3D(OpBuilder &builder,
                                               llvm::ArrayRef<View> candidates,
                                               llvm::ArrayRef<int> sequence,
                                               llvm::ArrayRef<int> features,
                                               double *scale) {
  Factors order = axes.batch;
  order.append(sequence.begin(), sequence.end());
  order.append(axes.heads);
  order.append(features.begin(), features.end());
  Dims dims{table.product(axes.batch), table.product(sequence),
            table.product(axes.heads) * table.product(features)};
  const View *chosen = nullptr;
  for (const View &view : candidates) {
    if (table.flatten(view.layout) != order)
      continue;
    if (dimsOf(view.value) == dims) {
      chosen = &view;
      break;
    }
    if (!chosen)
      chosen = &view;
  }
  if (!chosen)
    chosen = &candidates.back();
  // Scales right above are free.
  while (chosen != &candidates.back() &&
         (chosen + 1)->value.getType() == chosen->value.getType() &&
         matchScaling(chosen->value) && (scale || (chosen + 1)->scale == 1))
    ++chosen;
  if (scale)
    *scale *= chosen->scale;
  else if (chosen->scale != 1)
    chosen = &candidates.front(); // a scaled value stays scaled
  Factors from = table.flatten(chosen->layout), sorted = from, wanted = order;
  llvm::sort(sorted);
  llvm::sort(wanted);
  if (sorted != wanted)
    return refuse("the axes of an operand of the attention do not match");
  return buildView(builder, softmax.getLoc(), chosen->value, table, from, order,
                   dims);
}

Error AttentionRewriter::rewrite(const ValuesMatch &values) {
  MatmulOp matmul = values.matmul;
  int64_t rank = values.probabilities.size();
  if (table.resolve(values.probabilities[rank - 1]) != axes.key ||
      table.resolve(values.probabilities[rank - 2]) != axes.query)
    return refuse("the product with the values is not over the keys");
  Dims dims = dimsOf(matmul.getResult()), own = dimsOf(matmul.getRhs());
  if (own.size() != dims.size() ||
      llvm::ArrayRef<DimExpr>(own).drop_back(2) !=
          llvm::ArrayRef<DimExpr>(dims).drop_back(2))
    return refuse("the values are broadcast over heads");
  Layout outer(values.probabilities.begin(), values.probabilities.end() - 2);
  Factors width = table.create(own.back());
  Layout valueLayout = outer, resultLayout = outer;
  valueLayout.append({axes.key, width});
  resultLayout.append({axes.query, width});
  std::vector<View> value = followOperand(table, matmul.getRhs(), valueLayout);
  width = table.resolve(width);
  // Following the values may have split an axis once more.
  for (Factors *factors :
       {&axes.batch, &axes.heads, &axes.query, &axes.key, &features})
    *factors = table.resolve(*factors);

  OpBuilder builder(matmul);
  double scale = scores.scale;
  Expected<Value> q = operandAs3D(builder, query, axes.query, features, &scale);
  if (!q)
    return q.takeError();
  Expected<Value> k = operandAs3D(builder, key, axes.key, features, &scale);
  if (!k)
    return k.takeError();
  Expected<Value> v = operandAs3D(builder, value, axes.key, width, nullptr);
  if (!v)
    return v.takeError();
  if (!std::isfinite(scale))
    return refuse("the scale of the scores is not finite");

  DimExpr heads = table.product(axes.heads);
  Dims resultDims{table.product(axes.batch), table.product(axes.query),
                  heads * table.product(width)};
  if (!resultDims.back().isConstant())
    return refuse("the head size of the values is not constant");
  Expected<Value> bias =
      buildBias(builder, softmax.getLoc(), table, mask.terms, axes,
                typeOf(matmul.getResult()).getElementType());
  if (!bias)
    return bias.takeError();
  auto attention = AttentionOp::create(
      builder, softmax.getLoc(),
      makeTensorType(resultDims, typeOf(matmul.getResult()).getElementType()),
      *q, *k, *v, mask.mask, *bias,
      builder.getI64IntegerAttr(*heads.constant()),
      builder.getF64FloatAttr(scale),
      mask.maskInBias ? builder.getUnitAttr() : UnitAttr(),
      /*precision=*/PrecisionAttr());
  Factors order = axes.batch;
  order.append(axes.query);
  order.append(axes.heads);
  order.append(width);
  Value result = buildView(builder, softmax.getLoc(), attention.getResult(),
                           table, order, table.flatten(resultLayout), dims);
  matmul.getResult().replaceAllUsesWith(result);
  return Error::success();
}

Error AttentionRewriter::run() {
  if (Error error = match())
    return error;
  if (Error error = followOperands())
    return error;
  if (Error error = chooseAxes())
    return error;
  if (Error error = proveMask())
    return error;
  for (const ValuesMatch &values : products)
    if (Error error = rewrite(values))
      return error;
  return Error::success();
}

/// A softmax over another axis (keras keeps the keys in the middle) is one over
/// the last axis between two transposes.
SoftmaxOp overLastAxis(SoftmaxOp softmax) {
  Dims dims = dimsOf(softmax.getInput());
  int64_t axis = softmax.getAxis(), last = int64_t(dims.size()) - 1;
  if (axis == last || dims.size() > 4)
    return softmax;
  // Exchanging two axes is its own inverse.
  llvm::SmallVector<int64_t> exchange;
  for (int64_t i = 0; i <= last; ++i)
    exchange.push_back(i == axis ? last : i == last ? axis : i);
  std::swap(dims[axis], dims[last]);
  OpBuilder builder(softmax);
  auto type = makeTensorType(dims, typeOf(softmax.getInput()).getElementType());
  auto permutation = builder.getDenseI64ArrayAttr(exchange);
  Value input = TransposeOp::create(builder, softmax.getLoc(), type,
                                    permutation, softmax.getInput());
  auto moved = SoftmaxOp::create(builder, softmax.getLoc(), type,
                                 builder.getI64IntegerAttr(last), input);
  Value back = TransposeOp::create(builder, softmax.getLoc(), softmax.getType(),
                                   permutation, moved.getResult());
  softmax.getResult().replaceAllUsesWith(back);
  softmax.erase();
  return moved;
}

struct RecognizeAttention
    : public plmc::impl::RecognizeAttentionPassBase<RecognizeAttention> {
  void runOnOperation() override {
    llvm::SmallVector<SoftmaxOp> softmaxes;
    getOperation().walk([&](SoftmaxOp op) { softmaxes.push_back(op); });
    for (SoftmaxOp softmax : softmaxes) {
      softmax = overLastAxis(softmax);
      if (Error error = AttentionRewriter(softmax).run())
        setReason(softmax, llvm::toString(std::move(error)));
    }
    eraseDeadOps(getOperation());
  }
};

} // namespace
