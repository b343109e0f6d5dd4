//===- Unrecognized.cpp - What no recogniser claimed ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
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

/// Why an op of this kind is one that a recogniser should have claimed; null
/// for glue: data movement, integer and boolean work, sums of tokens
/// (residuals), scaling by a number.
const char *defaultReason(Operation *op) {
  if (isa<SoftmaxOp>(op))
    return "it is part of no recognised attention";
  if (isa<MatmulOp>(op))
    return "neither operand is a parameter and it is part of no recognised "
           "attention";
  if (isa<GatherOp, GatherElementsOp, GatherNDOp>(op))
    return "it looks up no rows of a parameter by model input";
  if (!isFloatTensor(op->getResult(0)))
    return nullptr;
  if (isa<ReduceOp>(op))
    return "it is part of no recognised normalisation or pooling";
  if (isa<CumSumOp>(op))
    return "running sums of numbers are part of no recognised pattern";
  if (isa<UnaryOp>(op))
    return "it is part of no recognised activation function or normalisation";
  if (isa<SelectOp>(op))
    return "it is part of no recognised mask";
  if (auto binary = dyn_cast<BinaryOp>(op)) {
    if (binary.getKind() == BinaryKind::Add || scalarOf(binary.getLhs()) ||
        scalarOf(binary.getRhs()))
      return nullptr;
    return "it is part of no recognised pattern";
  }
  return nullptr;
}

} // namespace

std::vector<UnrecognizedOp> plmc::findUnrecognized(ModuleOp module) {
  std::vector<UnrecognizedOp> result;
  module.walk([&](func::FuncOp func) {
    // What no model input influences is a constant in disguise.
    llvm::DenseSet<Value> fromInputs;
    for (BlockArgument argument : func.getArguments())
      fromInputs.insert(argument);
    func.walk([&](Operation *op) {
      if (op->getNumResults() != 1 ||
          !isa<RankedTensorType>(op->getResult(0).getType()) ||
          !isa_and_present<PLMDialect>(op->getDialect()))
        return;
      bool depends = llvm::any_of(op->getOperands(), [&](Value operand) {
        return fromInputs.contains(operand);
      });
      if (depends)
        fromInputs.insert(op->getResult(0));
      const char *reason = depends ? defaultReason(op) : nullptr;
      auto stated = op->getAttrOfType<StringAttr>(unrecognizedAttr);
      if (!stated && !reason)
        return;
      result.push_back({nodeName(op->getLoc()),
                        op->getName().getStringRef().str(),
                        stated ? stated.getValue().str() : reason});
    });
  });
  return result;
}
