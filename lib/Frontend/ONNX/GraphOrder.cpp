//===- GraphOrder.cpp - Order and consistency of nodes --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphOrder.h"
#include "Diagnostics.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include <queue>

using namespace llvm;

namespace plmc::importer {

std::string describeNode(const onnx::NodeProto &node, StringRef prefix) {
  StringRef name = node.name();
  if (name.empty() && node.output_size())
    name = node.output(0);
  return "node '" + printable((prefix + name).str()) + "' (" +
         printable(node.op_type()) + ")";
}

/// Names that subgraphs of the node may take from around it. Names that the
/// subgraph defines itself are among them; they are of no node here.
static void collectCaptured(const onnx::NodeProto &node,
                            std::vector<StringRef> &names) {
  auto visitGraph = [&](const onnx::GraphProto &graph) {
    for (const onnx::NodeProto &inner : graph.node()) {
      names.insert(names.end(), inner.input().begin(), inner.input().end());
      collectCaptured(inner, names);
    }
    for (const onnx::ValueInfoProto &output : graph.output())
      names.push_back(output.name());
  };
  for (const onnx::AttributeProto &attr : node.attribute()) {
    if (attr.has_g())
      visitGraph(attr.g());
    for (const onnx::GraphProto &graph : attr.graphs())
      visitGraph(graph);
  }
}

Expected<std::vector<const onnx::NodeProto *>>
orderNodes(const NodeList &nodes, const std::vector<StringRef> &outputs,
           function_ref<bool(StringRef)> isKnown) {
  int count = nodes.size();
  StringMap<int> producer;
  for (int i = 0; i < count; ++i)
    for (const std::string &output : nodes[i].output()) {
      if (output.empty())
        continue;
      if (!producer.try_emplace(output, i).second || isKnown(output))
        return badModel(describeNode(nodes[i], "") + ": the name '" +
                        printable(output) + "' is computed twice");
    }

  // Edges, once each: reads[i] are the nodes that node i needs.
  std::vector<std::vector<int>> reads(count);
  for (int i = 0; i < count; ++i) {
    for (const std::string &input : nodes[i].input()) {
      if (input.empty())
        continue;
      auto it = producer.find(input);
      if (it != producer.end())
        reads[i].push_back(it->second);
      else if (!isKnown(input))
        return badModel(describeNode(nodes[i], "") + ": input '" +
                        printable(input) + "' is not computed by anything");
    }
    std::vector<StringRef> captured;
    collectCaptured(nodes[i], captured);
    for (StringRef name : captured) {
      auto it = producer.find(name);
      if (it != producer.end() && it->second != i)
        reads[i].push_back(it->second);
    }
    llvm::sort(reads[i]);
    reads[i].erase(std::unique(reads[i].begin(), reads[i].end()),
                   reads[i].end());
  }

  // What the outputs need.
  std::vector<bool> live(count, false);
  std::vector<int> worklist;
  auto visit = [&](int node) {
    if (!live[node]) {
      live[node] = true;
      worklist.push_back(node);
    }
  };
  for (StringRef output : outputs) {
    auto it = producer.find(output);
    if (it != producer.end())
      visit(it->second);
    else if (!isKnown(output))
      return badModel("output '" + printable(output) +
                      "' is not computed by anything");
  }
  while (!worklist.empty()) {
    int node = worklist.back();
    worklist.pop_back();
    for (int read : reads[node])
      visit(read);
  }

  // Kahn's algorithm; the smallest ready index first keeps the file's order.
  std::vector<std::vector<int>> users(count);
  std::vector<int> missing(count, 0);
  std::priority_queue<int, std::vector<int>, std::greater<int>> ready;
  size_t wanted = 0;
  for (int i = 0; i < count; ++i) {
    if (!live[i])
      continue;
    ++wanted;
    missing[i] = reads[i].size();
    for (int read : reads[i])
      users[read].push_back(i);
    if (!missing[i])
      ready.push(i);
  }
  std::vector<const onnx::NodeProto *> order;
  while (!ready.empty()) {
    int node = ready.top();
    ready.pop();
    order.push_back(&nodes[node]);
    for (int user : users[node])
      if (live[user] && --missing[user] == 0)
        ready.push(user);
  }
  if (order.size() != wanted)
    for (int i = 0; i < count; ++i)
      if (live[i] && missing[i])
        return badModel(describeNode(nodes[i], "") +
                        ": the node is part of a cycle, or reads one");
  return order;
}

} // namespace plmc::importer
