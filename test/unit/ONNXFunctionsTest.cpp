//===- ONNXFunctionsTest.cpp - Model-local functions, sparse tensors ------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ONNXTesting.h"

using namespace plmc;

namespace {

constexpr int32_t F32 = onnx::TensorProto::FLOAT;
using Names = llvm::ArrayRef<const char *>;

onnx::NodeProto &addNode(onnx::FunctionProto &f, const char *type, Names inputs,
                         Names outputs, const char *domain = "") {
  onnx::NodeProto &node = *f.add_node();
  node.set_op_type(type);
  node.set_domain(domain);
  for (const char *input : inputs)
    node.add_input(input);
  for (const char *output : outputs)
    node.add_output(output);
  return node;
}

void setFloat(onnx::AttributeProto &attr, const char *name, float value) {
  attr.set_name(name);
  attr.set_type(onnx::AttributeProto::FLOAT);
  attr.set_f(value);
}

void setReference(onnx::NodeProto &node, const char *name, const char *outer,
                  onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto &attr = *node.add_attribute();
  attr.set_name(name);
  attr.set_type(type);
  attr.set_ref_attr_name(outer);
}

class ONNXFunctions : public ONNXTesting {
protected:
  onnx::FunctionProto &function(ModelBuilder &m, const char *name, Names inputs,
                                Names outputs, int64_t opset = 17) {
    onnx::FunctionProto &f = *m.model.add_functions();
    f.set_domain("local");
    f.set_name(name);
    for (const char *input : inputs)
      f.add_input(input);
    for (const char *output : outputs)
      f.add_output(output);
    f.add_opset_import()->set_version(opset);
    return f;
  }
  onnx::NodeProto &call(ModelBuilder &m, const char *name, Names inputs,
                        Names outputs) {
    onnx::NodeProto &node = m.node(name, inputs, outputs);
    node.set_domain("local");
    return node;
  }
  HostTensor evaluate(ModelBuilder &m, llvm::ArrayRef<HostTensor> inputs) {
    m.output("y");
    std::vector<HostTensor> results = run(import(m), inputs);
    return results.empty() ? HostTensor() : results.front();
  }
};

/// Scale(x; by = 2) = x * by, and Twice(x; factor) = Scale(Scale(x; factor)).
void addScale(ModelBuilder &m, onnx::FunctionProto &scale,
              onnx::FunctionProto &twice) {
  setFloat(*scale.add_attribute_proto(), "by", 2);
  setReference(addNode(scale, "Constant", {}, {"t"}), "value_float", "by",
               onnx::AttributeProto::FLOAT);
  addNode(scale, "Mul", {"x", "t"}, {"y"});
  twice.add_attribute("factor");
  setReference(addNode(twice, "Scale", {"x"}, {"t"}, "local"), "by", "factor",
               onnx::AttributeProto::FLOAT);
  setReference(addNode(twice, "Scale", {"t"}, {"y"}, "local"), "by", "factor",
               onnx::AttributeProto::FLOAT);
}

/// The inner functions' x, t and y are others than the caller's.
TEST_F(ONNXFunctions, NestedWithAttributesAndNamesOfTheirOwn) {
  ModelBuilder m;
  m.input("x", F32, {"2"});
  addScale(m, function(m, "Scale", {"x"}, {"y"}),
           function(m, "Twice", {"x"}, {"y"}));
  setFloat(*call(m, "Twice", {"x"}, {"t"}).add_attribute(), "factor", 3);
  m.node("Add", {"t", "x"}, {"y"});
  expectTensor(evaluate(m, {f32({2}, {1, 2})}), {2}, {10, 20});
}

TEST_F(ONNXFunctions, AnAttributeThatTheCallLeavesOutHasItsDefault) {
  ModelBuilder m;
  m.input("x", F32, {"2"});
  addScale(m, function(m, "Scale", {"x"}, {"y"}),
           function(m, "Twice", {"x"}, {"y"}));
  call(m, "Twice", {"x"}, {"y"}); // no factor: by = 2, twice
  expectTensor(evaluate(m, {f32({2}, {1, 2})}), {2}, {4, 8});
}

/// Before opset 13 Softmax took everything from the axis on as one dimension.
TEST_F(ONNXFunctions, OperatorSetsOfTheirOwn) {
  for (int64_t opset : {12, 13}) {
    ModelBuilder m(17);
    m.input("x", F32, {"1", "2", "2"});
    setAttr(addNode(function(m, "Soft", {"x"}, {"y"}, opset), "Softmax", {"x"},
                    {"y"}),
            "axis", int64_t(1));
    call(m, "Soft", {"x"}, {"y"});
    double each = opset == 12 ? 0.25 : 0.5;
    expectTensor(evaluate(m, {f32({1, 2, 2}, {7, 7, 7, 7})}), {1, 2, 2},
                 {each, each, each, each});
  }
  ModelBuilder m;
  m.input("x", F32, {"2"});
  addNode(function(m, "Old", {"x"}, {"y"}, 7), "Relu", {"x"}, {"y"});
  call(m, "Old", {"x"}, {"y"});
  m.output("y");
  expectRefusal(m, ImportError::Kind::Unsupported, "operator set 7");
}

/// A function of the model is what its name means, also of a known operator.
TEST_F(ONNXFunctions, StandInForOperators) {
  ModelBuilder m;
  m.input("x", F32, {"2"});
  onnx::FunctionProto &f = function(m, "FastGelu", {"x"}, {"y"});
  f.set_domain("com.microsoft");
  addNode(f, "Neg", {"x"}, {"y"});
  m.node("FastGelu", {"x"}, {"y"}).set_domain("com.microsoft");
  expectTensor(evaluate(m, {f32({2}, {1, 2})}), {2}, {-1, -2});
}

TEST_F(ONNXFunctions, OptionalInputsThatTheCallLeavesOut) {
  ModelBuilder m;
  m.input("x", F32, {"2"});
  onnx::FunctionProto &f = function(m, "Bound", {"x", "low", "high"}, {"y"});
  addNode(f, "Clip", {"x", "low", "high"}, {"y"});
  m.floats("two", {}, {2});
  call(m, "Bound", {"x", "", "two"}, {"y"});
  expectTensor(evaluate(m, {f32({2}, {1, 5})}), {2}, {1, 2});
}

//===----------------------------------------------------------------------===//
// Sparse initializers
//===----------------------------------------------------------------------===//

class ONNXSparse : public ONNXFunctions {
protected:
  onnx::SparseTensorProto &sparse(ModelBuilder &m, llvm::ArrayRef<int64_t> dims,
                                  llvm::ArrayRef<float> values,
                                  llvm::ArrayRef<int64_t> indexDims,
                                  llvm::ArrayRef<int64_t> indices) {
    onnx::SparseTensorProto &s = *m.graph().add_sparse_initializer();
    for (int64_t dim : dims)
      s.add_dims(dim);
    s.mutable_values()->set_name("w");
    s.mutable_values()->set_data_type(F32);
    s.mutable_values()->add_dims(values.size());
    for (float value : values)
      s.mutable_values()->add_float_data(value);
    s.mutable_indices()->set_data_type(onnx::TensorProto::INT64);
    for (int64_t dim : indexDims)
      s.mutable_indices()->add_dims(dim);
    for (int64_t index : indices)
      s.mutable_indices()->add_int64_data(index);
    return s;
  }
  void addSum(ModelBuilder &m) {
    m.input("x", F32, {"2", "3"});
    m.node("Add", {"x", "w"}, {"y"});
  }
};

TEST_F(ONNXSparse, AreMadeDense) {
  HostTensor zero = f32({2, 3}, {0, 0, 0, 0, 0, 0});
  ModelBuilder linear;
  addSum(linear);
  sparse(linear, {2, 3}, {5, 7}, {2}, {1, 5});
  expectTensor(evaluate(linear, {zero}), {2, 3}, {0, 5, 0, 0, 0, 7});
  ModelBuilder rows;
  addSum(rows);
  sparse(rows, {2, 3}, {5, 7}, {2, 2}, {0, 1, 1, 2});
  expectTensor(evaluate(rows, {zero}), {2, 3}, {0, 5, 0, 0, 0, 7});
}

TEST_F(ONNXSparse, ThatAreDamagedAreRefused) {
  auto refused = [&](llvm::ArrayRef<int64_t> dims,
                     llvm::ArrayRef<int64_t> indexDims,
                     llvm::ArrayRef<int64_t> indices, const char *message,
                     ImportError::Kind kind = ImportError::Kind::BadModel) {
    ModelBuilder m;
    addSum(m);
    m.output("y");
    sparse(m, dims, {5, 7}, indexDims, indices);
    expectRefusal(m, kind, message);
  };
  refused({2, 3}, {2}, {1, 6}, "an index outside");
  refused({2, 3}, {2}, {1, -1}, "an index outside");
  refused({2, 3}, {2, 2}, {0, 1, 0, 3}, "an index outside");
  refused({2, 3}, {1}, {1}, "do not fit");
  refused({2, -3}, {2}, {0, 1}, "impossible");
  refused({1LL << 40, 1LL << 40}, {2}, {0, 1}, "impossible");
  refused({1LL << 20, 1LL << 20}, {2}, {0, 1}, "store it densely",
          ImportError::Kind::Unsupported);
}

} // namespace
