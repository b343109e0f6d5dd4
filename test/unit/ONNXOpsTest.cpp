//===- ONNXOpsTest.cpp - Operators through import and interpreter ---------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where the handlers do more than pass a node on: composite operators, axes
// in both forms, clamps, differences between operator sets.
//
//===----------------------------------------------------------------------===//

#include "ONNXTesting.h"

using namespace plmc;

namespace {

constexpr int32_t F32 = onnx::TensorProto::FLOAT;
constexpr int32_t I64 = onnx::TensorProto::INT64;
constexpr int32_t Bool = onnx::TensorProto::BOOL;

class ONNXOps : public ONNXTesting {
protected:
  /// The output "y" of the model.
  HostTensor evaluate(ModelBuilder &m, llvm::ArrayRef<HostTensor> inputs) {
    m.output("y");
    std::vector<HostTensor> results = run(import(m), inputs);
    return results.empty() ? HostTensor() : results.front();
  }
  /// x[starts:ends:steps] along axis 0 of a dynamic [n].
  HostTensor slice(int64_t start, int64_t end, int64_t step) {
    ModelBuilder m;
    m.input("x", F32, {"n"});
    m.intVector("start", {start});
    m.intVector("end", {end});
    m.intVector("axis", {0});
    m.intVector("step", {step});
    m.node("Slice", {"x", "start", "end", "axis", "step"}, {"y"});
    return evaluate(m, {f32({4}, {0, 1, 2, 3})});
  }
};

TEST_F(ONNXOps, SliceOfADynamicDimension) {
  expectTensor(slice(1, INT64_MAX, 1), {3}, {1, 2, 3});
  expectTensor(slice(0, 2, 1), {2}, {0, 1});
  expectTensor(slice(-1, INT64_MAX, 1), {1}, {3});
  expectTensor(slice(0, -1, 1), {3}, {0, 1, 2});
  expectTensor(slice(INT64_MIN, INT64_MAX, 1), {4}, {0, 1, 2, 3});
  expectTensor(slice(2, 1, 1), {0}, {});
  expectTensor(slice(-1, INT64_MIN, -1), {4}, {3, 2, 1, 0});
}

TEST_F(ONNXOps, SliceOfAConstantDimensionIsClamped) {
  auto slice = [&](int64_t start, int64_t end, int64_t step) {
    ModelBuilder m;
    m.input("x", F32, {"4"});
    m.intVector("start", {start});
    m.intVector("end", {end});
    m.intVector("axis", {-1});
    m.intVector("step", {step});
    m.node("Slice", {"x", "start", "end", "axis", "step"}, {"y"});
    return evaluate(m, {f32({4}, {0, 1, 2, 3})});
  };
  expectTensor(slice(1, 100, 2), {2}, {1, 3});
  expectTensor(slice(-100, 3, 2), {2}, {0, 2});
  expectTensor(slice(3, 0, -2), {2}, {3, 1});
  expectTensor(slice(100, -100, -3), {2}, {3, 0});
}

TEST_F(ONNXOps, SplitIntoUnequalParts) {
  ModelBuilder m;
  m.input("x", F32, {"2", "5"});
  m.intVector("sizes", {2, 3});
  setAttr(m.node("Split", {"x", "sizes"}, {"a", "y"}), "axis", int64_t(1));
  m.output("a");
  expectTensor(
      [&] {
        m.output("y");
        auto results =
            run(import(m), {f32({2, 5}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9})});
        return results.size() == 2 ? results[1] : HostTensor();
      }(),
      {2, 3}, {2, 3, 4, 7, 8, 9});
}

TEST_F(ONNXOps, Tile) {
  ModelBuilder m;
  m.input("x", F32, {"n", "2"});
  m.intVector("repeats", {2, 2});
  m.node("Tile", {"x", "repeats"}, {"y"});
  expectTensor(evaluate(m, {f32({1, 2}, {1, 2})}), {2, 4},
               {1, 2, 1, 2, 1, 2, 1, 2});
}

TEST_F(ONNXOps, TriluOfADynamicMatrix) {
  for (int64_t upper : {0, 1}) {
    ModelBuilder m;
    m.input("x", F32, {"n", "n"});
    m.ints("k", {}, {1});
    setAttr(m.node("Trilu", {"x", "k"}, {"y"}), "upper", upper);
    HostTensor x = f32({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9});
    if (upper)
      expectTensor(evaluate(m, {x}), {3, 3}, {0, 2, 3, 0, 0, 6, 0, 0, 0});
    else
      expectTensor(evaluate(m, {x}), {3, 3}, {1, 2, 0, 4, 5, 6, 7, 8, 9});
  }
}

TEST_F(ONNXOps, OneHotCountsNegativeIndicesFromTheEnd) {
  ModelBuilder m;
  m.input("ids", I64, {"n"});
  m.ints("depth", {}, {3});
  m.floats("values", {2}, {-1, 5});
  m.node("OneHot", {"ids", "depth", "values"}, {"y"});
  expectTensor(evaluate(m, {i64({2}, {1, -1})}), {2, 3},
               {-1, 5, -1, -1, -1, 5});
}

TEST_F(ONNXOps, RangeOverADimension) {
  ModelBuilder m;
  m.input("x", F32, {"n"});
  m.ints("zero", {}, {0});
  m.ints("two", {}, {2});
  m.node("Size", {"x"}, {"n"});
  m.node("Mul", {"n", "two"}, {"limit"});
  m.node("Range", {"zero", "limit", "two"}, {"y"});
  expectTensor(evaluate(m, {HostTensor(DType::F32, {3})}), {3}, {0, 2, 4});
}

TEST_F(ONNXOps, EinsumForms) {
  auto einsum = [&](const char *equation, llvm::ArrayRef<const char *> left,
                    llvm::ArrayRef<const char *> right, HostTensor x,
                    HostTensor y) {
    ModelBuilder m;
    m.input("a", F32, left);
    m.input("b", F32, right);
    setAttr(m.node("Einsum", {"a", "b"}, {"y"}), "equation", equation);
    return evaluate(m, {x, y});
  };
  HostTensor a = f32({2, 2}, {1, 2, 3, 4}), b = f32({2, 2}, {5, 6, 7, 8});
  expectTensor(einsum("ij,jk->ik", {"m", "k"}, {"k", "n"}, a, b), {2, 2},
               {19, 22, 43, 50});
  expectTensor(einsum("ij,kj->ki", {"m", "k"}, {"n", "k"}, a, b), {2, 2},
               {17, 39, 23, 53});
  expectTensor(einsum("ij,ij->j", {"m", "k"}, {"m", "k"}, a, b), {2}, {26, 44});
  expectTensor(einsum("i...,j->...", {"m", "k"},
                      {
                          "n",
                      },
                      a, f32({2}, {1, 2})),
               {2}, {12, 18});
  // Old ALBERT: heads apart in the weight.
  HostTensor x = f32({1, 1, 2, 1}, {1, 2}),
             w = f32({2, 1, 3}, {1, 2, 3, 4, 5, 6});
  expectTensor(
      einsum("bfnd,ndh->bfh", {"b", "s", "2", "1"}, {"2", "1", "3"}, x, w),
      {1, 1, 3}, {9, 12, 15});
}

TEST_F(ONNXOps, GemmScalesAndTransposes) {
  ModelBuilder m;
  m.input("a", F32, {"2", "n"});
  m.floats("b", {1, 2}, {3, 4});
  m.floats("c", {1}, {10});
  auto &node = m.node("Gemm", {"a", "b", "c"}, {"y"});
  setAttr(node, "transA", int64_t(1));
  setAttr(node, "transB", int64_t(1));
  auto &alpha = *node.add_attribute();
  alpha.set_name("alpha");
  alpha.set_type(onnx::AttributeProto::FLOAT);
  alpha.set_f(2);
  expectTensor(evaluate(m, {f32({2, 1}, {1, 2})}), {1, 1}, {32});
}

TEST_F(ONNXOps, MatMulOfVectors) {
  ModelBuilder m;
  m.input("a", F32, {"2"});
  m.input("b", F32, {"2"});
  m.node("MatMul", {"a", "b"}, {"y"});
  expectTensor(evaluate(m, {f32({2}, {1, 2}), f32({2}, {3, 4})}), {}, {11});
  ModelBuilder matrix;
  matrix.input("a", F32, {"2"});
  matrix.input("b", F32, {"2", "n"});
  matrix.node("MatMul", {"a", "b"}, {"y"});
  expectTensor(
      evaluate(matrix, {f32({2}, {1, 2}), f32({2, 3}, {1, 2, 3, 4, 5, 6})}),
      {3}, {9, 12, 15});
}

/// Before opset 13 everything from the axis on was one dimension.
TEST_F(ONNXOps, SoftmaxOfOldOperatorSets) {
  for (int64_t opset : {12, 13}) {
    ModelBuilder m(opset);
    m.input("x", F32, {"n", "2", "2"});
    setAttr(m.node("Softmax", {"x"}, {"y"}), "axis", int64_t(1));
    double each = opset == 12 ? 0.25 : 0.5;
    expectTensor(evaluate(m, {f32({1, 2, 2}, {7, 7, 7, 7})}), {1, 2, 2},
                 {each, each, each, each});
  }
}

TEST_F(ONNXOps, LayerNormalizationOverTwoDimensions) {
  ModelBuilder m;
  m.input("x", F32, {"n", "2", "2"});
  m.floats("scale", {2, 2}, {1, 1, 1, 2});
  m.floats("shift", {2, 2}, {0, 0, 0, 1});
  auto &node = m.node("LayerNormalization", {"x", "scale", "shift"}, {"y"});
  setAttr(node, "axis", int64_t(1));
  auto &epsilon = *node.add_attribute();
  epsilon.set_name("epsilon");
  epsilon.set_type(onnx::AttributeProto::FLOAT);
  epsilon.set_f(0);
  expectTensor(evaluate(m, {f32({1, 2, 2}, {-1, 1, -1, 1})}), {1, 2, 2},
               {-1, 1, -1, 3});
}

TEST_F(ONNXOps, AxesAsAttributeAndAsInput) {
  ModelBuilder old(12);
  old.input("x", F32, {"n", "2"});
  setAttr(old.node("ReduceSum", {"x"}, {"s"}), "axes",
          llvm::ArrayRef<int64_t>{-1});
  setAttr(old.node("Squeeze", {"s"}, {"y"}), "axes",
          llvm::ArrayRef<int64_t>{1});
  expectTensor(evaluate(old, {f32({1, 2}, {1, 2})}), {1}, {3});
  ModelBuilder recent(18);
  recent.input("x", F32, {"n", "2"});
  recent.intVector("axes", {-1});
  recent.intVector("none", {});
  recent.node("ReduceMax", {"x", "axes"}, {"s"});
  setAttr(recent.node("ReduceSum", {"s", "none"}, {"t"}),
          "noop_with_empty_axes", int64_t(1));
  recent.node("Squeeze", {"t", "axes"}, {"y"});
  expectTensor(evaluate(recent, {f32({1, 2}, {1, 2})}), {1}, {2});
}

TEST_F(ONNXOps, ClipBetweenInputs) {
  ModelBuilder m;
  m.input("x", F32, {"n"});
  m.floats("low", {}, {-1});
  m.node("Clip", {"x", "low"}, {"a"});
  m.floats("high", {}, {2});
  m.node("Clip", {"a", "", "high"}, {"y"});
  expectTensor(evaluate(m, {f32({3}, {-5, 0, 5})}), {3}, {-1, 0, 2});
}

TEST_F(ONNXOps, ModTakesTheSignItIsAskedFor) {
  for (int64_t fmod : {0, 1}) {
    ModelBuilder m;
    m.input("x", I64, {"n"});
    m.ints("three", {}, {3});
    setAttr(m.node("Mod", {"x", "three"}, {"y"}), "fmod", fmod);
    expectTensor(evaluate(m, {i64({2}, {-4, 4})}), {2}, {fmod ? -1.0 : 2.0, 1});
  }
}

TEST_F(ONNXOps, PadWithAConstant) {
  ModelBuilder m;
  m.input("x", F32, {"n", "1"});
  m.intVector("pads", {1, 0, 0, 2});
  m.floats("value", {}, {9});
  m.node("Pad", {"x", "pads", "value"}, {"y"});
  expectTensor(evaluate(m, {f32({1, 1}, {5})}), {2, 3}, {9, 9, 9, 5, 9, 9});
}

TEST_F(ONNXOps, ScatterIntoAConstant) {
  ModelBuilder m;
  m.input("x", F32, {"3"});
  m.floats("data", {3}, {0, 0, 0});
  m.ints("indices", {2, 1}, {-1, 0});
  m.floats("updates", {2}, {7, 8});
  m.node("ScatterND", {"data", "indices", "updates"}, {"s"});
  m.node("Add", {"x", "s"}, {"y"});
  expectTensor(evaluate(m, {f32({3}, {0, 0, 0})}), {3}, {8, 0, 7});
}

TEST_F(ONNXOps, LpNormalizationOfZero) {
  ModelBuilder m;
  m.input("x", F32, {"n", "2"});
  m.node("LpNormalization", {"x"}, {"y"});
  expectTensor(evaluate(m, {f32({2, 2}, {3, 4, 0, 0})}), {2, 2},
               {0.6, 0.8, 0, 0});
}

/// Two heads of one column each; the second query sees nothing.
TEST_F(ONNXOps, AttentionWithABooleanMask) {
  ModelBuilder m(23);
  m.input("q", F32, {"b", "s", "2"});
  m.input("k", F32, {"b", "t", "2"});
  m.input("v", F32, {"b", "t", "2"});
  m.input("mask", Bool, {"s", "t"});
  auto &node = m.node("Attention", {"q", "k", "v", "mask"}, {"y"});
  setAttr(node, "q_num_heads", int64_t(2));
  setAttr(node, "kv_num_heads", int64_t(2));
  HostTensor zeros(DType::F32, {1, 2, 2});
  HostTensor mask = makeTensor(DType::Bool, {2, 2}, {1, 1, 0, 0});
  expectTensor(evaluate(m, {zeros, zeros, f32({1, 2, 2}, {1, 2, 3, 4}), mask}),
               {1, 2, 2}, {2, 3, 0, 0});
}

/// One key head for two query heads, causal.
TEST_F(ONNXOps, AttentionWithGroupedQueries) {
  ModelBuilder m(23);
  m.input("q", F32, {"b", "2", "s", "1"});
  m.input("k", F32, {"b", "1", "s", "1"});
  m.input("v", F32, {"b", "1", "s", "1"});
  setAttr(m.node("Attention", {"q", "k", "v"}, {"y"}), "is_causal", int64_t(1));
  HostTensor q(DType::F32, {1, 2, 2, 1}), k(DType::F32, {1, 1, 2, 1});
  expectTensor(evaluate(m, {q, k, f32({1, 1, 2, 1}, {1, 3})}), {1, 2, 2, 1},
               {1, 2, 1, 2});
}

/// y[t] = x[t-1] + 10 x[t] + 100 x[t+1], of one channel, and a bias.
TEST_F(ONNXOps, ConvolutionAlongASequence) {
  ModelBuilder m;
  m.input("x", F32, {"b", "1", "s"});
  m.floats("w", {1, 1, 3}, {1, 10, 100});
  m.floats("bias", {1}, {1000});
  setAttr(m.node("Conv", {"x", "w", "bias"}, {"y"}), "pads",
          llvm::ArrayRef<int64_t>{1, 1});
  expectTensor(evaluate(m, {f32({1, 1, 3}, {1, 2, 3})}), {1, 1, 3},
               {1210, 1321, 1032});
}

/// Two channels to three, nothing padded, every second token.
TEST_F(ONNXOps, ConvolutionWithDilation) {
  ModelBuilder m;
  m.input("x", F32, {"b", "2", "s"});
  m.floats("w", {3, 2, 2}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1});
  setAttr(m.node("Conv", {"x", "w"}, {"y"}), "dilations",
          llvm::ArrayRef<int64_t>{2});
  expectTensor(evaluate(m, {f32({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})}),
               {1, 3, 2}, {1, 2, 3, 4, 12, 14});
}

} // namespace
