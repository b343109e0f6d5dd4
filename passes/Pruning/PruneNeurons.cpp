//===- PruneNeurons.cpp - Fewer neurons in feed-forward layers ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ColumnChoice.h"
#include "Narrow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Calibration/Repair.h"
#include "plmc/Passes/Pruning.h"
#include "plmc/Support/Counters.h"
#include <numeric>

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

/// What makes the neurons that a layer reads.
struct Neurons {
  LinearOp up;
  ActivationOp activation;
};

struct PruneNeurons : plmc::impl::PruneNeuronsBase<PruneNeurons> {
  using PruneNeuronsBase::PruneNeuronsBase;

  void runOnOperation() override;

private:
  int64_t keptOf(int64_t count) const;
  llvm::Error narrow(ArrayRef<Neurons> neurons, int64_t count,
                     ArrayRef<int64_t> kept,
                     llvm::function_ref<llvm::Error(ArrayRef<LinearOp>)> cut);
  llvm::Error prune(FitLayer &layer, ArrayRef<Neurons> neurons,
                    LayerwiseFit &fit);
  llvm::Error fitAll(func::FuncOp func, int64_t &pruned);
  llvm::Error pruneByMagnitude(func::FuncOp func, int64_t &pruned);
  llvm::Error runAll(func::FuncOp func);
};

/// The neurons which each of these layers reads, if nothing else reads them and
/// they come from one weight as their readers have one; empty else.
SmallVector<Neurons> neuronsOf(ArrayRef<LinearOp> downs, SymbolTable &symbols) {
  SmallVector<Neurons> result;
  SmallVector<LinearOp> ups;
  for (LinearOp down : downs) {
    auto activation = down.getInput().getDefiningOp<ActivationOp>();
    if (!activation || !activation->hasOneUse())
      return {};
    auto up = activation.getInput().getDefiningOp<LinearOp>();
    if (!up || !up->hasOneUse() || up.getPrecision())
      return {};
    result.push_back({up, activation});
    ups.push_back(up);
  }
  return plmc::weightReadBy(ups, symbols) ? result : SmallVector<Neurons>();
}

} // namespace

/// As many of `count` as are to stay.
int64_t PruneNeurons::keptOf(int64_t count) const {
  return std::max<int64_t>(
      multiple, int64_t(std::llround(keep * double(count) / double(multiple))) *
                    multiple);
}

/// Makes no more than the neurons `kept` of `count`; `cut` is keepOutputs.
llvm::Error
PruneNeurons::narrow(ArrayRef<Neurons> neurons, int64_t count,
                     ArrayRef<int64_t> kept,
                     llvm::function_ref<llvm::Error(ArrayRef<LinearOp>)> cut) {
  SmallVector<LinearOp> ups;
  for (const Neurons &one : neurons) {
    ups.push_back(one.up);
    plmc::setWidth(one.activation->getResult(0), int64_t(kept.size()));
  }
  plmc::addCounter(getOperation(), getArgument(), "neurons pruned",
                   (count - int64_t(kept.size())) * int64_t(neurons.size()));
  return cut(ups);
}

llvm::Error PruneNeurons::prune(FitLayer &layer, ArrayRef<Neurons> neurons,
                                LayerwiseFit &fit) {
  int64_t count = layer.weight.cols();
  int64_t kept = keptOf(count);
  SymbolTable &symbols = fit.symbolTable();
  if (kept >= count)
    return plmc::repair(layer, this->fit, symbols);
  // The weight that gives the wanted output from what there is now: neurons
  // are then taken from it.
  auto fitted = plmc::fitWeight(layer.weight, layer.statistics,
                                std::max(this->fit.getValue(), 0.0) + damping);
  if (!fitted)
    return fitted.takeError();
  auto choice =
      plmc::chooseColumns(*fitted, layer.statistics.hessian, kept, damping);
  if (!choice)
    return choice.takeError();
  Vector bias = layer.bias + plmc::biasChange(layer.weight, choice->weight,
                                              layer.statistics);
  if (llvm::Error error =
          narrow(neurons, count, choice->kept, [&](ArrayRef<LinearOp> ups) {
            return plmc::keepOutputs(ups, choice->kept, fit);
          }))
    return error;
  fit.keepColumns(layer.op.getInput(), choice->kept);
  plmc::setWeight(layer.op, plmc::columnsOf(choice->weight, choice->kept),
                  symbols);
  plmc::setBias(layer.op, bias, symbols);
  return llvm::Error::success();
}

llvm::Error PruneNeurons::fitAll(func::FuncOp func, int64_t &pruned) {
  auto fit = LayerwiseFit::create(func, calibration);
  if (!fit)
    return fit.takeError();
  (*fit)->int8Inputs = false;
  (*fit)->norms = this->fit >= 0;
  return (*fit)->run([&](FitLayer &layer) -> llvm::Error {
    SmallVector<LinearOp> downs{layer.op};
    downs.append(layer.others);
    SmallVector<Neurons> neurons;
    if (!layer.isSettled)
      neurons = neuronsOf(downs, (*fit)->symbolTable());
    pruned += !neurons.empty();
    return neurons.empty()
               ? plmc::repair(layer, this->fit, (*fit)->symbolTable())
               : prune(layer, neurons, **fit);
  });
}

/// Those whose weights, in and out, have the largest norms. What a search needs
/// to time a shape: no data, and no time.
llvm::Error PruneNeurons::pruneByMagnitude(func::FuncOp func, int64_t &pruned) {
  SymbolTable symbols(func->getParentOfType<ModuleOp>());
  for (ArrayRef<LinearOp> downs : plmc::layersByWeight(func)) {
    SmallVector<Neurons> neurons = neuronsOf(downs, symbols);
    if (neurons.empty())
      continue;
    auto down = plmc::weightOf(downs.front(), symbols);
    if (!down)
      return down.takeError();
    if (down->size() < LayerwiseFit::leastElements)
      continue;
    ++pruned;
    int64_t count = down->cols(), left = keptOf(count);
    if (left >= count)
      continue;
    auto up = plmc::weightOf(neurons.front().up, symbols);
    if (!up)
      return up.takeError();
    Vector norms =
        up->rowwise().norm().cwiseProduct(down->colwise().norm().transpose());
    std::vector<int64_t> kept(count);
    std::iota(kept.begin(), kept.end(), 0);
    llvm::stable_sort(
        kept, [&](int64_t a, int64_t b) { return norms[a] > norms[b]; });
    kept.resize(left);
    llvm::sort(kept);
    if (llvm::Error error =
            narrow(neurons, count, kept, [&](ArrayRef<LinearOp> ups) {
              return plmc::keepOutputs(ups, kept, symbols);
            }))
      return error;
    plmc::setWeight(downs.front(), plmc::columnsOf(*down, kept), symbols);
    plmc::shareWeight(downs.front(), downs.drop_front());
  }
  return llvm::Error::success();
}

llvm::Error PruneNeurons::runAll(func::FuncOp func) {
  if (!(keep > 0 && keep <= 1))
    return llvm::createStringError("keep must be above 0 and at most 1");
  if (multiple < 1)
    return llvm::createStringError("multiple must be at least 1");
  if (!(damping > 0))
    return llvm::createStringError("damping must be above 0");
  if (method != "fit" && method != "magnitude")
    return llvm::createStringError("method=" + method.getValue() +
                                   ": fit and magnitude are known");
  int64_t pruned = 0;
  if (llvm::Error error = method == "fit" ? fitAll(func, pruned)
                                          : pruneByMagnitude(func, pruned))
    return error;
  if (!pruned)
    return llvm::createStringError(
        "the model has no feed-forward layer of linear, activation, linear in "
        "f32, of at least " +
        llvm::Twine(LayerwiseFit::leastElements) +
        " weights that no other layer reads; prune before weights are "
        "quantized");
  return llvm::Error::success();
}

void PruneNeurons::runOnOperation() {
  if (failed(
          plmc::changeForward(getOperation(), "prune",
                              [&](func::FuncOp func) { return runAll(func); })))
    signalPassFailure();
}

std::unique_ptr<Pass> plmc::createPruneNeuronsPass() {
  return std::make_unique<PruneNeurons>();
}
