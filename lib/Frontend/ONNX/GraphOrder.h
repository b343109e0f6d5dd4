//===- GraphOrder.h - Order and consistency of nodes ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_GRAPHORDER_H
#define PLMC_FRONTEND_ONNX_GRAPHORDER_H

#include "onnx-ml.pb.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace plmc::importer {

using NodeList = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

/// "node 'x' (Add)", by the name of the first output where it has none.
std::string describeNode(const onnx::NodeProto &node, llvm::StringRef prefix);

/// The nodes that `outputs` need, each after what it reads; in the order of
/// the file where that is right already. `isKnown` tells the names that exist
/// before the first node. Errors (cycles, names that are computed twice or by
/// nobody) have no file name.
llvm::Expected<std::vector<const onnx::NodeProto *>>
orderNodes(const NodeList &nodes, const std::vector<llvm::StringRef> &outputs,
           llvm::function_ref<bool(llvm::StringRef)> isKnown);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_GRAPHORDER_H
