//===- GraphWriter.cpp - Builds an ONNX graph -----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphWriter.h"
#include "mlir/IR/Location.h"

using namespace mlir;

namespace plmc::onnx_export {

//===----------------------------------------------------------------------===//
// Attributes and types
//===----------------------------------------------------------------------===//

Attr Attr::of(StringRef name, int64_t value) {
  Attr attr;
  attr.proto.set_name(name.str());
  attr.proto.set_type(onnx::AttributeProto::INT);
  attr.proto.set_i(value);
  return attr;
}

Attr Attr::of(StringRef name, double value) {
  Attr attr;
  attr.proto.set_name(name.str());
  attr.proto.set_type(onnx::AttributeProto::FLOAT);
  attr.proto.set_f(float(value));
  return attr;
}

Attr Attr::of(StringRef name, StringRef text) {
  Attr attr;
  attr.proto.set_name(name.str());
  attr.proto.set_type(onnx::AttributeProto::STRING);
  attr.proto.set_s(text.str());
  return attr;
}

Attr Attr::of(StringRef name, ArrayRef<int64_t> values) {
  Attr attr;
  attr.proto.set_name(name.str());
  attr.proto.set_type(onnx::AttributeProto::INTS);
  for (int64_t value : values)
    attr.proto.add_ints(value);
  return attr;
}

int32_t onnxType(DType dtype) {
  switch (dtype) {
  case DType::F32:
    return onnx::TensorProto::FLOAT;
  case DType::F64:
    return onnx::TensorProto::DOUBLE;
  case DType::I32:
    return onnx::TensorProto::INT32;
  case DType::I64:
    return onnx::TensorProto::INT64;
  case DType::Bool:
    return onnx::TensorProto::BOOL;
  case DType::U8:
    return onnx::TensorProto::UINT8;
  case DType::I8:
    return onnx::TensorProto::INT8;
  case DType::F16:
    return onnx::TensorProto::FLOAT16;
  case DType::BF16:
    return onnx::TensorProto::BFLOAT16;
  }
  return onnx::TensorProto::UNDEFINED;
}

DType dtypeOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return dtypeFromMLIR(type.getElementType()).value_or(DType::F32);
}

SmallVector<DimExpr> dimsOf(Value value) {
  return getDims(cast<RankedTensorType>(value.getType()));
}

//===----------------------------------------------------------------------===//
// Names and nodes
//===----------------------------------------------------------------------===//

GraphWriter::GraphWriter(func::FuncOp func) : func(func) {}

std::string GraphWriter::freshName(StringRef hint) {
  std::string name = hint.str();
  while (!taken.insert(name).second)
    name = (hint + "_" + Twine(++nextName)).str();
  return name;
}

std::string GraphWriter::node(StringRef type, ArrayRef<std::string> inputs,
                              ArrayRef<Attr> attrs, StringRef output) {
  onnx::NodeProto *node = graph.add_node();
  node->set_op_type(type.str());
  std::string name = (type + "_" + Twine(graph.node_size())).str();
  node->set_name(name);
  for (const std::string &input : inputs)
    node->add_input(input);
  for (const Attr &attr : attrs)
    *node->add_attribute() = attr.proto;
  std::string result = output.empty() ? freshName(name) : output.str();
  node->add_output(result);
  return result;
}

std::string GraphWriter::nameOf(Value value) {
  auto it = names.find(value);
  if (it != names.end())
    return it->second;
  return names[value] = freshName("v");
}

void GraphWriter::setName(Value value, std::string name) {
  names[value] = std::move(name);
}

void GraphWriter::fail(Operation *op, const Twine &why, std::errc kind) {
  if (error)
    return;
  std::string where = op->getName().getStringRef().str();
  if (auto loc = op->getLoc()->findInstanceOf<NameLoc>())
    where += " of node '" + loc.getName().str() + "'";
  error = {kind, (where + ": " + why).str()};
}

llvm::Error GraphWriter::takeError() {
  if (!error)
    return llvm::Error::success();
  return llvm::createStringError(std::make_error_code(error->first),
                                 llvm::Twine(error->second));
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

void Initializer::own(std::vector<char> data) {
  owned = std::make_unique<std::vector<char>>(std::move(data));
  bytes = *owned;
}

void GraphWriter::addInitializer(Initializer initializer) {
  initializers.push_back(std::move(initializer));
}

static Initializer fromTensor(std::string name, HostTensor tensor) {
  Initializer result{std::move(name), tensor.dtype, {}, {}, nullptr, false};
  result.shape.assign(tensor.shape.begin(), tensor.shape.end());
  result.own(std::move(tensor.data));
  return result;
}

std::string GraphWriter::ints(ArrayRef<int64_t> values) {
  std::string key = "i";
  for (int64_t value : values)
    key += "," + std::to_string(value);
  std::string &name = constants[key];
  if (name.empty()) {
    HostTensor tensor(DType::I64, {int64_t(values.size())});
    for (auto [index, value] : llvm::enumerate(values))
      tensor.setInt(index, value);
    name = freshName("shape");
    addInitializer(fromTensor(name, std::move(tensor)));
  }
  return name;
}

std::string GraphWriter::intScalar(int64_t value) {
  std::string &name = constants["s" + std::to_string(value)];
  if (name.empty()) {
    HostTensor tensor(DType::I64, {});
    tensor.setInt(0, value);
    name = freshName("index");
    addInitializer(fromTensor(name, std::move(tensor)));
  }
  return name;
}

std::string GraphWriter::scalar(double value, DType dtype) {
  HostTensor tensor(dtype, {});
  tensor.setDouble(0, value);
  // The bytes are the key: 0.0 and -0.0 differ, and so do types.
  std::string key = dtypeName(dtype).str() + ":";
  key.append(tensor.data.begin(), tensor.data.end());
  std::string &name = constants[key];
  if (name.empty()) {
    name = freshName("scalar");
    addInitializer(fromTensor(name, std::move(tensor)));
  }
  return name;
}

//===----------------------------------------------------------------------===//
// Dimensions as data
//===----------------------------------------------------------------------===//

/// int64[1] with the size of the input dimension that is named so.
std::string GraphWriter::symbol(const std::string &name) {
  for (BlockArgument argument : func.getArguments())
    for (auto [axis, expr] : llvm::enumerate(dimsOf(argument)))
      if (expr == DimExpr::symbol(name))
        return node("Shape", {nameOf(argument)},
                    {Attr::of("start", int64_t(axis)),
                     Attr::of("end", int64_t(axis + 1))});
  fail(func, "no input has a dimension '" + name +
                 "', so ONNX has nothing to take its size from");
  return "";
}

std::string GraphWriter::dim(const DimExpr &expr) {
  if (std::optional<int64_t> value = expr.constant())
    return ints({*value});
  std::string &name = dimNames[expr.str()];
  if (!name.empty())
    return name;
  std::string sum;
  for (const auto &[monomial, coefficient] : expr.getTerms()) {
    std::string product;
    for (const std::string &factor : monomial) {
      DimExpr factorExpr = DimExpr::symbol(factor);
      std::string &known = dimNames[factorExpr.str()];
      if (known.empty())
        known = symbol(factor);
      std::string size = known;
      product = product.empty() ? size : node("Mul", {product, size});
    }
    if (product.empty())
      product = ints({coefficient});
    else if (coefficient != 1)
      product = node("Mul", {product, ints({coefficient})});
    sum = sum.empty() ? product : node("Add", {sum, product});
  }
  // Not `name`: the map may have grown.
  return dimNames[expr.str()] = sum;
}

std::string GraphWriter::dims(ArrayRef<DimExpr> dims) {
  SmallVector<std::string> parts;
  SmallVector<int64_t> run; // constants in a row become one piece
  auto flush = [&] {
    if (!run.empty())
      parts.push_back(ints(run));
    run.clear();
  };
  for (const DimExpr &expr : dims) {
    if (std::optional<int64_t> value = expr.constant()) {
      run.push_back(*value);
      continue;
    }
    flush();
    parts.push_back(dim(expr));
  }
  flush();
  if (parts.empty())
    return ints({});
  if (parts.size() == 1)
    return parts.front();
  return node("Concat", parts, {Attr::of("axis", int64_t(0))});
}

std::string GraphWriter::dimScalar(const DimExpr &expr) {
  if (std::optional<int64_t> value = expr.constant())
    return intScalar(*value);
  return node("Squeeze", {dim(expr), ints({0})});
}

} // namespace plmc::onnx_export
