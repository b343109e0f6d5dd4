//===- RecognizeActivation.cpp - plm-recognize-activation -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Anchored at erf, tanh, sigmoid and exp. What is around is taken as a
// function of one number (RowFunction.h) and compared with the activation
// functions over the range where they are not yet linear or constant.
//
//===----------------------------------------------------------------------===//

#include "Passes.h"
#include "RowFunction.h"
#include <cmath>

namespace plmc {
#define GEN_PASS_DEF_RECOGNIZEACTIVATIONPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

constexpr ActivationKind kinds[] = {
    ActivationKind::Gelu, ActivationKind::GeluTanh, ActivationKind::Relu,
    ActivationKind::Silu, ActivationKind::Tanh,     ActivationKind::Sigmoid};

/// How far exported constants (sqrt(2), 0.7978845608) may be rounded. Far
/// below the 5e-4 between GELU and its tanh approximation. A model that was
/// stored in half precision computes in f32 by now, but its constants still
/// have 11 bits.
double toleranceFor(const RowFunction &function) {
  bool half = llvm::all_of(function.scalars(), [](double scalar) {
    llvm::APFloat value(scalar);
    bool inexact = false;
    value.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven,
                  &inexact);
    return !inexact;
  });
  return half ? 1e-4 : 1e-6;
}

std::optional<ActivationKind> identify(const RowFunction &function) {
  double tolerance = toleranceFor(function);
  std::optional<ActivationKind> best;
  for (ActivationKind kind : kinds) {
    double error = 0;
    for (auto [seed, spread] : {std::pair(1, 0.5), {2, 3.0}, {3, 8.0}}) {
      Row x = randomRow(function.width(), seed, spread);
      Row expected = x;
      for (double &v : expected)
        v = applyActivation(kind, v);
      // Not std::max: a NaN must stay.
      double difference = rowDifference(function.evaluate(x), expected);
      error = difference < error ? error : difference;
    }
    // max(x, 1e-12) is a clip, not relu: where no constant was rounded, no
    // difference is small.
    if (kind == ActivationKind::Relu ? error == 0 : error < tolerance) {
      best = kind;
      tolerance = error;
    }
  }
  return best;
}

bool isAnchor(Operation *op) {
  if (auto unary = dyn_cast<UnaryOp>(op))
    return (unary.getKind() == UnaryKind::Erf ||
            unary.getKind() == UnaryKind::Exp) &&
           isFloatTensor(unary.getInput());
  if (auto activation = dyn_cast<ActivationOp>(op))
    return activation.getKind() == ActivationKind::Tanh ||
           activation.getKind() == ActivationKind::Sigmoid;
  auto binary = dyn_cast<BinaryOp>(op);
  return binary && binary.getKind() == BinaryKind::Max &&
         isFloatTensor(binary.getResult());
}

bool recognize(Operation *anchor) {
  Value start = anchor->getResult(0);
  llvm::SmallVector<Value> inputs = inputCandidates(start, 8);
  // The farthest result first: x * 0.5 * (...) rather than a part of it.
  llvm::SmallVector<Value> results = resultCandidates(start, dimsOf(start), 6);
  for (Value result : llvm::reverse(results)) {
    if (result.use_empty())
      continue; // a remainder of what was replaced
    for (Value input : inputs) {
      std::optional<RowFunction> function =
          RowFunction::build(result, input, /*reductions=*/false);
      if (!function)
        continue;
      std::optional<ActivationKind> kind = identify(*function);
      if (!kind)
        continue;
      if (auto op = result.getDefiningOp<ActivationOp>())
        if (op.getKind() == *kind && op.getInput() == input)
          return true; // already says so
      OpBuilder builder(result.getDefiningOp());
      result.replaceAllUsesWith(ActivationOp::create(
          builder, result.getLoc(), input.getType(), *kind, input));
      return true;
    }
  }
  return false;
}

struct RecognizeActivation
    : public plmc::impl::RecognizeActivationPassBase<RecognizeActivation> {
  void runOnOperation() override {
    llvm::SmallVector<Operation *> anchors;
    getOperation().walk([&](Operation *op) {
      if (isAnchor(op))
        anchors.push_back(op);
    });
    llvm::SmallVector<Operation *> left;
    for (Operation *anchor : anchors)
      if (!anchor->use_empty() && !recognize(anchor))
        left.push_back(anchor);
    for (Operation *anchor : left) // erased below only if unused
      if (auto unary = dyn_cast<UnaryOp>(anchor))
        if (unary.getKind() == UnaryKind::Erf)
          setReason(unary, "no activation function known to us around it");
    eraseDeadOps(getOperation());
  }
};

} // namespace
