//===- EncoderTraits.cpp - What sets encoder families apart ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "EncoderTraits.h"
#include "Family.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace plmc::analysis {
namespace {

/// Calls `visit` on every op that the value comes from; it says whether to go
/// on above the op.
void walkBack(Value value, llvm::function_ref<bool(Operation *)> visit) {
  SmallVector<Value> pending{value};
  llvm::DenseSet<Operation *> seen;
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (op && seen.insert(op).second && visit(op))
      pending.append(op->operand_begin(), op->operand_end());
  }
}

bool isProjection(Operation *op) {
  return isa<plm::LinearOp, plm::LayerNormOp, plm::AttentionOp,
             plm::EmbeddingOp>(op);
}

bool isComparison(plm::BinaryKind kind) {
  return kind == plm::BinaryKind::Lt || kind == plm::BinaryKind::Le ||
         kind == plm::BinaryKind::Gt || kind == plm::BinaryKind::Ge;
}

/// Counted positions, and no input.
bool isCounted(Value value) {
  bool counted = false, given = isa<BlockArgument>(value);
  walkBack(value, [&](Operation *op) {
    counted |= isa<plm::IotaOp>(op);
    for (Value operand : op->getOperands())
      given |= isa<BlockArgument>(operand);
    return true;
  });
  return counted && !given;
}

void readBias(plm::AttentionOp attention, EncoderTraits &traits) {
  Value bias = attention.getBias();
  if (!bias)
    return;
  bool product = false, picked = false;
  walkBack(bias, [&](Operation *op) {
    product |= isa<plm::MatmulOp>(op);
    picked |= isa<plm::GatherElementsOp, plm::GatherNDOp>(op);
    if (auto gather = dyn_cast<plm::GatherOp>(op))
      if (auto type = cast<RankedTensorType>(gather.getData().getType());
          parameterOf(gather.getData()) && type.getRank() == 2 &&
          type.getDimSize(1) == int64_t(attention.getNumHeads()))
        traits.distanceTable = true;
    if (auto binary = dyn_cast<plm::BinaryOp>(op))
      traits.comparesPositions |= isComparison(binary.getKind()) &&
                                  isCounted(binary.getLhs()) &&
                                  isCounted(binary.getRhs());
    return !isProjection(op);
  });
  traits.disentangled |= product && picked;
  traits.relativeKeys |= product && !picked;
}

void readGate(plm::ActivationOp activation, EncoderTraits &traits) {
  for (Operation *user : activation->getUsers()) {
    auto product = dyn_cast<plm::BinaryOp>(user);
    if (!product || product.getKind() != plm::BinaryKind::Mul)
      continue;
    Value other = product.getLhs() == activation.getResult() ? product.getRhs()
                                                             : product.getLhs();
    other = skipMovement(other);
    // x * sigmoid(c * x) is an activation itself.
    if (other == activation.getInput() ||
        !isa_and_present<plm::LinearOp, plm::SliceOp>(other.getDefiningOp()))
      continue;
    traits.gatedGelu |= activation.getKind() == plm::ActivationKind::Gelu ||
                        activation.getKind() == plm::ActivationKind::GeluTanh;
    traits.gatedSilu |= activation.getKind() == plm::ActivationKind::Silu;
  }
}

bool isRowParameter(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.hasStaticShape() && parameterOf(value) &&
         type.getNumElements() > 1 &&
         type.getNumElements() == type.getShape().back();
}

bool isAffineRow(plm::BinaryOp add) {
  if (add.getKind() != plm::BinaryKind::Add)
    return false;
  for (auto [sum, beta] : {std::pair(add.getLhs(), add.getRhs()),
                           std::pair(add.getRhs(), add.getLhs())}) {
    auto product = sum.getDefiningOp<plm::BinaryOp>();
    if (product && product.getKind() == plm::BinaryKind::Mul &&
        isRowParameter(beta) &&
        (isRowParameter(product.getLhs()) || isRowParameter(product.getRhs())))
      return true;
  }
  return false;
}

} // namespace

plm::LinearOp projectionOf(Value operand) {
  plm::LinearOp projection;
  walkBack(operand, [&](Operation *op) {
    if (auto linear = dyn_cast<plm::LinearOp>(op))
      if (!projection)
        projection = linear;
    return !isProjection(op);
  });
  return projection;
}

EncoderTraits findTraits(func::FuncOp func) {
  EncoderTraits traits;
  llvm::DenseSet<Attribute> weights;
  bool known = true;
  func.walk([&](Operation *op) {
    if (auto attention = dyn_cast<plm::AttentionOp>(op)) {
      readBias(attention, traits);
      // Halves of each head, swapped.
      walkBack(attention.getQuery(), [&](Operation *above) {
        traits.rotary |= isa<plm::ConcatOp>(above);
        return !isProjection(above);
      });
      plm::LinearOp query = projectionOf(attention.getQuery());
      plm::LinearOp key = projectionOf(attention.getKey());
      auto hasBias = [](plm::LinearOp linear) {
        return linear && linear.getBias();
      };
      traits.keysWithoutBias |=
          key && !hasBias(key) &&
          (hasBias(query) || hasBias(projectionOf(attention.getValue())));
      FlatSymbolRefAttr weight =
          query ? parameterOf(query.getWeight()) : FlatSymbolRefAttr();
      known &= bool(weight);
      if (weight)
        weights.insert(weight);
    } else if (auto activation = dyn_cast<plm::ActivationOp>(op)) {
      readGate(activation, traits);
      traits.tanhGelu |= activation.getKind() == plm::ActivationKind::GeluTanh;
    } else if (auto binary = dyn_cast<plm::BinaryOp>(op)) {
      traits.affineRows += isAffineRow(binary);
    }
  });
  traits.layerGroups = known ? weights.size() : 0;
  return traits;
}

} // namespace plmc::analysis
