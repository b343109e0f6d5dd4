//===- Unrecognized.cpp - What no recogniser claimed ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A user wants to know whether the encoder was understood, not which tensor
// operations are left: relative positions, rotary angles, gates and masks are
// tensor operations by right. So what counts is what a recogniser is for: every
// softmax over a product of activations is an attention, every mean over the
// features a norm, every lookup in a stored table an embedding, every product
// with a parameter a layer, every reduction of tokens a pooling, every erf an
// activation.
//
//===----------------------------------------------------------------------===//

#include "Match.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

constexpr const char *noAttention = "it is part of no recognised attention";

bool isProductOfActivations(Operation *op) {
  auto matmul = dyn_cast_if_present<MatmulOp>(op);
  return matmul && !isParameterView(matmul.getLhs()) &&
         !isParameterView(matmul.getRhs());
}

/// What may stand between the products and the softmax of an attention.
bool isBetween(Operation *op) {
  return isa_and_present<BinaryOp, UnaryOp, SelectOp, CastOp, ReshapeOp,
                         TransposeOp, BroadcastOp, QuantizeOp, DequantizeOp>(
      op);
}

class Finder {
public:
  explicit Finder(func::FuncOp func) : func(func) {}
  std::vector<UnrecognizedOp> run();

private:
  void markAttention(SoftmaxOp softmax);
  /// Kind and default reason; nothing for what may stay.
  std::optional<std::pair<UnrecognizedKind, std::string>>
  classify(Operation *op);

  func::FuncOp func;
  /// Softmaxes over products of activations, and the products.
  llvm::DenseSet<Operation *> attention;
};

void Finder::markAttention(SoftmaxOp softmax) {
  llvm::SmallVector<Operation *> products, pending{softmax};
  llvm::DenseSet<Operation *> seen;
  auto visit = [&](Operation *op) {
    if (isProductOfActivations(op))
      products.push_back(op);
    else if (isBetween(op) && seen.size() < 256 && seen.insert(op).second)
      pending.push_back(op);
  };
  while (!pending.empty())
    for (Value operand : pending.pop_back_val()->getOperands())
      visit(operand.getDefiningOp());
  if (products.empty())
    return;
  pending.push_back(softmax);
  while (!pending.empty())
    for (Operation *user : pending.pop_back_val()->getUsers())
      visit(user);
  attention.insert(softmax);
  attention.insert(products.begin(), products.end());
}

/// [B, S, H] or the like, H features.
bool isTokens(Value value) {
  Dims dims = dimsOf(value);
  std::optional<int64_t> width =
      dims.size() == 3 ? dims[2].constant() : std::nullopt;
  return width && *width > 1 && isFloatTensor(value);
}

std::optional<std::pair<UnrecognizedKind, std::string>>
Finder::classify(Operation *op) {
  auto stated = op->getAttrOfType<StringAttr>(unrecognizedAttr);
  auto result = [&](UnrecognizedKind kind, const char *reason) {
    return std::pair(kind,
                     stated ? stated.getValue().str() : std::string(reason));
  };
  if (isa<SoftmaxOp, MatmulOp>(op) && attention.contains(op))
    return result(UnrecognizedKind::Attention, noAttention);
  if (isa<SoftmaxOp>(op))
    return std::nullopt; // probabilities of something else
  if (auto reduce = dyn_cast<ReduceOp>(op)) {
    bool sequence = reduce.getAxes().size() == 1 && reduce.getAxes()[0] == 1;
    if (sequence && isTokens(reduce.getInput()))
      return result(UnrecognizedKind::Pooling,
                    "it is part of no recognised pooling");
    if (!stated)
      return std::nullopt;
    return result(UnrecognizedKind::Norm, "");
  }
  if (!stated)
    return std::nullopt;
  if (isa<MatmulOp>(op))
    return result(UnrecognizedKind::Linear, "");
  if (isa<GatherOp>(op))
    return result(UnrecognizedKind::Embedding, "");
  if (isa<UnaryOp, ActivationOp>(op))
    return result(UnrecognizedKind::Activation, "");
  return result(UnrecognizedKind::Pooling, "");
}

std::vector<UnrecognizedOp> Finder::run() {
  std::vector<UnrecognizedOp> result;
  func.walk([&](SoftmaxOp softmax) { markAttention(softmax); });
  // What no model input influences is a constant in disguise.
  llvm::DenseSet<Value> fromInputs;
  for (BlockArgument argument : func.getArguments())
    fromInputs.insert(argument);
  func.walk([&](Operation *op) {
    if (op->getNumResults() != 1 ||
        !isa<RankedTensorType>(op->getResult(0).getType()) ||
        !isa_and_present<PLMDialect>(op->getDialect()) ||
        llvm::none_of(op->getOperands(), [&](Value operand) {
          return fromInputs.contains(operand);
        }))
      return;
    fromInputs.insert(op->getResult(0));
    if (auto found = classify(op))
      result.push_back({nodeName(op->getLoc()),
                        op->getName().getStringRef().str(), found->second,
                        found->first});
  });
  return result;
}

} // namespace

std::vector<UnrecognizedOp> plmc::findUnrecognized(ModuleOp module) {
  std::vector<UnrecognizedOp> result;
  module.walk([&](func::FuncOp func) {
    for (UnrecognizedOp &op : Finder(func).run())
      result.push_back(std::move(op));
  });
  return result;
}

int64_t plmc::countUnrecognized(llvm::ArrayRef<UnrecognizedOp> left,
                                UnrecognizedKind kind) {
  return llvm::count_if(left, [&](const UnrecognizedOp &op) {
    // An attention is one, however many products belong to it.
    return op.kind == kind && (kind != UnrecognizedKind::Attention ||
                               op.op == SoftmaxOp::getOperationName());
  });
}
