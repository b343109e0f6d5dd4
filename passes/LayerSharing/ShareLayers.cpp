//===- ShareLayers.cpp - One set of weights for many layers ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// One matrix W is to serve layers i, each with its own inputs x_i and outputs
// W_i x_i. Least squares have a closed form, W = sum W_i H_i (sum H_i)^-1 with
// H_i = E[x_i x_i^T] (Jin et al., "Dataless Knowledge Fusion by Merging Weights
// of Language Models", 2023, for models instead of layers). LayerwiseFit sums
// just that, with the errors of earlier layers in the inputs of the first; the
// inputs of the later layers depend on the matrix that is sought, and are taken
// from the walk before. So it is done more than once, as all layers change.
//
// Biases and norms stay each layer's own: they are a hundredth of the bytes,
// and a bias takes up the whole mean error of its layer.
//
//===----------------------------------------------------------------------===//

#include "LayerGroups.h"
#include "plmc/Calibration/EncoderLayers.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Calibration/Repair.h"
#include "plmc/Passes/LayerSharing.h"
#include "plmc/Support/Counters.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_SHARELAYERS
#define GEN_PASS_DEF_SHARELAYERS
#include "Passes.h.inc"
} // namespace plmc

namespace {

using plmc::Matrix;
using Matrices = std::vector<LinearOp>; // of a layer, in order

struct ShareLayers : plmc::impl::ShareLayersBase<ShareLayers> {
  using ShareLayersBase::ShareLayersBase;

  void runOnOperation() override {
    if (failed(plmc::changeForward(
            getOperation(), "share layers of",
            [&](func::FuncOp func) { return runAll(func); })))
      signalPassFailure();
  }

private:
  llvm::Error checkOptions();
  llvm::Expected<plmc::LayerGroups> chooseGroups(ArrayRef<Matrices> layers);
  llvm::Error runAll(func::FuncOp func);
  llvm::Error shareMeans(ArrayRef<Matrices> sets);
  llvm::Error fitAll(func::FuncOp func, ArrayRef<Matrices> sets);
};

/// The linear layers between the ends of `layer`. Those up to the first that
/// follows the attention belong to it.
Matrices matricesOf(const plmc::EncoderLayer &layer, StringRef part) {
  Matrices result;
  bool afterAttention = false, inAttention = true;
  Operation *end = layer.output.getDefiningOp();
  Operation *begin = layer.input.getDefiningOp();
  Operation *op = begin ? begin->getNextNode() : &end->getBlock()->front();
  for (; op != end; op = op->getNextNode()) {
    afterAttention |= isa<AttentionOp>(op);
    auto linear = dyn_cast<LinearOp>(op);
    if (!linear)
      continue;
    if (part == "all" || (part == "attention") == inAttention)
      result.push_back(linear);
    if (afterAttention)
      inAttention = false;
  }
  return result;
}

std::string shapeOf(LinearOp op) {
  auto type = cast<RankedTensorType>(op.getWeight().getType());
  int64_t k = type.getDimSize(op.getTransposed() ? 1 : 0);
  int64_t n = type.getDimSize(op.getTransposed() ? 0 : 1);
  return "[" + std::to_string(k) + ", " + std::to_string(n) + "]";
}

/// An error if the two layers cannot have the same matrices.
llvm::Error checkAlike(ArrayRef<Matrices> layers, int64_t a, int64_t b) {
  auto fail = [&](const Twine &why) {
    return llvm::createStringError(
        (a == b ? "layer " + std::to_string(a) + " has no weights to share: "
                : "layers " + std::to_string(a) + " and " + std::to_string(b) +
                      " cannot share weights: ") +
        why);
  };
  if (layers[a].size() != layers[b].size())
    return fail("one has " + Twine(layers[a].size()) +
                " linear layers, the other " + Twine(layers[b].size()));
  for (auto [index, pair] : llvm::enumerate(llvm::zip(layers[a], layers[b]))) {
    LinearOp one = std::get<0>(pair), other = std::get<1>(pair);
    if (shapeOf(one) != shapeOf(other) ||
        one.getTransposed() != other.getTransposed())
      return fail("their linear layer " + Twine(index) + " is " + shapeOf(one) +
                  " in one and " + shapeOf(other) +
                  " in the other; share before pruning, or leave one out of "
                  "the groups");
    for (LinearOp op : {one, other})
      if (auto get = op.getWeight().getDefiningOp<GetParameterOp>();
          !get || !get.getType().getElementType().isF32() || op.getPrecision())
        return fail("a weight is no f32 parameter; share before weights are "
                    "quantized");
  }
  return llvm::Error::success();
}

} // namespace

llvm::Error ShareLayers::checkOptions() {
  if (!llvm::is_contained({"all", "attention", "ffn"}, part.getValue()))
    return llvm::createStringError("part=" + part.getValue() +
                                   ": known are all, attention, ffn");
  if (method != "fit" && method != "mean")
    return llvm::createStringError("method=" + method.getValue() +
                                   ": known are fit, mean");
  if (method == "fit" && calibration.empty())
    return llvm::createStringError(
        "method=fit needs data: give calibration=FILE.npz, or method=mean");
  if (!(fit >= 0))
    return llvm::createStringError("fit must not be negative");
  if (sweeps < 1 || sweeps > 100)
    return llvm::createStringError("sweeps must be between 1 and 100");
  return llvm::Error::success();
}

/// The given ones, or those of layers whose matrices are most alike.
llvm::Expected<plmc::LayerGroups>
ShareLayers::chooseGroups(ArrayRef<Matrices> layers) {
  int64_t all = layers.size();
  if (!groups.empty())
    return plmc::parseGroups(groups, all);
  if (count < 0 || count >= all)
    return llvm::createStringError(
        "count=" + Twine(count.getValue()) + ": the model has " + Twine(all) +
        " layers; give 1 to " + Twine(all - 1) + ", or groups");
  SymbolTable symbols(getOperation());
  Matrix distances = Matrix::Zero(all, all);
  for (size_t matrix = 0; matrix < layers[0].size(); ++matrix) {
    std::vector<Matrix> weights;
    for (int64_t layer = 0; layer < all; ++layer) {
      if (llvm::Error error = checkAlike(layers, 0, layer))
        return std::move(error);
      auto weight = plmc::weightOf(layers[layer][matrix], symbols);
      if (!weight)
        return weight.takeError();
      weights.push_back(std::move(*weight));
    }
    // In shares of what there is; matrices count alike.
    for (int64_t a = 0; a < all; ++a)
      for (int64_t b = 0; b < a; ++b) {
        double sum = weights[a].squaredNorm() + weights[b].squaredNorm();
        double distance =
            (weights[a] - weights[b]).squaredNorm() / std::max(sum, 1e-30);
        distances(a, b) += float(distance);
        distances(b, a) = distances(a, b);
      }
  }
  return plmc::groupsOfNeighbours(distances, count ? count : (all + 1) / 2);
}

llvm::Error ShareLayers::shareMeans(ArrayRef<Matrices> sets) {
  SymbolTable symbols(getOperation());
  for (const Matrices &set : sets) {
    Matrix sum;
    for (LinearOp op : set) {
      auto weight = plmc::weightOf(op, symbols);
      if (!weight)
        return weight.takeError();
      sum = sum.size() ? Matrix(sum + *weight) : *weight;
    }
    LinearOp first = set.front();
    plmc::setWeight(first, sum / float(set.size()), symbols);
    plmc::shareWeight(first, ArrayRef(set).drop_front());
  }
  return llvm::Error::success();
}

llvm::Error ShareLayers::fitAll(func::FuncOp func, ArrayRef<Matrices> sets) {
  auto made = plmc::LayerwiseFit::create(func, calibration);
  if (!made)
    return made.takeError();
  plmc::LayerwiseFit &layers = **made;
  layers.int8Inputs = false;
  layers.minElements = 0;
  layers.norms = fit >= 0;
  for (const Matrices &set : sets)
    layers.share(set);
  for (int64_t sweep = 0; sweep < sweeps; ++sweep)
    if (llvm::Error error = layers.run([&](plmc::FitLayer &layer) {
          return plmc::repair(layer, fit, layers.symbolTable());
        }))
      return error;
  return llvm::Error::success();
}

llvm::Error ShareLayers::runAll(func::FuncOp func) {
  if (llvm::Error error = checkOptions())
    return error;
  auto found = plmc::findEncoderLayers(func);
  if (!found)
    return found.takeError();
  std::vector<Matrices> layers;
  for (const plmc::EncoderLayer &layer : *found)
    layers.push_back(matricesOf(layer, part));
  auto chosen = chooseGroups(layers);
  if (!chosen)
    return chosen.takeError();
  std::vector<Matrices> sets; // one weight each
  int64_t saved = 0;
  for (ArrayRef<int64_t> group : *chosen) {
    std::string name;
    for (int64_t layer : group) {
      if (llvm::Error error = checkAlike(layers, group[0], layer))
        return error;
      name += (name.empty() ? "" : ",") + std::to_string(layer);
    }
    for (size_t matrix = 0; matrix < layers[group[0]].size(); ++matrix) {
      Matrices set;
      llvm::SetVector<Attribute> parameters;
      for (int64_t layer : group) {
        LinearOp op = layers[layer][matrix];
        set.push_back(op);
        parameters.insert(
            op.getWeight().getDefiningOp<GetParameterOp>().getParameterAttr());
      }
      if (parameters.size() < 2)
        continue; // they share already
      auto type =
          cast<RankedTensorType>(LinearOp(set[0]).getWeight().getType());
      saved += int64_t(parameters.size() - 1) * type.getNumElements() * 4;
      sets.push_back(std::move(set));
    }
    plmc::addCounter(getOperation(), getArgument(), "layers " + name + " share",
                     1);
  }
  plmc::addCounter(getOperation(), getArgument(), "bytes saved", saved);
  if (sets.empty())
    return llvm::Error::success();
  return method == "mean" ? shareMeans(sets) : fitAll(func, sets);
}

std::unique_ptr<Pass> plmc::createShareLayersPass() {
  return std::make_unique<ShareLayers>();
}

void plmc::registerLayerSharingPasses() {
  registerPass([] { return createShareLayersPass(); });
}
