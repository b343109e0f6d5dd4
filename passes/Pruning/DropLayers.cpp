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
  llvm::Expected<plmc::Matrix> valueOf(func::FuncOp func, Value last);
  static void dropAll(func::FuncOp func, std::vector<plmc::EncoderLayer> &all,
                      ArrayRef<int64_t> chosen);
  llvm::Expected<std::vector<int64_t>>
  leastMissed(func::FuncOp func, ArrayRef<plmc::EncoderLayer> all);
  llvm::Error runAll(func::FuncOp func);

  std::vector<plmc::CalibrationBatch> batches; // to choose by
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

/// Which layer is missed least shows on few tokens, and each try runs the whole
/// model. Batches come by length: these are of all lengths.
static std::vector<plmc::CalibrationBatch>
someOf(ArrayRef<plmc::CalibrationBatch> all) {
  constexpr size_t most = 8; // of some 2,000 tokens
  size_t count = std::min(most, all.size());
  std::vector<plmc::CalibrationBatch> some;
  for (size_t i = 0; i < count; ++i)
    some.push_back(all[(2 * i + 1) * all.size() / (2 * count)]);
  return some;
}

/// What the last layer gives.
llvm::Expected<plmc::Matrix> DropLayers::valueOf(func::FuncOp func,
                                                 Value last) {
  Operation *end = func.getBody().front().getTerminator();
  plmc::StepwiseRun run(func, batches);
  if (llvm::Error error = run.advanceTo(end, last))
    return error;
  return run.rows(last);
}

/// Drops some of the layers. The others' inputs and outputs follow.
void DropLayers::dropAll(func::FuncOp func,
                         std::vector<plmc::EncoderLayer> &all,
                         ArrayRef<int64_t> chosen) {
  for (int64_t index : chosen) {
    plmc::EncoderLayer gone = all[index];
    drop(func, gone);
    for (plmc::EncoderLayer &other : all) {
      if (other.input == gone.output)
        other.input = gone.input;
      if (other.output == gone.output)
        other.output = gone.input;
    }
  }
}

/// One after another, the layer without which the last hidden state is nearest
/// to what it was.
llvm::Expected<std::vector<int64_t>>
DropLayers::leastMissed(func::FuncOp func, ArrayRef<plmc::EncoderLayer> all) {
  if (count < 1 || count >= int64_t(all.size()))
    return llvm::createStringError(
        "count=" + llvm::Twine(count.getValue()) + ": the model has " +
        llvm::Twine(all.size()) + " layers, and one must stay");
  auto original = valueOf(func, all.back().output);
  if (!original)
    return original.takeError();
  std::vector<int64_t> chosen;
  while (int64_t(chosen.size()) < count) {
    int64_t best = -1;
    double least = INFINITY;
    for (int64_t candidate = 0; candidate < int64_t(all.size()); ++candidate) {
      if (llvm::is_contained(chosen, candidate))
        continue;
      OwningOpRef<ModuleOp> copy = cast<ModuleOp>(getOperation()->clone());
      auto tried = copy->lookupSymbol<func::FuncOp>(func.getName());
      auto layers = plmc::findEncoderLayers(tried);
      if (!layers)
        return layers.takeError();
      std::vector<int64_t> gone = chosen;
      gone.push_back(candidate);
      llvm::sort(gone);
      dropAll(tried, *layers, gone);
      auto hidden = valueOf(tried, layers->back().output);
      if (!hidden)
        return hidden.takeError();
      double distance = (*hidden - *original).squaredNorm();
      if (distance < least) {
        least = distance;
        best = candidate;
      }
    }
    if (best < 0)
      return llvm::createStringError(
          "the hidden states on the calibration data "
          "are not finite");
    chosen.push_back(best);
  }
  llvm::sort(chosen);
  return chosen;
}

/// Without data there is no repair, and the layers have to be given.
llvm::Error DropLayers::runAll(func::FuncOp func) {
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
  std::unique_ptr<plmc::LayerwiseFit> fit; // knows the model as it is now
  if (chosen.empty() || !(this->fit < 0)) {
    auto made = plmc::LayerwiseFit::create(func, calibration);
    if (!made)
      return made.takeError();
    fit = std::move(*made);
    batches = someOf(fit->calibration());
  }
  if (chosen.empty()) {
    auto found = leastMissed(func, *all);
    if (!found)
      return found.takeError();
    chosen = *found;
  }
  dropAll(func, *all, chosen);
  for (int64_t layer : chosen)
    plmc::addCounter(getOperation(), getArgument(),
                     "layer " + std::to_string(layer) + " dropped", 1);
  if (this->fit < 0)
    return llvm::Error::success();
  fit->int8Inputs = false;
  fit->norms = true;
  return fit->run([&](plmc::FitLayer &layer) {
    return plmc::repair(layer, this->fit, fit->symbolTable());
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
  registerPass([] { return createPruneWidthPass(); });
}
