//===- Control.cpp - Branches and operators that pass values through ------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"

namespace plmc::importer {

static void importIdentity(Node &node) { node.output(0, node.input(0)); }

/// In inference nothing is dropped; the mask keeps everything.
static void importDropout(Node &node) {
  Tensor x = node.input(0);
  if (Tensor training = node.optionalInput(2)) {
    std::optional<Dims> flag = contentsOf(training);
    if (!flag || flag->size() != 1 || !flag->front().isConstant(0)) {
      node.b.unsupported("training mode; export the model for inference");
      return;
    }
  }
  node.output(0, x);
  if (node.usesOutput(1))
    node.output(1, node.b.broadcastTo(node.b.scalar(DType::Bool, 1), x.dims()));
}

/// A branch that is known at import is inlined.
static void importIf(Node &node) {
  Tensor condition = node.input(0);
  const onnx::GraphProto *thenGraph = node.graphAttr("then_branch");
  const onnx::GraphProto *elseGraph = node.graphAttr("else_branch");
  if (!condition)
    return;
  if (!thenGraph || !elseGraph) {
    node.b.fail("a branch is missing");
    return;
  }
  std::optional<Dims> known = contentsOf(condition);
  if (!known || known->size() != 1 || !known->front().isConstant()) {
    node.b.unsupported("a condition that depends on the inputs "
                       "is not supported; export one of the branches");
    return;
  }
  llvm::SmallVector<Tensor> results = node.importSubgraph(
      known->front().isConstant(0) ? *elseGraph : *thenGraph);
  if (results.size() < node.numOutputs()) {
    node.b.fail("the branch has fewer outputs than the node");
    return;
  }
  for (unsigned i = 0; i < node.numOutputs(); ++i)
    node.output(i, results[i]);
}

void registerControl(OpTable &table) {
  table["Identity"] = importIdentity;
  table["Dropout"] = importDropout;
  table["If"] = importIf;
}

} // namespace plmc::importer
