//===- GraphImporter.h - Nodes to operations --------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_GRAPHIMPORTER_H
#define PLMC_FRONTEND_ONNX_GRAPHIMPORTER_H

#include "Node.h"
#include "llvm/ADT/StringSet.h"
#include <vector>

namespace plmc::importer {

/// Imports node lists: the main graph, and from within it the bodies of
/// model-local functions (inlined at each call) and of subgraphs whose
/// condition is known. Failures are recorded in the builder.
class GraphImporter {
public:
  GraphImporter(ModelFile &file, GraphBuilder &builder);

  /// Everything that `outputs` need; the values end up in `scope`. With
  /// `checkOperators`, unknown operators are looked for first, so that all of
  /// them are reported at once.
  bool
  importNodes(const google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes,
              const std::vector<llvm::StringRef> &outputs, Scope &scope,
              bool checkOperators = false);
  /// Binds a graph's initializers in `scope`.
  bool bindInitializers(const onnx::GraphProto &graph, Scope &scope);

private:
  const onnx::FunctionProto *findFunction(const onnx::NodeProto &node) const;
  void checkOperators(llvm::ArrayRef<const onnx::NodeProto *> nodes,
                      const Scope &scope);
  /// Nodes after inlining functions, at most one more than may be imported.
  size_t inlinedSize(const onnx::NodeProto &node);
  bool importNode(const onnx::NodeProto &node, Scope &scope);
  bool importCall(const onnx::NodeProto &node,
                  const onnx::FunctionProto &function, Scope &scope);
  llvm::SmallVector<Tensor> importSubgraph(const onnx::GraphProto &graph,
                                           const Scope &outer,
                                           const std::string &prefix);
  /// Takes over the message of a reader's error.
  bool fail(llvm::Error error);

  ModelFile &file;
  GraphBuilder &b;
  llvm::StringMap<const onnx::FunctionProto *> functions;
  std::vector<const onnx::FunctionProto *> callStack;
  /// Nodes of a function after inlining; 0 while it is being counted.
  llvm::DenseMap<const onnx::FunctionProto *, size_t> inlinedSizes;
  size_t importedNodes = 0;
};

/// Why a version of ai.onnx is refused; empty if it is not.
std::string refuseOpset(int64_t version);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_GRAPHIMPORTER_H
