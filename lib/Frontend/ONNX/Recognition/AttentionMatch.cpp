//===- AttentionMatch.cpp - The parts of one attention --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionMatch.h"
#include "Depends.h"

using namespace mlir;
using namespace plmc::plm;
using llvm::Error;
using llvm::Expected;

namespace plmc::recognition {

static Error refuse(const llvm::Twine &reason) {
  return llvm::createStringError(reason);
}

static std::string describe(Operation *op) {
  if (!op)
    return "a model input";
  return (op->getName().getStringRef() + " at '" + nodeName(op->getLoc()) + "'")
      .str();
}

/// Is this value made from a matrix product, through what may lie between a
/// score product and its softmax?
static bool leadsToProduct(Value value, int &budget) {
  Operation *op = value.getDefiningOp();
  if (!op || --budget < 0)
    return false;
  if (auto matmul = dyn_cast<MatmulOp>(op)) // not queries by a stored table
    return dependsOnInput(matmul.getLhs()) && dependsOnInput(matmul.getRhs());
  if (isa<ReshapeOp, TransposeOp, CastOp>(op))
    return leadsToProduct(op->getOperand(0), budget);
  if (auto select = dyn_cast<SelectOp>(op))
    return leadsToProduct(select.getOnTrue(), budget) ||
           leadsToProduct(select.getOnFalse(), budget);
  if (isa<BinaryOp>(op))
    return leadsToProduct(op->getOperand(0), budget) ||
           leadsToProduct(op->getOperand(1), budget);
  return false;
}

static bool leadsToProduct(Value value) {
  int budget = 64;
  return leadsToProduct(value, budget);
}

namespace {

/// One step up from `current`, or the reason why not.
class ScoreWalk {
public:
  ScoreWalk(FactorTable &table, Value value, Layout layout)
      : table(table), current(value), layout(std::move(layout)) {}

  Expected<ScoresMatch> run() {
    for (int steps = 0; steps < 64; ++steps) {
      Operation *op = current.getDefiningOp();
      if (auto matmul = dyn_cast_if_present<MatmulOp>(op)) {
        match.matmul = matmul;
        match.layout = layout;
        return std::move(match);
      }
      if (Error error = step(op))
        return std::move(error);
    }
    return refuse("no matrix product within 64 steps above the softmax");
  }

private:
  Error step(Operation *op);
  Error binary(BinaryOp op);
  Error select(SelectOp op);
  Error moveTo(Operation *op, Value score) {
    if (score.getType() != op->getResult(0).getType())
      return refuse("the scores are broadcast by " + describe(op));
    current = score;
    return Error::success();
  }
  void addTerm(MaskTerm::Kind kind, Value value, double scale = 1,
               double fill = 0) {
    match.terms.push_back({kind, value, scale, fill, layout});
  }

  FactorTable &table;
  Value current;
  Layout layout;
  ScoresMatch match;
};

} // namespace

Error ScoreWalk::step(Operation *op) {
  if (std::optional<ScalarOperand> scaling = matchScaling(current)) {
    match.scale *= scaling->scalar;
    current = scaling->tensor;
    return Error::success();
  }
  if (isa_and_present<ReshapeOp, TransposeOp>(op)) {
    std::optional<Layout> above = table.operandLayout(op, layout);
    if (!above)
      return refuse("the scores are reshaped across heads by " + describe(op));
    layout = *above;
    current = op->getOperand(0);
    return Error::success();
  }
  if (auto select = dyn_cast_if_present<SelectOp>(op))
    return this->select(select);
  if (auto binary = dyn_cast_if_present<BinaryOp>(op))
    return this->binary(binary);
  return refuse("between the score product and the softmax stands " +
                describe(op));
}

Error ScoreWalk::binary(BinaryOp op) {
  bool left = leadsToProduct(op.getLhs()), right = leadsToProduct(op.getRhs());
  if (left && right)
    return refuse("the scores are a combination of several products (relative "
                  "positions?), by " +
                  describe(op));
  if (!left && !right)
    return refuse("there is no matrix product above the softmax");
  Value score = left ? op.getLhs() : op.getRhs();
  Value other = left ? op.getRhs() : op.getLhs();
  switch (op.getKind()) {
  case BinaryKind::Add:
    addTerm(MaskTerm::Add, other, match.scale);
    break;
  case BinaryKind::Sub:
    if (!left)
      return refuse("the scores are negated by " + describe(op));
    addTerm(MaskTerm::Add, other, -match.scale);
    break;
  case BinaryKind::Mul:
    addTerm(MaskTerm::Factor, other);
    break;
  default:
    return refuse("between the score product and the softmax stands " +
                  describe(op));
  }
  return moveTo(op, score);
}

Error ScoreWalk::select(SelectOp op) {
  bool keep = leadsToProduct(op.getOnTrue());
  Value score = keep ? op.getOnTrue() : op.getOnFalse();
  Value other = keep ? op.getOnFalse() : op.getOnTrue();
  std::optional<double> fill = scalarOf(other);
  if (!fill)
    return refuse("masked scores are replaced by something that is not one "
                  "constant (" +
                  describe(op) + ")");
  addTerm(keep ? MaskTerm::Keep : MaskTerm::Drop, op.getCondition(), 1,
          *fill * match.scale);
  return moveTo(op, score);
}

Expected<ScoresMatch> matchScores(FactorTable &table, SoftmaxOp softmax,
                                  const Layout &layout) {
  return ScoreWalk(table, softmax.getInput(), layout).run();
}

/// `select(isnan(p), 0, p)`: what exporters write around a softmax whose row
/// may be all -inf.
static bool isNaNGuard(SelectOp op, Value probabilities) {
  auto isNaN = op.getCondition().getDefiningOp<UnaryOp>();
  return isNaN && isNaN.getKind() == UnaryKind::IsNaN &&
         isNaN.getInput() == probabilities &&
         op.getOnFalse() == probabilities && scalarOf(op.getOnTrue()) == 0.0;
}

static void followProbabilities(FactorTable &table, Value value, Layout layout,
                                std::vector<MaskTerm> terms, int &budget,
                                std::vector<ValuesMatch> &matches) {
  if (--budget < 0)
    return;
  auto next = [&](Operation *op, Layout layout) {
    followProbabilities(table, op->getResult(0), std::move(layout), terms,
                        budget, matches);
  };
  llvm::SmallVector<Operation *> users(value.getUsers());
  for (Operation *user : users) {
    if (auto matmul = dyn_cast<MatmulOp>(user)) {
      if (matmul.getLhs() == value && matmul.getRhs() != value)
        matches.push_back({matmul, layout, terms});
      continue;
    }
    if (isa<ReshapeOp, TransposeOp>(user)) {
      if (std::optional<Layout> below = table.resultLayout(user, layout))
        next(user, *below);
      continue;
    }
    if (!user->getNumResults() ||
        user->getResult(0).getType() != value.getType())
      continue;
    if (auto select = dyn_cast<SelectOp>(user)) {
      if (isNaNGuard(select, value)) {
        next(user, layout);
        continue;
      }
      bool keep =
          select.getOnTrue() == value && scalarOf(select.getOnFalse()) == 0.0;
      bool drop =
          select.getOnFalse() == value && scalarOf(select.getOnTrue()) == 0.0;
      if (!keep && !drop)
        continue;
      MaskTerm term{keep ? MaskTerm::Keep : MaskTerm::Drop,
                    select.getCondition(),
                    1,
                    excludedFill,
                    layout,
                    true};
      terms.push_back(term);
      next(user, layout);
      terms.pop_back();
      continue;
    }
    auto binary = dyn_cast<BinaryOp>(user);
    if (binary && binary.getKind() == BinaryKind::Mul &&
        binary.getLhs() != binary.getRhs()) {
      Value other =
          binary.getLhs() == value ? binary.getRhs() : binary.getLhs();
      terms.push_back({MaskTerm::Factor, other, 1, 0, layout, true});
      next(user, layout);
      terms.pop_back();
    }
  }
}

std::vector<ValuesMatch> matchValues(FactorTable &table, SoftmaxOp softmax,
                                     const Layout &layout) {
  std::vector<ValuesMatch> matches;
  int budget = 64; // tensors looked at
  followProbabilities(table, softmax.getResult(), layout, {}, budget, matches);
  return matches;
}

std::vector<View> followOperand(FactorTable &table, Value value,
                                Layout layout) {
  std::vector<View> views{{value, std::move(layout), 1}};
  for (int steps = 0; steps < 32; ++steps) {
    View view = views.back();
    if (std::optional<ScalarOperand> scaling = matchScaling(view.value)) {
      view.value = scaling->tensor;
      view.scale *= scaling->scalar;
    } else if (isa_and_present<ReshapeOp, TransposeOp>(
                   view.value.getDefiningOp())) {
      Operation *op = view.value.getDefiningOp();
      std::optional<Layout> above = table.operandLayout(op, view.layout);
      if (!above)
        break;
      view.value = op->getOperand(0);
      view.layout = *above;
    } else {
      break;
    }
    views.push_back(std::move(view));
  }
  return views;
}

} // namespace plmc::recognition
