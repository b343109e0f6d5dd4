//===- PruneHeads.cpp - Fewer attention heads -----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ColumnChoice.h"
#include "Narrow.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Calibration/Repair.h"
#include "plmc/Passes/Pruning.h"
#include "plmc/Support/Counters.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_PRUNEHEADS
#define GEN_PASS_DEF_PRUNEHEADS
#include "Passes.h.inc"
} // namespace plmc

namespace {

using plmc::FitLayer;
using plmc::LayerwiseFit;
using plmc::Matrix;
using plmc::Vector;

struct PruneHeads : plmc::impl::PruneHeadsBase<PruneHeads> {
  using PruneHeadsBase::PruneHeadsBase;

  void runOnOperation() override {
    if (failed(plmc::changeForward(
            getOperation(), "prune",
            [&](func::FuncOp func) { return runAll(func); })))
      signalPassFailure();
  }

private:
  llvm::Error countEvenly(func::FuncOp func);
  llvm::Error countByDamage(LayerwiseFit &fit);
  llvm::Error prune(FitLayer &layer, ArrayRef<AttentionOp> attentions,
                    LayerwiseFit &fit);
  llvm::Error runAll(func::FuncOp func);

  /// How many heads stay, by attention; in the order of the layers.
  llvm::MapVector<Operation *, int64_t> counts;
};

/// The attention whose result each of these layers reads, with projections of
/// its own; empty if heads cannot be taken from it.
SmallVector<AttentionOp> attentionsOf(const FitLayer &layer,
                                      SymbolTable &symbols) {
  SmallVector<LinearOp> readers{layer.op};
  readers.append(layer.others);
  SmallVector<AttentionOp> result;
  SmallVector<LinearOp> projections[3];
  for (LinearOp reader : readers) {
    auto attention = reader.getInput().getDefiningOp<AttentionOp>();
    if (!attention || !attention->hasOneUse())
      return {};
    // A bias for each head would have to be cut as well.
    if (Value bias = attention.getBias())
      if (cast<RankedTensorType>(bias.getType()).getDimSize(1) != 1)
        return {};
    if (!result.empty() &&
        attention.getNumHeads() != result.front().getNumHeads())
      return {};
    for (int i = 0; i < 3; ++i) {
      auto projection = attention->getOperand(i).getDefiningOp<LinearOp>();
      if (!projection || !projection->hasOneUse() || projection.getPrecision())
        return {};
      projections[i].push_back(projection);
    }
    result.push_back(attention);
  }
  for (auto &ops : projections)
    if (!plmc::weightReadBy(ops, symbols))
      return {};
  return result;
}

} // namespace

/// The heads go, of all layers together, whose part of an output's squared
/// error is least.
llvm::Error PruneHeads::countByDamage(LayerwiseFit &fit) {
  llvm::MapVector<Operation *, std::vector<double>> damages;
  llvm::Error error = fit.run([&](FitLayer &layer) -> llvm::Error {
    if (layer.isSettled)
      return llvm::Error::success();
    auto attentions = attentionsOf(layer, fit.symbolTable());
    if (attentions.empty())
      return llvm::Error::success();
    auto choice = plmc::chooseColumns(
        layer.weight, layer.statistics.hessian, 1, damping,
        layer.weight.cols() / attentions.front().getNumHeads());
    if (!choice)
      return choice.takeError();
    for (AttentionOp attention : attentions)
      damages[attention] = choice->damages;
    return llvm::Error::success();
  });
  if (error)
    return error;
  int64_t all = 0, gone = 0;
  for (auto &[attention, list] : damages) {
    all += list.size() + 1;
    counts[attention] = list.size() + 1;
  }
  int64_t wanted = all - std::llround(keep * double(all));
  while (gone < wanted) {
    Operation *least = nullptr;
    double damage = INFINITY;
    for (auto &[attention, list] : damages) {
      size_t next = list.size() + 1 - counts[attention];
      if (next < list.size() && list[next] < damage) {
        damage = list[next];
        least = attention;
      }
    }
    if (!least)
      break;
    --counts[least];
    ++gone;
  }
  return llvm::Error::success();
}

llvm::Error PruneHeads::countEvenly(func::FuncOp func) {
  SmallVector<AttentionOp> attentions;
  func.walk([&](AttentionOp op) { attentions.push_back(op); });
  if (heads.size() > 1 && heads.size() != attentions.size())
    return llvm::createStringError(
        "heads has " + Twine(heads.size()) + " numbers, the model " +
        Twine(attentions.size()) + " layers; give one for all or one for each");
  for (auto [index, op] : llvm::enumerate(attentions)) {
    int64_t all = op.getNumHeads();
    int64_t stay = std::max<int64_t>(1, std::llround(keep * double(all)));
    if (!heads.empty()) {
      stay = heads[heads.size() > 1 ? index : 0];
      if (stay < 1 || stay > all)
        return llvm::createStringError("heads=" + Twine(stay) + ": layer " +
                                       Twine(index) + " has " + Twine(all));
    }
    counts[op] = stay;
  }
  return llvm::Error::success();
}

llvm::Error PruneHeads::prune(FitLayer &layer, ArrayRef<AttentionOp> attentions,
                              LayerwiseFit &fit) {
  SymbolTable &symbols = fit.symbolTable();
  AttentionOp first = attentions.front();
  int64_t all = first.getNumHeads(), stay = counts.lookup(first);
  if (stay >= all)
    return plmc::repair(layer, this->fit, symbols);
  int64_t size = layer.weight.cols() / all;
  // The weight that gives the wanted output from what there is now: heads are
  // then taken from it.
  auto fitted = plmc::fitWeight(layer.weight, layer.statistics,
                                std::max(this->fit.getValue(), 0.0) + damping);
  if (!fitted)
    return fitted.takeError();
  auto choice = plmc::chooseColumns(*fitted, layer.statistics.hessian, stay,
                                    damping, size);
  if (!choice)
    return choice.takeError();
  Vector bias = layer.bias + plmc::biasChange(layer.weight, choice->weight,
                                              layer.statistics);
  // Queries and keys may be of another width than values.
  for (int i = 0; i < 3; ++i) {
    SmallVector<LinearOp> projections;
    for (AttentionOp attention : attentions)
      projections.push_back(attention->getOperand(i).getDefiningOp<LinearOp>());
    auto type = cast<RankedTensorType>(projections.front().getType());
    int64_t width = type.getShape().back() / all;
    SmallVector<int64_t> columns;
    for (size_t at = 0; at < choice->kept.size(); at += size)
      for (int64_t j = 0; j < width; ++j)
        columns.push_back(choice->kept[at] / size * width + j);
    if (llvm::Error error = plmc::keepOutputs(projections, columns, fit))
      return error;
  }
  for (AttentionOp attention : attentions) {
    attention.setNumHeads(stay);
    plmc::setWidth(attention.getResult(), stay * size);
  }
  fit.keepColumns(layer.op.getInput(), choice->kept);
  plmc::setWeight(layer.op, plmc::columnsOf(choice->weight, choice->kept),
                  symbols);
  plmc::setBias(layer.op, bias, symbols);
  plmc::addCounter(getOperation(), getArgument(), "heads pruned",
                   (all - stay) * int64_t(attentions.size()));
  return llvm::Error::success();
}

llvm::Error PruneHeads::runAll(func::FuncOp func) {
  if (!(keep > 0 && keep <= 1))
    return llvm::createStringError("keep must be above 0 and at most 1");
  if (!(damping > 0))
    return llvm::createStringError("damping must be above 0");
  if (allocation != "even" && allocation != "damage")
    return llvm::createStringError("allocation=" + allocation.getValue() +
                                   ": known are even, damage");
  if (allocation == "damage" && !heads.empty())
    return llvm::createStringError(
        "heads says how many stay in each layer, so does allocation=damage; "
        "give one of them");
  counts.clear();
  if (allocation == "even")
    if (llvm::Error error = countEvenly(func))
      return error;
  auto layers = LayerwiseFit::create(func, calibration);
  if (!layers)
    return layers.takeError();
  LayerwiseFit &walk = **layers;
  walk.int8Inputs = false;
  walk.minElements = 0;
  if (allocation == "damage")
    if (llvm::Error error = countByDamage(walk))
      return error;
  walk.norms = fit >= 0;
  bool found = false;
  llvm::Error error = walk.run([&](FitLayer &layer) -> llvm::Error {
    SmallVector<AttentionOp> attentions;
    if (!layer.isSettled)
      attentions = attentionsOf(layer, walk.symbolTable());
    found |= !attentions.empty();
    return attentions.empty() ? plmc::repair(layer, fit, walk.symbolTable())
                              : prune(layer, attentions, walk);
  });
  if (error)
    return error;
  if (!found)
    return llvm::createStringError(
        "the model has no attention between linear layers in f32 of its own, "
        "without a bias for each head; prune before weights are quantized");
  return llvm::Error::success();
}

std::unique_ptr<Pass> plmc::createPruneHeadsPass() {
  return std::make_unique<PruneHeads>();
}
