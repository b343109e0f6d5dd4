//===- RecognizeLayerNorm.cpp - plm-recognize-layer-norm ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Anchored at the mean over the last dimension. A candidate result is taken as
// a function of a candidate input (RowFunction.h) and compared with
// (x - mean) / sqrt(var + epsilon) * gamma + beta for the parameters and small
// numbers that occur in it.
//
//===----------------------------------------------------------------------===//

#include "Passes.h"
#include "RowFunction.h"
#include <cmath>

namespace plmc {
#define GEN_PASS_DEF_RECOGNIZELAYERNORMPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

constexpr double tolerance = 1e-8;

struct Norm {
  Value gamma, beta; // null: 1 and 0
  double epsilon = 0;
};

Row normalize(const Row &x, const Row *gamma, const Row *beta, double epsilon) {
  double mean = 0, variance = 0;
  for (double v : x)
    mean += v / x.size();
  for (double v : x)
    variance += (v - mean) * (v - mean) / x.size();
  Row result = x;
  for (size_t i = 0; i < x.size(); ++i) {
    result[i] = (x[i] - mean) / std::sqrt(variance + epsilon);
    if (gamma)
      result[i] *= gamma->size() == 1 ? (*gamma)[0] : (*gamma)[i];
    if (beta)
      result[i] += beta->size() == 1 ? (*beta)[0] : (*beta)[i];
  }
  return result;
}

/// Rows of ordinary size, off centre, and so flat that epsilon decides.
std::vector<Row> probes(int64_t width, double epsilon) {
  return {randomRow(width, 1, 1), randomRow(width, 2, 5, 3),
          randomRow(width, 3, std::sqrt(epsilon) + 1e-6),
          randomRow(width, 4, 0.01, 0.02)};
}

bool agrees(const RowFunction &function, const Norm &norm) {
  auto row = [&](Value parameter) {
    return parameter ? &function.parameterRow(parameter) : nullptr;
  };
  for (const Row &x : probes(function.width(), norm.epsilon))
    if (!(rowDifference(function.evaluate(x),
                        normalize(x, row(norm.gamma), row(norm.beta),
                                  norm.epsilon)) < tolerance))
      return false;
  return true;
}

std::optional<Norm> identify(const RowFunction &function) {
  llvm::SmallVector<double> epsilons;
  for (double scalar : function.scalars())
    if (scalar > 0 && scalar <= 1e-2 && !llvm::is_contained(epsilons, scalar))
      epsilons.push_back(scalar);
  epsilons.push_back(0);
  ArrayRef<Value> p = function.parameters();
  if (p.size() > 2 || function.width() < 2)
    return std::nullopt;
  llvm::SmallVector<std::pair<Value, Value>> roles;
  if (p.empty())
    roles = {{Value(), Value()}};
  else if (p.size() == 1)
    roles = {{p[0], Value()}, {Value(), p[0]}, {p[0], p[0]}};
  else
    roles = {{p[0], p[1]}, {p[1], p[0]}};
  for (double epsilon : epsilons)
    for (auto [gamma, beta] : roles)
      if (agrees(function, {gamma, beta, epsilon}))
        return Norm{gamma, beta, epsilon};
  return std::nullopt;
}

void replace(Value result, Value input, const Norm &norm) {
  OpBuilder builder(result.getDefiningOp());
  Location loc = result.getLoc();
  Type element = typeOf(input).getElementType();
  auto vectorType =
      RankedTensorType::get({typeOf(input).getShape().back()}, element);
  Value gamma, beta;
  if (norm.gamma)
    gamma = asVector(builder, norm.gamma);
  else
    gamma = ConstantOp::create(
        builder, loc, vectorType,
        DenseElementsAttr::get(vectorType, builder.getFloatAttr(element, 1.0)));
  if (norm.beta)
    beta = asVector(builder, norm.beta);
  Value layerNorm =
      LayerNormOp::create(builder, loc, input.getType(), input, gamma, beta,
                          builder.getF64FloatAttr(norm.epsilon));
  result.replaceAllUsesWith(layerNorm);
}

/// Parameters inside are f32 where the row was cast up from f16 for the
/// norm: then the op's own type does not hold them.
bool typesFit(Value input, const Norm &norm) {
  for (Value parameter : {norm.gamma, norm.beta})
    if (parameter &&
        typeOf(parameter).getElementType() != typeOf(input).getElementType())
      return false;
  return true;
}

bool recognize(ReduceOp anchor) {
  Value row = anchor.getInput();
  llvm::SmallVector<Value> results =
      resultCandidates(anchor.getResult(), dimsOf(row), 12);
  // The farthest result that is a norm includes gamma and beta.
  for (Value result : llvm::reverse(results)) {
    if (result.use_empty())
      continue; // a remainder of what was replaced
    // Nearest inputs first; the anchor's own operand is the usual one.
    llvm::SmallVector<Value> inputs{row};
    inputs.append(inputCandidates(row, 2));
    for (Value input : inputs) {
      std::optional<RowFunction> function = RowFunction::build(result, input);
      if (!function || function->size() < 4)
        continue;
      std::optional<Norm> norm = identify(*function);
      if (!norm || !typesFit(input, *norm))
        continue;
      replace(result, input, *norm);
      return true;
    }
  }
  return false;
}

/// A mean, or a sum that is divided by the number of features.
bool isMeanOfFeatures(ReduceOp op) {
  std::optional<int64_t> width = dimsOf(op.getInput()).back().constant();
  if (!width || *width < 2)
    return false;
  if (op.getKind() == ReduceKind::Mean)
    return true;
  return llvm::any_of(op->getUsers(), [&](Operation *user) {
    auto scaled =
        isa<BinaryOp>(user) ? matchScaling(user->getResult(0)) : std::nullopt;
    return scaled && std::fabs(scaled->scalar * *width - 1) < 1e-5;
  });
}

struct RecognizeLayerNorm
    : public plmc::impl::RecognizeLayerNormPassBase<RecognizeLayerNorm> {
  void runOnOperation() override {
    llvm::SmallVector<ReduceOp> anchors;
    getOperation().walk([&](ReduceOp op) {
      if (op.getKind() == ReduceKind::Mean || op.getKind() == ReduceKind::Sum)
        if (op.getAxes().size() == 1 && isFloatTensor(op.getInput()) &&
            op.getAxes()[0] == typeOf(op.getInput()).getRank() - 1)
          anchors.push_back(op);
    });
    // The first mean of a norm is its anchor; once replaced, what is left of
    // the norm is dead or used by someone else, and its second mean only
    // fails to match.
    for (ReduceOp anchor : anchors)
      if (anchor->use_empty() || recognize(anchor))
        continue;
    eraseDeadOps(getOperation());
    getOperation().walk([&](ReduceOp op) {
      if (llvm::is_contained(anchors, op) && isMeanOfFeatures(op))
        setReason(op, "no layer normalisation around this mean: what follows "
                      "does not compute (x - mean) / sqrt(var + eps) * gamma + "
                      "beta");
    });
  }
};

} // namespace
