//===- PruneWidth.cpp - A narrower residual stream ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// SliceGPT (Ashkboos et al., 2024) turns the residual stream of a pre-norm
// decoder into its principal components by one matrix, and cuts the last of
// them: an RMS norm gives the same in turned coordinates, and its gain goes
// into the matrices behind it. Here norms are layer norms (StreamBasis.h), and
// in a post-norm encoder they stand on the residual itself,
//
//   y = g * n(x + f(x)) + b,    and y and f(y) are added up for the next.
//
// The gain cannot be taken out of the residual: its coordinates are those of
// n, with basis P, the next ones' are P', and y reaches them by the matrix
// P'^T diag(g) P. It is needed whatever the bases are, so each part may as well
// have its own. It is a linear layer as the others and is fitted as they are.
//
//===----------------------------------------------------------------------===//

#include "StreamTurn.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Calibration/Repair.h"
#include "plmc/Passes/Pruning.h"
#include "plmc/Support/Counters.h"

using namespace mlir;

namespace plmc {
#define GEN_PASS_DECL_PRUNEWIDTH
#define GEN_PASS_DEF_PRUNEWIDTH
#include "Passes.h.inc"
} // namespace plmc

namespace {

struct PruneWidth : plmc::impl::PruneWidthBase<PruneWidth> {
  using PruneWidthBase::PruneWidthBase;

  void runOnOperation() override {
    if (failed(plmc::changeForward(
            getOperation(), "prune",
            [&](func::FuncOp func) { return runAll(func); })))
      signalPassFailure();
  }

private:
  llvm::Expected<SmallVector<int64_t>>
  widthsOf(ArrayRef<plmc::StreamPart> parts);
  llvm::Expected<int64_t> turnStream(func::FuncOp func,
                                     const plmc::StreamUses &uses,
                                     plmc::LayerwiseFit &layers,
                                     ArrayRef<int64_t> widths,
                                     const std::vector<bool> &chosen);
  llvm::Error runAll(func::FuncOp func);
};

} // namespace

/// How wide each part is to be.
llvm::Expected<SmallVector<int64_t>>
PruneWidth::widthsOf(ArrayRef<plmc::StreamPart> parts) {
  SmallVector<int64_t> widths;
  int64_t most = 0;
  for (const plmc::StreamPart &part : parts) {
    int64_t wanted = width;
    if (!wanted)
      wanted = std::max<int64_t>(
          multiple, std::llround(keep * double(part.width) / double(multiple)) *
                        multiple);
    if (!width && keep == 1) // whatever the multiple
      wanted = part.width;
    widths.push_back(std::min(wanted, part.width));
    most = std::max(most, part.width);
  }
  if (width > most && most)
    return llvm::createStringError("width=" + Twine(width.getValue()) +
                                   ": the model's hidden width is " +
                                   Twine(most));
  return widths;
}

/// How many matrices came in. What the turn knows of norms takes memory, which
/// the repair needs.
llvm::Expected<int64_t>
PruneWidth::turnStream(func::FuncOp func, const plmc::StreamUses &uses,
                       plmc::LayerwiseFit &layers, ArrayRef<int64_t> widths,
                       const std::vector<bool> &chosen) {
  plmc::StreamTurn turn(uses, layers);
  if (llvm::Error error = turn.measure(func, chosen))
    return std::move(error);
  if (llvm::Error error = turn.findBases(widths, chosen, basis == "shared"))
    return std::move(error);
  if (llvm::Error error = turn.apply())
    return std::move(error);
  return turn.matricesAdded();
}

llvm::Error PruneWidth::runAll(func::FuncOp func) {
  if (!(keep > 0 && keep <= 1))
    return llvm::createStringError("keep must be above 0 and at most 1");
  if (width < 0 || width == 1)
    return llvm::createStringError("width must be at least 2");
  if (multiple < 2)
    return llvm::createStringError("multiple must be at least 2");
  if (basis != "each" && basis != "shared")
    return llvm::createStringError("basis=" + basis.getValue() +
                                   ": known are each, shared");
  auto made = plmc::LayerwiseFit::create(func, calibration);
  if (!made)
    return made.takeError();
  plmc::LayerwiseFit &layers = **made;
  layers.int8Inputs = false;
  layers.minElements = 0;
  plmc::StreamUses uses(plmc::findStreamParts(func), layers.symbolTable());
  if (uses.parts().empty())
    return llvm::createStringError(
        "the model has no layer norm in f32 whose input nothing else reads");
  auto widths = widthsOf(uses.parts());
  if (!widths)
    return widths.takeError();
  std::vector<bool> chosen = allowGrowth
                                 ? std::vector<bool>(widths->size(), true)
                                 : uses.worthwhile(*widths);
  if (!llvm::is_contained(chosen, true))
    return llvm::createStringError(
        "cut to " + Twine(widths->front()) + " of " +
        Twine(uses.parts().front().width) +
        " columns, the matrices that residuals need behind norms would take "
        "more than is saved; cut more, before weights are quantized, or give "
        "allow-growth=true");
  auto matricesAdded = turnStream(func, uses, layers, *widths, chosen);
  if (!matricesAdded)
    return matricesAdded.takeError();
  auto count = [&](StringRef what, int64_t number) {
    plmc::addCounter(getOperation(), getArgument(), what, number);
  };
  int64_t narrowed = 0;
  for (auto [part, isChosen] : llvm::zip(uses.parts(), chosen))
    narrowed += isChosen ? part.norms.size() : 0;
  count("norms narrowed", narrowed);
  count("matrices added", *matricesAdded);
  if (fit < 0)
    return llvm::Error::success();
  return layers.run([&](plmc::FitLayer &layer) {
    return plmc::repair(layer, fit, layers.symbolTable());
  });
}

std::unique_ptr<Pass> plmc::createPruneWidthPass() {
  return std::make_unique<PruneWidth>();
}
