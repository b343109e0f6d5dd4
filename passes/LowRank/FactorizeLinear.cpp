//===- FactorizeLinear.cpp - Linear layers of low rank --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Factors.h"
#include "mlir/IR/AsmState.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Calibration/Repair.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Passes/LowRank.h"
#include "plmc/Support/Counters.h"
#include "llvm/Support/Regex.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_FACTORIZELINEAR
#define GEN_PASS_DEF_FACTORIZELINEAR
#include "Passes.h.inc"
} // namespace plmc

namespace {

using plmc::FitLayer;
using plmc::LayerwiseFit;
using plmc::Matrix;
using plmc::Vector;

struct FactorizeLinear : plmc::impl::FactorizeLinearBase<FactorizeLinear> {
  using FactorizeLinearBase::FactorizeLinearBase;

  void runOnOperation() override {
    if (failed(plmc::changeForward(
            getOperation(), "factorize",
            [&](func::FuncOp func) { return runAll(func); })))
      signalPassFailure();
  }

private:
  void count(const Twine &what, int64_t number) {
    plmc::addCounter(getOperation(), getArgument(), what.str(), number);
  }
  llvm::Error findLayers(func::FuncOp func);
  llvm::Error factorize(FitLayer &layer, LayerwiseFit &fit);
  llvm::Error runAll(func::FuncOp func);

  llvm::DenseSet<Operation *> chosen;
};

std::string nameOf(LinearOp op) {
  return op.getWeight().getDefiningOp<GetParameterOp>().getParameter().str();
}

} // namespace

/// Those to factorize, and whether the rank suits them.
llvm::Error FactorizeLinear::findLayers(func::FuncOp func) {
  std::string problem;
  llvm::Regex pattern(weights.empty() ? "." : weights.getValue());
  if (!pattern.isValid(problem))
    return llvm::createStringError("weights=" + weights.getValue() + ": " +
                                   problem);
  chosen.clear();
  std::set<std::pair<int64_t, int64_t>> shapes;
  for (ArrayRef<LinearOp> group : plmc::layersByWeight(func)) {
    LinearOp op = group[0];
    auto type = cast<RankedTensorType>(op.getWeight().getType());
    if (op.getPrecision() || type.getNumElements() < minElements ||
        !pattern.match(nameOf(op)))
      continue;
    if (group.size() > 1) {
      count("shared weights left alone", 1);
      continue;
    }
    int64_t n = type.getDimSize(0), k = type.getDimSize(1);
    int64_t most = plmc::breakEvenRank(n, k);
    std::string text = "rank=" + std::to_string(rank) + " ";
    std::string shape = "@" + nameOf(op) + " [" + std::to_string(n) + ", " +
                        std::to_string(k) + "]";
    if (rank > std::min(n, k))
      return llvm::createStringError(text + "is over the width of " + shape);
    if (rank > most && !allowGrowth)
      return llvm::createStringError(
          text + "would not make " + shape + " smaller; at most " +
          Twine(most) +
          " do; leave it out with weights=REGEX, or give allow-growth=true");
    auto [low, high] = std::minmax(n, k);
    if (shapes.insert({low, high}).second)
      count("break-even rank of " + Twine(low) + " x " + Twine(high), most);
    chosen.insert(op);
  }
  if (chosen.empty())
    return llvm::createStringError(
        "no linear layer in f32 has a weight of its own" +
        (weights.empty() ? "" : " that matches " + weights.getValue()) +
        " and of min-elements=" + Twine(minElements.getValue()) + " or more");
  return llvm::Error::success();
}

llvm::Error FactorizeLinear::factorize(FitLayer &layer, LayerwiseFit &fit) {
  SymbolTable &symbols = fit.symbolTable();
  LinearOp op = layer.op;
  Matrix wanted = layer.weight;
  if (this->fit >= 0) {
    auto fitted = plmc::fitWeight(wanted, layer.statistics, this->fit);
    if (!fitted)
      return fitted.takeError();
    wanted = std::move(*fitted);
  }
  auto spectrum = plmc::decompose(wanted, layer.statistics.hessian, damping);
  if (!spectrum)
    return spectrum.takeError();
  int64_t n = wanted.rows(), k = wanted.cols(), inner = rank;
  // Multiples of 8: registers are as wide.
  if (!inner && keep > 0) {
    inner = int64_t(keep * double(n * k) / double(n + k));
    inner = std::clamp<int64_t>(inner < 8 ? inner : inner / 8 * 8, 1,
                                std::min(n, k));
  } else if (!inner) {
    inner = std::min<int64_t>(llvm::alignTo(spectrum->rankFor(energy), 8),
                              std::min(n, k));
  }
  if (inner > plmc::breakEvenRank(n, k) && !allowGrowth) {
    count("weights left alone, since they would grow", 1);
    return plmc::repair(layer, this->fit, symbols);
  }
  plmc::Factors factors = plmc::factorsOf(wanted, *spectrum, inner);
  Matrix product = factors.left * factors.right;
  Vector bias =
      layer.bias + plmc::biasChange(layer.weight, product, layer.statistics);

  // The op keeps its place and becomes the first of the two: calibration goes
  // on with it.
  std::string name = nameOf(op);
  auto wide = cast<RankedTensorType>(op.getType());
  auto dims = plmc::getDims(wide);
  dims.back() = plmc::DimExpr(inner);
  plmc::setWeight(op, factors.right, symbols);
  op.getResult().setType(plmc::makeTensorType(dims, wide.getElementType()));
  OpBuilder builder(op);
  builder.setInsertionPointAfter(op);
  auto second =
      LinearOp::create(builder, op.getLoc(), wide, op.getResult(),
                       op.getWeight(), op.getBias(), op.getTransposed());
  op.getBiasMutable().clear();
  plmc::setWeight(second, factors.left, symbols);
  plmc::setBias(second, bias, symbols);
  op.getResult().replaceAllUsesExcept(second.getResult(), second);
  count("weights factorized", 1);
  count("bytes saved", (n * k - inner * (n + k)) * 4);
  return llvm::Error::success();
}

llvm::Error FactorizeLinear::runAll(func::FuncOp func) {
  if (rank < 0)
    return llvm::createStringError("rank must not be negative");
  if (!(energy > 0 && energy <= 1))
    return llvm::createStringError("energy must be above 0 and at most 1");
  if (!(keep >= 0 && keep <= 1))
    return llvm::createStringError("keep must be above 0 and at most 1");
  if (!(damping > 0))
    return llvm::createStringError("damping must be above 0");
  if (llvm::Error error = findLayers(func))
    return error;
  auto layers = LayerwiseFit::create(func, calibration);
  if (!layers)
    return layers.takeError();
  (*layers)->int8Inputs = false;
  (*layers)->minElements = minElements;
  (*layers)->norms = fit >= 0;
  return (*layers)->run([&](FitLayer &layer) {
    return chosen.contains(layer.op)
               ? factorize(layer, **layers)
               : plmc::repair(layer, fit, (*layers)->symbolTable());
  });
}

std::unique_ptr<Pass> plmc::createFactorizeLinearPass() {
  return std::make_unique<FactorizeLinear>();
}

void plmc::registerLowRankPasses() {
  registerPass([] { return createFactorizeLinearPass(); });
}
