//===- DropLayers.cpp - Drop whole encoder layers -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/EncoderLayers.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Calibration/Repair.h"
#include "plmc/Passes/Pruning.h"
#include "plmc/Support/Counters.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_DROPLAYERS
#define GEN_PASS_DEF_DROPLAYERS
#include "Passes.h.inc"
} // namespace plmc

namespace {

struct DropLayers : plmc::impl::DropLayersBase<DropLayers> {
  using DropLayersBase::DropLayersBase;

  void runOnOperation() override;

private:
  llvm::Expected<plmc::Matrix> lastHidden(func::FuncOp func);
  llvm::Expected<std::vector<int64_t>> leastMissed(func::FuncOp func);
  llvm::Error runAll(func::FuncOp func);

  ArrayRef<plmc::CalibrationBatch> batches;
};

/// Ops whose results nobody reads, but for what a function has to keep.
void eraseUnused(func::FuncOp func) {
  SmallVector<Operation *> ops;
  for (Operation &op : func.getBody().front())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (op->use_empty() && isMemoryEffectFree(op) &&
        !op->hasTrait<OpTrait::IsTerminator>())
      op->erase();
}

void drop(func::FuncOp func, const plmc::EncoderLayer &layer) {
  Value output = layer.output;
  output.replaceAllUsesWith(layer.input);
  eraseUnused(func);
}

} // namespace

llvm::Expected<plmc::Matrix> DropLayers::lastHidden(func::FuncOp func) {
  Operation *end = func.getBody().front().getTerminator();
  auto layers = plmc::findEncoderLayers(func);
  if (!layers)
    return layers.takeError();
  Value last = layers->back().output;
  plmc::StepwiseRun run(func, batches);
  if (llvm::Error error = run.advanceTo(end, last))
    return error;
  return run.rows(last);
}

/// One after another, the layer without which the last hidden state is nearest
/// to what it was.
llvm::Expected<std::vector<int64_t>>
DropLayers::leastMissed(func::FuncOp func) {
  auto original = lastHidden(func);
  if (!original)
    return original.takeError();
  auto all = plmc::findEncoderLayers(func);
  if (!all)
    return all.takeError();
  if (count < 1 || count >= int64_t(all->size()))
    return llvm::createStringError(
        "count=" + llvm::Twine(count.getValue()) + ": the model has " +
        llvm::Twine(all->size()) + " layers, and one must stay");
  std::vector<int64_t> chosen;
  while (int64_t(chosen.size()) < count) {
    int64_t best = -1;
    double least = INFINITY;
    for (int64_t candidate = 0; candidate < int64_t(all->size()); ++candidate) {
      if (llvm::is_contained(chosen, candidate))
        continue;
      OwningOpRef<ModuleOp> copy = cast<ModuleOp>(getOperation()->clone());
      auto tried = copy->lookupSymbol<func::FuncOp>(func.getName());
      auto layers = plmc::findEncoderLayers(tried);
      if (!layers)
        return layers.takeError();
      for (int64_t index = 0; index < int64_t(layers->size()); ++index)
        if (index == candidate || llvm::is_contained(chosen, index)) {
          // An output that was another layer's input has moved.
          drop(tried, (*layers)[index]);
          for (plmc::EncoderLayer &later : *layers)
            if (later.input == (*layers)[index].output)
              later.input = (*layers)[index].input;
        }
      auto hidden = lastHidden(tried);
      if (!hidden)
        return hidden.takeError();
      double distance = (*hidden - *original).squaredNorm();
      if (distance < least) {
        least = distance;
        best = candidate;
      }
    }
    chosen.push_back(best);
  }
  llvm::sort(chosen);
  return chosen;
}

llvm::Error DropLayers::runAll(func::FuncOp func) {
  auto made = plmc::LayerwiseFit::create(func, calibration);
  if (!made)
    return made.takeError();
  plmc::LayerwiseFit &fit = **made;
  batches = fit.calibration();
  auto all = plmc::findEncoderLayers(func);
  if (!all)
    return all.takeError();
  std::vector<int64_t> chosen(layers.begin(), layers.end());
  llvm::sort(chosen);
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  for (int64_t layer : chosen)
    if (layer < 0 || layer >= int64_t(all->size()))
      return llvm::createStringError("layers=" + llvm::Twine(layer) +
                                     ": the model has layers 0 to " +
                                     llvm::Twine(all->size() - 1));
  if (chosen.size() >= all->size())
    return llvm::createStringError("one layer must stay");
  if (chosen.empty()) {
    auto found = leastMissed(func);
    if (!found)
      return found.takeError();
    chosen = *found;
  }
  fit.int8Inputs = false;
  for (int64_t layer : chosen) {
    plmc::EncoderLayer gone = (*all)[layer];
    drop(func, gone);
    for (plmc::EncoderLayer &later : *all)
      if (later.input == gone.output)
        later.input = gone.input;
    plmc::addCounter(getOperation(), getArgument(),
                     "layer " + std::to_string(layer) + " dropped", 1);
  }
  return fit.run([&](plmc::FitLayer &layer) {
    return plmc::repair(layer, this->fit, fit.symbolTable());
  });
}

void DropLayers::runOnOperation() {
  if (failed(
          plmc::changeForward(getOperation(), "prune",
                              [&](func::FuncOp func) { return runAll(func); })))
    signalPassFailure();
}

std::unique_ptr<Pass> plmc::createDropLayersPass() {
  return std::make_unique<DropLayers>();
}

void plmc::registerPruningPasses() {
  registerPass([] { return createPruneNeuronsPass(); });
  registerPass([] { return createDropLayersPass(); });
  registerPass([] { return createPruneHeadsPass(); });
}
