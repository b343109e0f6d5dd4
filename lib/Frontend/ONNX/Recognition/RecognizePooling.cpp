//===- RecognizePooling.cpp - plm-recognize-pooling -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// [batch, sequence, width] to [batch, width]: the first position, the mean or
// maximum over kept positions (the mask by KeepMask.h, as for attention), and
// L2 normalisation of the last dimension (by value, RowFunction.h).
//
//===----------------------------------------------------------------------===//

#include "KeepMask.h"
#include "MaskExpression.h"
#include "Passes.h"
#include <cmath>

namespace plmc {
#define GEN_PASS_DEF_RECOGNIZEPOOLINGPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;
using llvm::Expected;

namespace {

bool isTokens(Value value) {
  return typeOf(value).getRank() == 3 && isFloatTensor(value);
}

/// The pooled [B, H] as what the replaced value was ([B, H] or [B, 1, H]).
void replacePooled(Operation *op, PoolKind kind, Value tokens, Value mask,
                   double epsilon) {
  OpBuilder builder(op);
  Dims dims = dimsOf(tokens);
  Value result = op->getResult(0);
  Value pooled = PoolOp::create(
      builder, op->getLoc(),
      makeTensorType({dims[0], dims[2]}, typeOf(tokens).getElementType()), kind,
      tokens, mask, llvm::APFloat(epsilon));
  result.replaceAllUsesWith(
      reshapeTo(builder, op->getLoc(), pooled, dimsOf(result)));
}

//===----------------------------------------------------------------------===//
// First position
//===----------------------------------------------------------------------===//

void recognizeFirst(Operation *op) {
  Value tokens = op->getOperand(0);
  if (!isTokens(tokens))
    return;
  if (auto gather = dyn_cast<GatherOp>(op)) {
    if (gather.getAxis() != 1 || scalarOf(gather.getIndices()) != 0.0 ||
        !productOf(dimsOf(gather.getIndices())).isConstant(1))
      return;
  } else {
    auto slice = cast<SliceOp>(op);
    Dims dims = dimsOf(tokens);
    if (dimsOf(slice.getResult()) != Dims{dims[0], DimExpr(1), dims[2]} ||
        dims[1].isConstant(1))
      return;
    for (Attribute start : slice.getStarts())
      if (cast<StringAttr>(start).getValue() != "0")
        return;
  }
  replacePooled(op, PoolKind::First, tokens, Value(), 1e-9);
}

//===----------------------------------------------------------------------===//
// Mean and maximum
//===----------------------------------------------------------------------===//

/// Down through broadcasts and reshapes that change no element order.
Value stripViews(Value value) {
  for (int steps = 0; steps < 64 && isa_and_present<BroadcastOp, ReshapeOp>(
                                        value.getDefiningOp());
       ++steps)
    value = value.getDefiningOp()->getOperand(0);
  return value;
}

/// Has the structure of a mask, and its argument, if any, the shape of one.
bool isMaskExpression(Value value) {
  MaskExpression expression;
  if (llvm::Error error = expression.add(value)) {
    llvm::consumeError(std::move(error));
    return false;
  }
  return !expression.argument() || typeOf(expression.argument()).getRank() == 2;
}

ReduceOp matchSequenceReduce(Value value, ReduceKind kind) {
  auto reduce = stripViews(value).getDefiningOp<ReduceOp>();
  if (!reduce || reduce.getKind() != kind || reduce.getAxes().size() != 1 ||
      reduce.getAxes()[0] != 1)
    return {};
  return reduce;
}

/// Proves the terms on tokens [B, S, H]; `count`, if given, is a further term
/// whose value is [B, S] or [B, S, ...]. nullopt with a reason on `op`.
std::optional<Value> proveTokenMask(Operation *op, Value tokens, MaskTerm term,
                                    Value count = {}) {
  FactorTable table;
  Layout layout = table.fresh(dimsOf(tokens));
  term.layout = layout;
  std::vector<MaskTerm> terms{term};
  if (count)
    terms.push_back(
        {MaskTerm::Weight, count, 1, 0,
         Layout(layout.begin(), layout.begin() + typeOf(count).getRank())});
  Expected<Value> mask = proveKeepMask({table, terms, layout[0], layout[1]});
  if (!mask) {
    setReason(op, llvm::toString(mask.takeError()));
    return std::nullopt;
  }
  return *mask;
}

/// x * m on either side, or select(m, x, 0): the tokens and the term.
std::optional<std::pair<Value, MaskTerm>> matchWeighted(Value value) {
  Type type = value.getType();
  if (auto select = value.getDefiningOp<SelectOp>()) {
    if (select.getOnTrue().getType() == type &&
        scalarOf(select.getOnFalse()) == 0.0)
      return std::pair(
          select.getOnTrue(),
          MaskTerm{MaskTerm::Keep, select.getCondition(), 1, excludedFill});
    if (select.getOnFalse().getType() == type &&
        scalarOf(select.getOnTrue()) == 0.0)
      return std::pair(
          select.getOnFalse(),
          MaskTerm{MaskTerm::Drop, select.getCondition(), 1, excludedFill});
    return std::nullopt;
  }
  auto multiply = value.getDefiningOp<BinaryOp>();
  if (!multiply || multiply.getKind() != BinaryKind::Mul)
    return std::nullopt;
  // The mask is the operand that has the structure of one.
  Value tokens = multiply.getLhs(), mask = multiply.getRhs();
  if (!isMaskExpression(mask))
    std::swap(tokens, mask);
  if (!isMaskExpression(mask) || tokens.getType() != type)
    return std::nullopt;
  return std::pair(tokens, MaskTerm{MaskTerm::Weight, mask});
}

/// sum(x * m, 1), or the product of m [B, 1, S] with x: the tokens and the
/// term.
std::optional<std::pair<Value, MaskTerm>> matchWeightedSum(Value value) {
  ReduceOp sum = matchSequenceReduce(value, ReduceKind::Sum);
  if (sum && isTokens(sum.getInput()))
    return matchWeighted(sum.getInput());
  auto matmul = stripViews(value).getDefiningOp<MatmulOp>();
  if (!matmul || !isTokens(matmul.getRhs()))
    return std::nullopt;
  Value tokens = matmul.getRhs(), mask = matmul.getLhs();
  Dims dims = dimsOf(tokens);
  if (dimsOf(mask) != Dims{dims[0], DimExpr(1), dims[1]} ||
      !isMaskExpression(mask))
    return std::nullopt;
  OpBuilder builder(matmul);
  mask =
      reshapeTo(builder, matmul.getLoc(), mask, {dims[0], dims[1], DimExpr(1)});
  return std::pair(tokens, MaskTerm{MaskTerm::Weight, mask});
}

/// sum(x * m, 1) / max(sum(m, 1), epsilon).
bool recognizeMaskedMean(BinaryOp op) {
  if (op.getKind() != BinaryKind::Div || !isFloatTensor(op.getResult()))
    return false;
  auto weighted = matchWeightedSum(op.getLhs());
  if (!weighted)
    return false;
  auto [tokens, term] = *weighted;
  Value divisor = stripViews(op.getRhs());
  double epsilon = 0;
  // An addition so small changes no count but 0, as the maximum does.
  auto clip = matchScalarOperand(divisor, BinaryKind::Max);
  if (!clip)
    if (auto sum = matchScalarOperand(divisor, BinaryKind::Add);
        sum && sum->scalar > 0 && sum->scalar <= 1e-7)
      clip = sum;
  if (clip) {
    epsilon = clip->scalar;
    divisor = stripViews(clip->tensor);
  }
  if (auto cast = divisor.getDefiningOp<CastOp>())
    divisor = cast.getInput(); // an integer count
  ReduceOp count = matchSequenceReduce(divisor, ReduceKind::Sum);
  Dims dims = dimsOf(tokens);
  // The result must be [B, H] or [B, 1, H], whichever way it got there.
  if (!count || productOf(dimsOf(op.getResult())) != dims[0] * dims[2] ||
      !(epsilon >= 0))
    return false;
  // The divisor belongs to its own batch row.
  Dims divisorDims = dimsOf(op.getRhs());
  if (divisorDims.size() != dimsOf(op.getResult()).size() ||
      divisorDims[0] != dims[0])
    return false;
  // Counting every column of [B, S, H], one, or all of [B, S]: sum(m[b]).
  Value counted = count.getInput();
  if (typeOf(counted).getRank() < 2 || typeOf(counted).getRank() > 3)
    return false;
  std::optional<Value> mask = proveTokenMask(op, tokens, term, counted);
  if (!mask || (!*mask && epsilon > 1))
    return false;
  replacePooled(op, PoolKind::Mean, tokens, *mask, epsilon);
  return true;
}

/// mean(x, 1) and max(x, 1), the latter perhaps over masked tokens.
bool recognizeReduction(ReduceOp op) {
  if (op.getAxes().size() != 1 || op.getAxes()[0] != 1 ||
      !isTokens(op.getInput()))
    return false;
  if (op.getKind() == ReduceKind::Mean) {
    replacePooled(op, PoolKind::Mean, op.getInput(), Value(), 1e-9);
    return true;
  }
  if (op.getKind() != ReduceKind::Max)
    return false;
  Value tokens = op.getInput(), mask;
  if (auto select = tokens.getDefiningOp<SelectOp>()) {
    auto keep = scalarOf(select.getOnFalse());
    auto drop = scalarOf(select.getOnTrue());
    if (!keep && !drop)
      return false;
    Value inner = keep ? select.getOnTrue() : select.getOnFalse();
    // Where nothing is kept the fill shows, which plm.pool has at -1e9; a
    // sequence without a token is the only one for which that matters.
    double fill = keep ? *keep : *drop;
    if (!(fill <= -6e4) || inner.getType() != tokens.getType()) {
      setReason(op, "the maximum over the sequence masks with a number that is "
                    "not far below all others");
      return false;
    }
    std::optional<Value> proof =
        proveTokenMask(op, inner,
                       {keep ? MaskTerm::Keep : MaskTerm::Drop,
                        select.getCondition(), 1, fill});
    if (!proof)
      return false;
    tokens = inner;
    mask = *proof;
  }
  replacePooled(op, PoolKind::Max, tokens, mask, 1e-9);
  return true;
}

struct RecognizePooling
    : public plmc::impl::RecognizePoolingPassBase<RecognizePooling> {
  void runOnOperation() override {
    llvm::SmallVector<Operation *> ops;
    getOperation().walk([&](Operation *op) {
      if (isa<GatherOp, SliceOp, BinaryOp, ReduceOp>(op))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      if (op->use_empty())
        continue;
      if (isa<GatherOp, SliceOp>(op))
        recognizeFirst(op);
      else if (auto binary = dyn_cast<BinaryOp>(op))
        recognizeMaskedMean(binary);
      else if (auto reduce = cast<ReduceOp>(op); !recognizeReduction(reduce))
        recognizeL2Normalize(reduce);
    }
    eraseDeadOps(getOperation());
  }
};

} // namespace
