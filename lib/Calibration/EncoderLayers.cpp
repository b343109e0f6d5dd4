//===- EncoderLayers.cpp - Where a layer begins and ends ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/EncoderLayers.h"
#include "plmc/Dialect/PLM/PLM.h"

using namespace mlir;
using namespace plmc;

static bool isAdded(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation *user) {
    auto binary = dyn_cast<plm::BinaryOp>(user);
    return binary && binary.getKind() == plm::BinaryKind::Add;
  });
}

/// What `attention` makes its queries from; null where that is not clear.
static Value inputOf(plm::AttentionOp attention) {
  Value value = attention.getQuery();
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<plm::LinearOp, plm::ReshapeOp, plm::TransposeOp>(op))
      return {};
    value = op->getOperand(0);
    // A projection may be of low rank: two layers, with nothing between.
    if (isa<plm::LinearOp>(op) &&
        (isAdded(value) || !value.getDefiningOp<plm::LinearOp>()))
      break;
  }
  return value;
}

/// The same before the norm, if there is one that the residual goes around.
static Value streamBefore(plm::AttentionOp attention) {
  Value value = inputOf(attention);
  if (!value || isAdded(value))
    return value;
  if (auto norm = value.getDefiningOp<plm::LayerNormOp>())
    if (isAdded(norm.getInput()))
      return norm.getInput();
  return {};
}

/// Ops that compute, in order.
static std::vector<Operation *> stepsOf(func::FuncOp func) {
  std::vector<Operation *> steps;
  for (Operation &op : func.getBody().front())
    if (!isa<plm::GetParameterOp, plm::ConstantOp, plm::ConstraintOp,
             plm::DequantizeOp>(op))
      steps.push_back(&op);
  return steps;
}

llvm::Expected<std::vector<EncoderLayer>>
plmc::findEncoderLayers(func::FuncOp func) {
  std::vector<plm::AttentionOp> attentions;
  func.walk([&](plm::AttentionOp op) { attentions.push_back(op); });
  auto fail = [](const llvm::Twine &why) {
    return llvm::createStringError("the model's layers are not found: " + why);
  };
  if (attentions.size() < 2)
    return fail("it has fewer than two recognised attentions");
  std::vector<EncoderLayer> layers;
  for (plm::AttentionOp attention : attentions) {
    Value begin = streamBefore(attention);
    if (!begin)
      return fail("an attention's input is added to nothing, as it is behind "
                  "prune-width and smooth-activations with copy-norms: put "
                  "this step before those");
    if (!layers.empty()) {
      layers.back().output = begin;
      if (begin.getType() != layers.back().input.getType() ||
          begin == layers.back().input)
        return fail("they differ in width");
    }
    layers.push_back({begin, Value()});
  }
  // The last one ends as far from its attention as the one before.
  std::vector<Operation *> steps = stepsOf(func);
  auto placeOf = [&](Operation *op) {
    return llvm::find(steps, op) - steps.begin();
  };
  size_t count = attentions.size();
  Operation *model = layers[count - 2].output.getDefiningOp();
  int64_t distance = placeOf(model) - placeOf(attentions[count - 2]);
  int64_t place = placeOf(attentions[count - 1]) + distance;
  Operation *end = place < int64_t(steps.size()) ? steps[place] : nullptr;
  if (!end || end->getName() != model->getName() || end->getNumResults() != 1 ||
      end->getResult(0).getType() != layers.back().input.getType())
    return fail("the last one does not end as the others do");
  layers.back().output = end->getResult(0);
  return layers;
}
