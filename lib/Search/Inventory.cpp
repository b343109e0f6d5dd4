//===- Inventory.cpp - What of a model can be made smaller ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Search/Inventory.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace plmc {

/// As the passes do it.
constexpr int64_t minElements = 4096;

static bool isFeedForward(plm::LinearOp op) {
  if (op.getInput().getDefiningOp<plm::ActivationOp>())
    return true;
  return op->hasOneUse() && isa<plm::ActivationOp>(*op->user_begin());
}

/// An operand of attention.
static bool feedsAttention(plm::LinearOp op) {
  return llvm::any_of(op->getUsers(), [](Operation *user) {
    return isa<plm::AttentionOp>(user);
  });
}

static std::string roleOf(plm::LinearOp op, bool feedForward) {
  if (feedForward)
    return op.getInput().getDefiningOp<plm::ActivationOp>()
               ? "feed-forward down"
               : "feed-forward up";
  if (feedsAttention(op))
    return "attention input";
  return op.getInput().getDefiningOp<plm::AttentionOp>() ? "attention output"
                                                         : "other";
}

std::string Inventory::nameOf(size_t group) const {
  const MatrixGroup &one = groups[group];
  return one.layer < 0 ? one.role + " weights"
                       : "layer " + std::to_string(one.layer) + ", " + one.role;
}

Inventory takeInventory(ModuleOp module) {
  Inventory result;
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  if (!func)
    return result;
  SymbolTable symbols(module);
  llvm::MapVector<std::pair<Value, unsigned>, MatrixGroup> groups;
  func.walk([&](Operation *any) {
    if (isa<plm::AttentionOp>(any))
      ++result.layers;
    if (auto embedding = dyn_cast<plm::EmbeddingOp>(any)) {
      auto type = dyn_cast<RankedTensorType>(embedding.getTable().getType());
      if (type && type.hasStaticShape() && type.getRank() == 2 &&
          type.getDimSize(0) > result.vocabulary) {
        result.vocabulary = type.getDimSize(0);
        result.tableWidth = type.getDimSize(1);
      }
    }
    auto op = dyn_cast<plm::LinearOp>(any);
    if (!op || op.getPrecision())
      return;
    plm::ParameterOp weight = ownWeight(op, symbols);
    auto type = cast<RankedTensorType>(op.getWeight().getType());
    if (!weight || type.getNumElements() < minElements)
      return;
    bool feedForward = isFeedForward(op);
    MatrixGroup &group = groups[{op.getInput(), unsigned(feedForward)}];
    group.names.push_back(weight.getSymName().str());
    group.elements += type.getNumElements();
    group.feedForward = feedForward;
    group.role = roleOf(op, feedForward);
    // What goes into attention stands before the one that counts its layer.
    group.layer = result.layers - (group.role == "attention input" ? 0 : 1);
    if (feedForward && !op.getInput().getDefiningOp<plm::ActivationOp>())
      result.feedForwardWidth =
          std::max(result.feedForwardWidth,
                   cast<RankedTensorType>(op.getType()).getShape().back());
  });
  for (auto &[key, group] : groups)
    result.groups.push_back(std::move(group));
  return result;
}

} // namespace plmc
