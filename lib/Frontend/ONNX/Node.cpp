//===- Node.cpp - What an operator handler sees ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Node.h"
#include "Diagnostics.h"

using namespace llvm;

namespace plmc::importer {

const Tensor *Scope::find(StringRef name) const {
  for (const Scope *scope = this; scope; scope = scope->parent) {
    auto known = scope->values.find(name);
    if (known != scope->values.end())
      return &known->second;
  }
  return nullptr;
}

Node::Node(const onnx::NodeProto &proto, const Scope &scope,
           GraphBuilder &builder, ModelFile &file,
           SubgraphImporter importSubgraph)
    : b(builder), proto(proto), scope(scope), file(file),
      subgraphImporter(importSubgraph) {
  outputs.resize(proto.output_size());
}

bool Node::hasInput(unsigned index) const {
  return index < numInputs() && !proto.input(index).empty();
}

Tensor Node::input(unsigned index) {
  if (!hasInput(index))
    return b.fail("input " + Twine(index) + " is missing");
  return optionalInput(index);
}

Tensor Node::optionalInput(unsigned index) {
  if (!hasInput(index))
    return Tensor();
  const Tensor *known = scope.find(proto.input(index));
  if (!known)
    return b.unsupported("input '" + printable(proto.input(index)) +
                         "' is an output that is not supported");
  // A null tensor in the scope: an optional argument of a function that the
  // call leaves out.
  return *known;
}

bool Node::usesOutput(unsigned index) const {
  return index < numOutputs() && !proto.output(index).empty();
}

void Node::output(unsigned index, Tensor tensor) {
  if (index < outputs.size())
    outputs[index] = std::move(tensor);
}

const onnx::AttributeProto *Node::attribute(StringRef name) {
  for (const onnx::AttributeProto &attr : proto.attribute()) {
    if (StringRef(attr.name()) != name)
      continue;
    if (attr.ref_attr_name().empty())
      return &attr;
    return scope.attributes ? scope.attributes->lookup(attr.ref_attr_name())
                            : nullptr;
  }
  return nullptr;
}

const onnx::AttributeProto *
Node::typedAttribute(StringRef name, onnx::AttributeProto::AttributeType type) {
  const onnx::AttributeProto *attr = attribute(name);
  if (!attr)
    return nullptr;
  if (attr->type() != type) {
    b.fail("attribute '" + name + "' has the wrong type");
    return nullptr;
  }
  return attr;
}

std::optional<int64_t> Node::intAttr(StringRef name) {
  const auto *attr = typedAttribute(name, onnx::AttributeProto::INT);
  return attr ? std::optional<int64_t>(attr->i()) : std::nullopt;
}

int64_t Node::intAttr(StringRef name, int64_t defaultValue) {
  return intAttr(name).value_or(defaultValue);
}

double Node::floatAttr(StringRef name, double defaultValue) {
  const auto *attr = typedAttribute(name, onnx::AttributeProto::FLOAT);
  return attr ? attr->f() : defaultValue;
}

std::string Node::stringAttr(StringRef name, StringRef defaultValue) {
  const auto *attr = typedAttribute(name, onnx::AttributeProto::STRING);
  return attr ? attr->s() : defaultValue.str();
}

std::optional<SmallVector<int64_t>> Node::intsAttr(StringRef name) {
  const auto *attr = typedAttribute(name, onnx::AttributeProto::INTS);
  if (!attr)
    return std::nullopt;
  return SmallVector<int64_t>(attr->ints().begin(), attr->ints().end());
}

std::optional<SmallVector<float>> Node::floatsAttr(StringRef name) {
  const auto *attr = typedAttribute(name, onnx::AttributeProto::FLOATS);
  if (!attr)
    return std::nullopt;
  return SmallVector<float>(attr->floats().begin(), attr->floats().end());
}

Tensor Node::tensorAttr(StringRef name) {
  const onnx::AttributeProto *attr = attribute(name);
  if (!attr)
    return Tensor();
  bool isSparse = attr->type() == onnx::AttributeProto::SPARSE_TENSOR;
  if (!isSparse && attr->type() != onnx::AttributeProto::TENSOR)
    return b.fail("attribute '" + name + "' has the wrong type");
  Expected<LiteralPtr> literal =
      isSparse ? file.literal(attr->sparse_tensor()) : file.literal(attr->t());
  if (literal)
    return tensorFromLiteral(*literal);
  return b.fail(literal.takeError());
}

const onnx::GraphProto *Node::graphAttr(StringRef name) {
  const auto *attr = typedAttribute(name, onnx::AttributeProto::GRAPH);
  return attr ? &attr->g() : nullptr;
}

std::optional<Dims> Node::knownInput(unsigned index, StringRef what) {
  Tensor tensor = input(index);
  if (!tensor)
    return std::nullopt;
  if (std::optional<Dims> contents = contentsOf(tensor))
    return contents;
  if (tensor.rank() > 1)
    b.fail(what + " has rank " + Twine(tensor.rank()));
  else
    b.unsupported(what + " depends on the values of the inputs, or on their "
                         "sizes in a way that is not followed");
  return std::nullopt;
}

std::optional<SmallVector<int64_t>> Node::constantInput(unsigned index,
                                                        StringRef what) {
  Tensor tensor = input(index);
  if (!tensor)
    return std::nullopt;
  LiteralPtr literal = tensor.literal();
  if (!literal) {
    b.unsupported(what + " is not a constant");
    return std::nullopt;
  }
  if (isFloat(literal->dtype) || literal->numElements() > (1 << 20)) {
    b.fail(what + " is not a short list of integers");
    return std::nullopt;
  }
  HostTensor host = literal->toHost();
  SmallVector<int64_t> values;
  for (int64_t i = 0; i < host.numElements(); ++i)
    values.push_back(host.getInt(i));
  return values;
}

std::optional<SmallVector<int64_t>> Node::axes(StringRef name, unsigned index) {
  if (hasAttr(name))
    return intsAttr(name);
  // A null input is an argument that a function's caller left out.
  if (hasInput(index) && optionalInput(index))
    return constantInput(index, name);
  return std::nullopt;
}

int64_t Node::normalizeAxis(int64_t axis, int64_t rank) {
  if (axis >= -rank && axis < rank)
    return axis < 0 ? axis + rank : axis;
  b.fail("axis " + Twine(axis) + " is outside a tensor of rank " + Twine(rank));
  return 0;
}

bool Node::normalizeAxes(SmallVectorImpl<int64_t> &axes, int64_t rank) {
  for (int64_t &axis : axes)
    axis = normalizeAxis(axis, rank);
  SmallVector<int64_t> sorted(axes.begin(), axes.end());
  sort(sorted);
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    b.fail("an axis is named twice");
  return !b.hasFailed();
}

} // namespace plmc::importer
