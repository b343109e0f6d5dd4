//===- Node.h - What an operator handler sees -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_NODE_H
#define PLMC_FRONTEND_ONNX_NODE_H

#include "GraphBuilder.h"
#include "ModelFile.h"

namespace plmc::importer {

/// Attributes of the function call that a node is inlined from, by name.
using AttributeMap = llvm::StringMap<const onnx::AttributeProto *>;

/// Values by name; a subgraph sees those around it.
struct Scope {
  const Scope *parent = nullptr;
  llvm::StringMap<Tensor> values;
  int64_t opset = 0;
  /// Non-null inside a model-local function.
  const AttributeMap *attributes = nullptr;
  /// Starts the names of nodes inside a function or subgraph: "call/".
  std::string prefix;

  const Tensor *find(llvm::StringRef name) const;
};

/// Imports a subgraph whose condition is known (If).
using SubgraphImporter = llvm::function_ref<llvm::SmallVector<Tensor>(
    const onnx::GraphProto &graph, const Scope &scope)>;

/// One ONNX node, for its handler. After a failure the accessors give
/// defaults and null tensors, so a handler may simply run on.
class Node {
public:
  Node(const onnx::NodeProto &proto, const Scope &scope, GraphBuilder &builder,
       ModelFile &file, SubgraphImporter importSubgraph);

  GraphBuilder &b;

  llvm::StringRef opType() const { return proto.op_type(); }
  /// Version of the operator set that the node is written in.
  int64_t opset() const { return scope.opset; }

  //===--------------------------------------------------------------------===//
  // Inputs and outputs
  //===--------------------------------------------------------------------===//

  unsigned numInputs() const { return proto.input_size(); }
  unsigned numOutputs() const { return proto.output_size(); }
  bool hasInput(unsigned index) const;
  /// A required input; its absence is a failure.
  Tensor input(unsigned index);
  /// Null, without a failure, when absent.
  Tensor optionalInput(unsigned index);
  bool usesOutput(unsigned index) const;
  llvm::StringRef outputName(unsigned index) const {
    return index < numOutputs() ? llvm::StringRef(proto.output(index)) : "";
  }
  void output(unsigned index, Tensor tensor);
  llvm::ArrayRef<Tensor> getOutputs() const { return outputs; }

  //===--------------------------------------------------------------------===//
  // Attributes
  //===--------------------------------------------------------------------===//

  bool hasAttr(llvm::StringRef name) { return attribute(name) != nullptr; }
  std::optional<int64_t> intAttr(llvm::StringRef name);
  int64_t intAttr(llvm::StringRef name, int64_t defaultValue);
  double floatAttr(llvm::StringRef name, double defaultValue);
  std::string stringAttr(llvm::StringRef name, llvm::StringRef defaultValue);
  std::optional<llvm::SmallVector<int64_t>> intsAttr(llvm::StringRef name);
  std::optional<llvm::SmallVector<float>> floatsAttr(llvm::StringRef name);
  /// Of a dense or sparse tensor attribute.
  Tensor tensorAttr(llvm::StringRef name);
  const onnx::GraphProto *graphAttr(llvm::StringRef name);

  //===--------------------------------------------------------------------===//
  // Inputs that must be known at import
  //===--------------------------------------------------------------------===//

  /// Elements as expressions; a failure when they depend on the data.
  /// `what` is for the message: "the shape".
  std::optional<Dims> knownInput(unsigned index, llvm::StringRef what);
  /// Elements as numbers, of any constant integer tensor.
  std::optional<llvm::SmallVector<int64_t>> constantInput(unsigned index,
                                                          llvm::StringRef what);
  /// Axes from attribute `name` (older opsets) or from input `index` (newer);
  /// nullopt when neither is there or after a failure.
  std::optional<llvm::SmallVector<int64_t>> axes(llvm::StringRef name,
                                                 unsigned index);
  /// axis + rank if negative; 0 and a failure when outside [-rank, rank).
  int64_t normalizeAxis(int64_t axis, int64_t rank);
  bool normalizeAxes(llvm::SmallVectorImpl<int64_t> &axes, int64_t rank);

  llvm::SmallVector<Tensor> importSubgraph(const onnx::GraphProto &graph) {
    return subgraphImporter(graph, scope);
  }

private:
  const onnx::AttributeProto *attribute(llvm::StringRef name);
  const onnx::AttributeProto *
  typedAttribute(llvm::StringRef name,
                 onnx::AttributeProto::AttributeType type);

  const onnx::NodeProto &proto;
  const Scope &scope;
  ModelFile &file;
  SubgraphImporter subgraphImporter;
  llvm::SmallVector<Tensor, 2> outputs;
};

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_NODE_H
