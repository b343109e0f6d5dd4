//===- WeightBreakdown.cpp - Where a model's bytes are --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Analysis/WeightBreakdown.h"
#include "Family.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace plmc {
namespace {

enum Component { Embeddings, Attention, FeedForward, Norms, Other };

/// True if an op of this type computes with the value before a layer does.
template <typename OpT> bool reaches(Value value) {
  llvm::SetVector<Operation *> seen;
  constexpr size_t enough = 32;
  for (Operation *user : value.getUsers())
    seen.insert(user);
  for (size_t i = 0; i < seen.size() && i < enough; ++i) {
    if (isa<OpT>(seen[i]))
      return true;
    if (isa<plm::LinearOp, plm::LayerNormOp, plm::AttentionOp,
            plm::ActivationOp>(seen[i]))
      continue;
    for (Operation *user : seen[i]->getUsers())
      seen.insert(user);
  }
  return false;
}

/// The op that a layer's input is the result of, movement and a gate aside.
template <typename OpT> bool comesFrom(Value value) {
  Operation *op = analysis::skipMovement(value).getDefiningOp();
  if (auto gate = dyn_cast_or_null<plm::BinaryOp>(op))
    for (Value operand : gate->getOperands())
      if (analysis::skipMovement(operand).getDefiningOp<OpT>())
        return true;
  return isa_and_present<OpT>(op);
}

Component componentOf(plm::LinearOp op) {
  if (reaches<plm::AttentionOp>(op.getResult()) ||
      comesFrom<plm::AttentionOp>(op.getInput()))
    return Attention;
  // A head has an activation between two layers, too, but no tokens.
  if (cast<RankedTensorType>(op.getInput().getType()).getRank() < 3)
    return Other;
  if (comesFrom<plm::ActivationOp>(op.getInput()))
    return FeedForward;
  for (Operation *user : op->getUsers())
    if (auto activation = dyn_cast<plm::ActivationOp>(user))
      if (reaches<plm::LinearOp>(activation.getResult()))
        return FeedForward;
  return reaches<plm::BinaryOp>(op.getResult()) &&
                 reaches<plm::LinearOp>(op.getResult())
             ? FeedForward
             : Other;
}

/// What reads a parameter, through the ops that only say how it is stored.
Component componentOf(Value value) {
  llvm::SetVector<Operation *> users(value.user_begin(), value.user_end());
  for (size_t i = 0; i < users.size(); ++i) {
    Operation *user = users[i];
    if (isa<plm::EmbeddingOp, plm::PositionEmbeddingOp>(user))
      return Embeddings;
    if (isa<plm::LayerNormOp>(user))
      return Norms;
    if (auto linear = dyn_cast<plm::LinearOp>(user))
      return componentOf(linear);
    if (isa<plm::DequantizeOp, plm::CodebookLookupOp, plm::GatherOp,
            plm::ReshapeOp, plm::TransposeOp, plm::CastOp, plm::SliceOp>(user))
      users.insert(user->user_begin(), user->user_end());
  }
  return Other;
}

int64_t bitsOf(plm::GetParameterOp get) {
  int64_t bits = cast<RankedTensorType>(get.getType()).getElementTypeBitWidth();
  // A byte that only dequantisations read may hold less.
  int64_t promised = 0;
  for (OpOperand &use : get->getUses()) {
    auto op = dyn_cast<plm::DequantizeOp>(use.getOwner());
    if (!op || use.getOperandNumber() != 0)
      return (bits + 7) / 8 * 8;
    promised = std::max<int64_t>(promised, op.getBits());
  }
  return promised && bits == 8 ? promised : (bits + 7) / 8 * 8;
}

} // namespace

std::vector<WeightComponent> weightBreakdown(ModuleOp module) {
  std::vector<WeightComponent> result(5);
  const char *names[] = {"embeddings", "attention", "feed-forward", "norms",
                         "other"};
  for (auto [component, name] : llvm::zip(result, names))
    component.name = name;
  llvm::DenseSet<Attribute> seen;
  module.walk([&](plm::GetParameterOp get) {
    auto type = cast<RankedTensorType>(get.getType());
    if (!type.hasStaticShape() || !seen.insert(get.getParameterAttr()).second)
      return;
    WeightComponent &component = result[componentOf(get.getResult())];
    component.parameters += type.getNumElements();
    component.bytes += (type.getNumElements() * bitsOf(get) + 7) / 8;
  });
  return result;
}

int64_t totalBytes(const std::vector<WeightComponent> &components) {
  int64_t bytes = 0;
  for (const WeightComponent &component : components)
    bytes += component.bytes;
  return bytes;
}

} // namespace plmc
