//===- PruneNeurons.cpp - Fewer neurons in feed-forward layers ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NeuronChoice.h"
#include "Repair.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Passes/Pruning.h"
#include "plmc/Support/Counters.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_PRUNENEURONS
#define GEN_PASS_DEF_PRUNENEURONS
#include "Passes.h.inc"
} // namespace plmc

namespace {

using plmc::FitLayer;
using plmc::LayerwiseFit;
using plmc::Matrix;
using plmc::Vector;

struct PruneNeurons : plmc::impl::PruneNeuronsBase<PruneNeurons> {
  using PruneNeuronsBase::PruneNeuronsBase;

  void runOnOperation() override;

private:
  /// The layer that makes the neurons which `down` reads, and the ops from it
  /// to there; empty if something else reads them, too.
  SmallVector<Operation *> neuronsOf(LinearOp down);
  llvm::Error prune(FitLayer &layer, ArrayRef<Operation *> neurons,
                    LayerwiseFit &fit);
  llvm::Error runAll(func::FuncOp func);

  std::optional<SymbolTable> symbols;
};

} // namespace

SmallVector<Operation *> PruneNeurons::neuronsOf(LinearOp down) {
  auto activation = down.getInput().getDefiningOp<ActivationOp>();
  if (!activation || !activation->hasOneUse())
    return {};
  auto up = activation.getInput().getDefiningOp<LinearOp>();
  if (!up || !up->hasOneUse() || up.getPrecision() ||
      !plmc::ownWeight(up, *symbols))
    return {};
  return {up, activation};
}

llvm::Error PruneNeurons::prune(FitLayer &layer, ArrayRef<Operation *> neurons,
                                LayerwiseFit &fit) {
  int64_t count = layer.weight.cols();
  int64_t kept = std::max<int64_t>(
      multiple, int64_t(std::llround(keep * double(count) / double(multiple))) *
                    multiple);
  if (kept >= count)
    return plmc::repair(layer, this->fit, *symbols);
  // The weight that gives the wanted output from what there is now: neurons
  // are then taken from it.
  auto fitted = plmc::fitWeight(layer.weight, layer.statistics,
                                std::max(this->fit.getValue(), 0.0) + damping);
  if (!fitted)
    return fitted.takeError();
  auto choice =
      plmc::chooseNeurons(*fitted, layer.statistics.hessian, kept, damping);
  if (!choice)
    return choice.takeError();
  Vector bias = layer.bias + plmc::biasChange(layer.weight, choice->weight,
                                              layer.statistics);
  auto up = cast<LinearOp>(neurons.front());
  auto upWeight = plmc::weightOf(up, *symbols);
  if (!upWeight)
    return upWeight.takeError();
  auto upBias = plmc::biasOf(up);
  if (!upBias)
    return upBias.takeError();
  Matrix newUp(kept, upWeight->cols()), newDown(layer.weight.rows(), kept);
  Vector newBias(kept);
  for (int64_t i = 0; i < kept; ++i) {
    newUp.row(i) = upWeight->row(choice->kept[i]);
    newBias[i] = (*upBias)[choice->kept[i]];
    newDown.col(i) = choice->weight.col(choice->kept[i]);
  }
  plmc::setWeight(up, newUp, *symbols);
  if (up.getBias())
    plmc::setBias(up, newBias, *symbols);
  for (Operation *op : neurons) {
    Value value = op->getResult(0);
    auto type = cast<RankedTensorType>(value.getType());
    auto dims = plmc::getDims(type);
    dims.back() = plmc::DimExpr(kept);
    value.setType(plmc::makeTensorType(dims, type.getElementType()));
  }
  fit.keepColumns(layer.op.getInput(), choice->kept);
  plmc::setWeight(layer.op, newDown, *symbols);
  plmc::setBias(layer.op, bias, *symbols);
  plmc::addCounter(getOperation(), getArgument(), "neurons pruned",
                   count - kept);
  return llvm::Error::success();
}

llvm::Error PruneNeurons::runAll(func::FuncOp func) {
  if (!(keep > 0 && keep <= 1))
    return llvm::createStringError("keep must be above 0 and at most 1");
  if (multiple < 1)
    return llvm::createStringError("multiple must be at least 1");
  if (!(damping > 0))
    return llvm::createStringError("damping must be above 0");
  symbols.emplace(getOperation());
  auto set = plmc::readCalibration(calibration);
  if (!set)
    return set.takeError();
  auto fit = LayerwiseFit::create(func, *set);
  if (!fit)
    return fit.takeError();
  (*fit)->int8Inputs = false;
  int64_t pruned = 0;
  llvm::Error error = (*fit)->run([&](FitLayer &layer) -> llvm::Error {
    SmallVector<Operation *> neurons = neuronsOf(layer.op);
    pruned += !neurons.empty();
    return neurons.empty() ? plmc::repair(layer, this->fit, *symbols)
                           : prune(layer, neurons, **fit);
  });
  if (error)
    return error;
  if (!pruned)
    return llvm::createStringError("the model has no feed-forward layer of "
                                   "linear, activation, linear in f32; prune "
                                   "before weights are quantized");
  return llvm::Error::success();
}

void PruneNeurons::runOnOperation() {
  auto func = getOperation().lookupSymbol<func::FuncOp>("forward");
  if (!func || func.isExternal()) {
    getOperation().emitError("there is no function @forward to prune");
    return signalPassFailure();
  }
  if (llvm::Error error = runAll(func)) {
    getOperation().emitError() << llvm::toString(std::move(error));
    return signalPassFailure();
  }
  symbols.reset();
  plmc::eraseUnusedParameters(getOperation());
}

std::unique_ptr<Pass> plmc::createPruneNeuronsPass() {
  return std::make_unique<PruneNeurons>();
}
