//===- GraphImporter.cpp - Nodes to operations ----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphImporter.h"
#include "Diagnostics.h"
#include "GraphOrder.h"
#include "OpTable.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace llvm;

namespace plmc::importer {

static constexpr int64_t minOpset = 11, maxOpset = 25;
/// Functions that call functions that call ...: 20 levels of two calls each
/// are a million nodes in a file of 4 KB.
static constexpr size_t maxImportedNodes = 400000;
static constexpr size_t maxCallDepth = 64;

std::string refuseOpset(int64_t version) {
  if (version == 0)
    return "the model does not say which version of the ai.onnx operators it "
           "uses; export it again";
  if (version < minOpset || version > maxOpset)
    return "operator set " + std::to_string(version) +
           " is not supported; export with an opset of " +
           std::to_string(minOpset) + " to " + std::to_string(maxOpset);
  return "";
}

static std::string functionKey(StringRef domain, StringRef name,
                               StringRef overload) {
  return (opKey(domain, name) + "\n" + overload).str();
}

GraphImporter::GraphImporter(ModelFile &file, GraphBuilder &builder)
    : file(file), b(builder) {
  for (const onnx::FunctionProto &function : file.getModel().functions())
    functions[functionKey(function.domain(), function.name(),
                          function.overload())] = &function;
}

bool GraphImporter::fail(Error error) {
  b.fail(std::move(error));
  return false;
}

const onnx::FunctionProto *
GraphImporter::findFunction(const onnx::NodeProto &node) const {
  return functions.lookup(
      functionKey(node.domain(), node.op_type(), node.overload()));
}

size_t GraphImporter::inlinedSize(const onnx::NodeProto &node) {
  const onnx::FunctionProto *function = findFunction(node);
  if (!function)
    return 1;
  // Functions that call themselves have another message.
  auto [known, isNew] = inlinedSizes.try_emplace(function, 0);
  if (!isNew)
    return known->second + 1;
  size_t total = 0;
  // A call in a call in ...: as deep as importing it would be allowed to go.
  if (callStack.size() < maxCallDepth) {
    callStack.push_back(function);
    for (const onnx::NodeProto &inner : function->node())
      total = std::min(total + inlinedSize(inner), maxImportedNodes);
    callStack.pop_back();
  }
  inlinedSizes[function] = total;
  return total + 1;
}

void GraphImporter::checkOperators(ArrayRef<const onnx::NodeProto *> nodes,
                                   const Scope &scope) {
  MapVector<StringRef, unsigned> missing; // operator, number of nodes
  std::string first, firstKey, firstDomain;
  SmallPtrSet<const onnx::FunctionProto *, 8> seen;
  std::vector<const onnx::NodeProto *> worklist(nodes.begin(), nodes.end());
  StringMap<char> keys;
  for (size_t i = 0; i < worklist.size(); ++i) {
    const onnx::NodeProto &node = *worklist[i];
    if (const onnx::FunctionProto *function = findFunction(node)) {
      if (seen.insert(function).second)
        for (const onnx::NodeProto &inner : function->node())
          worklist.push_back(&inner);
      continue;
    }
    std::string key = opKey(node.domain(), node.op_type());
    if (opTable().contains(key))
      continue;
    if (missing.empty()) {
      first = describeNode(node, scope.prefix);
      firstKey = printable(node.op_type());
      firstDomain =
          node.domain().empty() ? "ai.onnx" : printable(node.domain());
    }
    ++missing[keys.try_emplace(key).first->first()];
  }
  if (missing.empty())
    return;
  // The description ends in "(Foo)": the domain belongs there.
  first.insert(first.size() - 1, ", domain " + firstDomain);
  std::string text = first + ": operator " + firstKey + " is not supported";
  size_t shown = 0;
  for (auto &[key, count] : drop_begin(missing)) {
    if (++shown > 8)
      break;
    text += (shown == 1 ? "; neither are " : ", ") + printable(key) + " (" +
            std::to_string(count) + ")";
  }
  if (missing.size() > shown + 1)
    text += " and more";
  b.setNode(file.getDisplayName().str() + ": ", "");
  b.unsupported(text + "; leave it out of the export, or add it: "
                       "docs/adding-an-onnx-operator.md");
}

bool GraphImporter::bindInitializers(const onnx::GraphProto &graph,
                                     Scope &scope) {
  auto bind = [&](const std::string &name, Expected<LiteralPtr> literal) {
    if (!literal)
      return fail(literal.takeError());
    if (!scope.values.try_emplace(name, tensorFromLiteral(*literal)).second) {
      b.fail("the name '" + printable(name) + "' is given to two initializers");
      return false;
    }
    return true;
  };
  for (const onnx::TensorProto &tensor : graph.initializer())
    if (!bind(tensor.name(), file.literal(tensor)))
      return false;
  for (const onnx::SparseTensorProto &sparse : graph.sparse_initializer())
    if (!bind(sparse.values().name(), file.literal(sparse)))
      return false;
  return true;
}

bool GraphImporter::importNodes(
    const google::protobuf::RepeatedPtrField<onnx::NodeProto> &nodes,
    const std::vector<StringRef> &outputs, Scope &scope, bool checkFirst) {
  auto order = orderNodes(nodes, outputs, [&](StringRef name) {
    return scope.find(name) != nullptr;
  });
  if (!order)
    return fail(order.takeError());
  if (checkFirst) {
    checkOperators(*order, scope);
    // Before the time is spent; unused nodes of functions count here.
    size_t total = 0;
    for (const onnx::NodeProto *node : *order)
      if ((total += inlinedSize(*node)) > maxImportedNodes) {
        b.setNode(file.getDisplayName().str() + ": " +
                      describeNode(*node, scope.prefix) + ": ",
                  "");
        b.unsupported("the model has more than " + Twine(maxImportedNodes) +
                      " nodes after inlining its functions; export fewer "
                      "layers, or without functions");
        return false;
      }
  }
  for (const onnx::NodeProto *node : *order)
    if (b.hasFailed() || !importNode(*node, scope))
      return false;
  return !b.hasFailed();
}

bool GraphImporter::importNode(const onnx::NodeProto &proto, Scope &scope) {
  std::string what = describeNode(proto, scope.prefix);
  StringRef name = proto.name();
  if (name.empty() && proto.output_size())
    name = proto.output(0);
  auto enterNode = [&] {
    b.setNode(file.getDisplayName().str() + ": " + what + ": ",
              scope.prefix + name.str(), proto.op_type());
  };
  enterNode();
  if (++importedNodes > maxImportedNodes) {
    b.unsupported("the model has more than " + Twine(maxImportedNodes) +
                  " nodes after inlining its functions; export fewer layers, "
                  "or without functions");
    return false;
  }
  if (const onnx::FunctionProto *function = findFunction(proto))
    return importCall(proto, *function, scope);

  auto handler = opTable().find(opKey(proto.domain(), proto.op_type()));
  if (handler == opTable().end()) {
    b.unsupported(
        "operator " + printable(proto.op_type()) + " of domain " +
        (proto.domain().empty() ? "ai.onnx" : printable(proto.domain())) +
        " is not supported");
    return false;
  }
  auto importInner = [&](const onnx::GraphProto &graph, const Scope &outer) {
    SmallVector<Tensor> results =
        importSubgraph(graph, outer, scope.prefix + name.str() + "/");
    if (!b.hasFailed())
      enterNode();
    return results;
  };
  Node node(proto, scope, b, file, importInner);
  handler->second(node);
  if (b.hasFailed())
    return false;
  for (int i = 0; i < proto.output_size(); ++i) {
    if (proto.output(i).empty())
      continue;
    // Secondary outputs may be missing (the mask of Dropout): an error only
    // if somebody reads them.
    if (node.getOutputs()[i]) {
      scope.values[proto.output(i)] = node.getOutputs()[i];
    } else if (i == 0) {
      b.unsupported("output 0 is not supported");
      return false;
    }
  }
  return true;
}

bool GraphImporter::importCall(const onnx::NodeProto &node,
                               const onnx::FunctionProto &function,
                               Scope &scope) {
  if (is_contained(callStack, &function)) {
    b.fail("function '" + printable(function.name()) + "' calls itself");
    return false;
  }
  if (callStack.size() >= maxCallDepth) {
    b.unsupported("functions are nested more than " + Twine(maxCallDepth) +
                  " deep");
    return false;
  }
  if (node.input_size() > function.input_size() ||
      node.output_size() > function.output_size()) {
    b.fail("the call has more inputs or outputs than function '" +
           printable(function.name()) + "'");
    return false;
  }

  AttributeMap attributes;
  for (const onnx::AttributeProto &attr : function.attribute_proto())
    attributes[attr.name()] = &attr;
  for (const onnx::AttributeProto &attr : node.attribute()) {
    const onnx::AttributeProto *value = &attr;
    if (!attr.ref_attr_name().empty())
      value = scope.attributes ? scope.attributes->lookup(attr.ref_attr_name())
                               : nullptr;
    if (value)
      attributes[attr.name()] = value;
  }

  Scope body;
  body.attributes = &attributes;
  body.opset = scope.opset;
  body.prefix = scope.prefix +
                (node.name().empty() && node.output_size() ? node.output(0)
                                                           : node.name()) +
                "/";
  for (const onnx::OperatorSetIdProto &entry : function.opset_import())
    if (entry.domain().empty() || entry.domain() == "ai.onnx")
      body.opset = entry.version();
  if (std::string refusal = refuseOpset(body.opset); !refusal.empty()) {
    b.unsupported("function '" + printable(function.name()) + "': " + refusal);
    return false;
  }
  for (int i = 0; i < function.input_size(); ++i) {
    Tensor argument;
    if (i < node.input_size() && !node.input(i).empty())
      if (const Tensor *known = scope.find(node.input(i)))
        argument = *known;
    body.values[function.input(i)] = argument;
  }
  std::vector<StringRef> outputs;
  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty())
      outputs.push_back(function.output(i));

  callStack.push_back(&function);
  bool ok = importNodes(function.node(), outputs, body);
  callStack.pop_back();
  if (!ok)
    return false;
  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty())
      if (const Tensor *result = body.find(function.output(i)))
        scope.values[node.output(i)] = *result;
  return true;
}

SmallVector<Tensor> GraphImporter::importSubgraph(const onnx::GraphProto &graph,
                                                  const Scope &outer,
                                                  const std::string &prefix) {
  Scope inner;
  inner.parent = &outer;
  inner.opset = outer.opset;
  inner.attributes = outer.attributes;
  inner.prefix = prefix;
  if (!bindInitializers(graph, inner))
    return {};
  std::vector<StringRef> names;
  for (const onnx::ValueInfoProto &output : graph.output())
    names.push_back(output.name());
  if (!importNodes(graph.node(), names, inner))
    return {};
  SmallVector<Tensor> results;
  for (StringRef name : names)
    results.push_back(inner.find(name) ? *inner.find(name) : Tensor());
  return results;
}

} // namespace plmc::importer
