//===- ONNXQuantizeTest.cpp - Quantised operators through import ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ONNXTesting.h"

using namespace plmc;

namespace {

constexpr int32_t F32 = onnx::TensorProto::FLOAT;
constexpr int32_t I8 = onnx::TensorProto::INT8;
constexpr int32_t U8 = onnx::TensorProto::UINT8;
constexpr int32_t I32 = onnx::TensorProto::INT32;
constexpr int32_t I64 = onnx::TensorProto::INT64;

class ONNXQuantize : public ONNXTesting {
protected:
  ONNXQuantize() : m(21) {
    auto &contrib = *m.model.add_opset_import();
    contrib.set_domain("com.microsoft");
    contrib.set_version(1);
  }
  /// An initializer of a narrow integer type.
  void narrow(const char *name, int32_t type, llvm::ArrayRef<int64_t> dims,
              llvm::ArrayRef<int32_t> values) {
    onnx::TensorProto &proto = *m.graph().add_initializer();
    proto.set_name(name);
    proto.set_data_type(type);
    for (int64_t dim : dims)
      proto.add_dims(dim);
    for (int32_t value : values)
      proto.add_int32_data(value);
  }
  onnx::NodeProto &contrib(const char *opType,
                           llvm::ArrayRef<const char *> inputs) {
    onnx::NodeProto &node = m.node(opType, inputs, {"y"});
    node.set_domain("com.microsoft");
    return node;
  }
  HostTensor evaluate(llvm::ArrayRef<HostTensor> inputs) {
    m.output("y");
    std::vector<HostTensor> results = run(import(m), inputs);
    return results.empty() ? HostTensor() : results.front();
  }
  ModelBuilder m;
};

HostTensor u8(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<double> values) {
  return makeTensor(DType::U8, shape, values);
}

TEST_F(ONNXQuantize, QuantizeLinearTakesItsTypeFromTheZeroPoint) {
  m.input("x", F32, {"n", "2"});
  m.floats("s", {2}, {1, 2});
  narrow("z", I8, {2}, {0, 1});
  m.node("QuantizeLinear", {"x", "s", "z"}, {"y"});
  HostTensor y = evaluate({f32({2, 2}, {1, 2, -200, 400})});
  EXPECT_EQ(y.dtype, DType::I8);
  expectTensor(y, {2, 2}, {1, 2, -128, 127});
}

TEST_F(ONNXQuantize, QuantizeLinearToADeclaredType) {
  m.input("x", F32, {"n"});
  m.floats("s", {1}, {2}); // a list of one number is a number
  setAttr(m.node("QuantizeLinear", {"x", "s"}, {"y"}), "output_dtype",
          int64_t(I8));
  HostTensor y = evaluate({f32({2}, {-6, 3})});
  EXPECT_EQ(y.dtype, DType::I8);
  expectTensor(y, {2}, {-3, 2});
}

TEST_F(ONNXQuantize, DequantizeLinearAlongTheFirstAxis) {
  m.input("x", U8, {"2", "n"});
  m.floats("s", {2}, {1, 10});
  narrow("z", U8, {2}, {0, 5});
  setAttr(m.node("DequantizeLinear", {"x", "s", "z"}, {"y"}), "axis",
          int64_t(-2));
  expectTensor(evaluate({u8({2, 2}, {1, 2, 3, 255})}), {2, 2},
               {1, 2, -20, 2500});
}

TEST_F(ONNXQuantize, BlocksAreRefused) {
  m.input("x", U8, {"4", "2"});
  m.floats("s", {2, 2}, {1, 2, 3, 4});
  setAttr(m.node("DequantizeLinear", {"x", "s"}, {"y"}), "block_size",
          int64_t(2));
  m.output("y");
  expectRefusal(m, ImportError::Kind::Unsupported, "blocked quantization");
}

/// What QDQ models of 4 bits have; 8 is -8 in INT4.
TEST_F(ONNXQuantize, WeightsInBlocksOfFourBits) {
  m.input("x", F32, {"n", "3"});
  for (const char *name : {"w", "z"}) {
    onnx::TensorProto &tensor = *m.graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::INT4);
    tensor.add_dims(name[0] == 'w' ? 3 : 2);
    tensor.add_dims(1);
    tensor.set_raw_data(name[0] == 'w' ? std::string("\x81\x07", 2)
                                       : std::string("\x20", 1));
  }
  m.floats("s", {2, 1}, {0.5f, 10});
  auto &node = m.node("DequantizeLinear", {"w", "s", "z"}, {"d"});
  setAttr(node, "axis", int64_t(0));
  setAttr(node, "block_size", int64_t(2));
  m.node("MatMul", {"x", "d"}, {"y"});
  m.output("y");
  // 1 and -8 less 0, halved; 7 less 2, times 10.
  expectTensor(evaluate({f32({1, 3}, {1, 1, 1})}), {1, 1}, {0.5 - 4 + 50});
}

TEST_F(ONNXQuantize, ScalesThatDoNotFitAreRefused) {
  m.input("x", U8, {"4", "2"});
  m.floats("s", {3}, {1, 2, 3});
  m.node("DequantizeLinear", {"x", "s"}, {"y"});
  m.output("y");
  expectRefusal(m, ImportError::Kind::BadModel, "do not agree");
}

TEST_F(ONNXQuantize, AnAxisOutsideTheTensorIsRefused) {
  m.input("x", U8, {"4", "2"});
  m.floats("s", {3}, {1, 2, 3});
  setAttr(m.node("DequantizeLinear", {"x", "s"}, {"y"}), "axis", int64_t(7));
  m.output("y");
  refusal(m, ImportError::Kind::BadModel);
}

TEST_F(ONNXQuantize, DynamicQuantizeLinear) {
  // The examples of the specification.
  m.input("x", F32, {"n"});
  m.node("DynamicQuantizeLinear", {"x"}, {"y", "scale", "zero"});
  m.output("y");
  m.output("scale");
  m.output("zero");
  auto func = import(m);
  auto quantized = run(func, {f32({6}, {0, 2, -3, -2.5, 1.34, 0.5})});
  ASSERT_EQ(quantized.size(), 3u);
  expectTensor(quantized[0], {6}, {153, 255, 0, 26, 221, 179});
  expectTensor(quantized[1], {}, {0.0196078438});
  expectTensor(quantized[2], {}, {153});
  // The range always includes 0.
  quantized = run(func, {f32({6}, {-1.0, -2.1, -1.3, -2.5, -3.34, -4.0})});
  expectTensor(quantized[0], {6}, {191, 121, 172, 96, 42, 0});
  expectTensor(quantized[2], {}, {255});
  // Zeros: any scale does.
  quantized = run(func, {f32({2}, {0, 0})});
  expectTensor(quantized[0], {2}, {0, 0});
  expectTensor(quantized[1], {}, {1});
}

TEST_F(ONNXQuantize, MatMulInteger) {
  m.input("a", U8, {"n", "3"});
  narrow("b", I8, {3, 2}, {1, -4, 2, 5, -3, 6});
  narrow("az", U8, {1}, {12});
  narrow("bz", I8, {2}, {0, 1});
  m.node("MatMulInteger", {"a", "b", "az", "bz"}, {"y"});
  HostTensor y = evaluate({u8({1, 3}, {11, 7, 3})});
  EXPECT_EQ(y.dtype, DType::I32);
  // (-1, -5, -9) x [(1, -5), (2, 4), (-3, 5)]
  expectTensor(y, {1, 2}, {16, -60});
}

TEST_F(ONNXQuantize, MatMulIntegerIsExactFarBeyondFloats) {
  m.input("a", U8, {"1", "2000"});
  narrow("b", I8, {2000, 1}, std::vector<int32_t>(2000, 127));
  m.node("MatMulInteger", {"a", "b"}, {"y"});
  HostTensor a(DType::U8, {1, 2000});
  std::fill(a.data.begin(), a.data.end(), char(255));
  a.data[1] = 0;
  HostTensor y = evaluate({a});
  ASSERT_EQ(y.numElements(), 1);
  EXPECT_EQ(y.getInt(0), int64_t(255) * 127 * 1999);
}

TEST_F(ONNXQuantize, ZeroPointsOfRows) {
  m.input("a", U8, {"2", "2"});
  narrow("b", U8, {2, 2}, {1, 2, 3, 4});
  narrow("az", U8, {2}, {0, 1});
  m.node("MatMulInteger", {"a", "b", "az"}, {"y"});
  expectTensor(evaluate({u8({2, 2}, {1, 1, 1, 2})}), {2, 2}, {4, 6, 3, 4});
}

TEST_F(ONNXQuantize, QLinearMatMul) {
  // The example of the specification.
  m.input("a", U8, {"2", "4"});
  m.floats("as", {1}, {0.0066f});
  narrow("az", U8, {1}, {113});
  narrow("b", U8, {4, 3},
         {152, 51, 244, 60, 26, 255, 0, 127, 246, 127, 254, 247});
  m.floats("bs", {1}, {0.00705f});
  narrow("bz", U8, {1}, {114});
  m.floats("ys", {1}, {0.0107f});
  narrow("yz", U8, {1}, {118});
  m.node("QLinearMatMul", {"a", "as", "az", "b", "bs", "bz", "ys", "yz"},
         {"y"});
  expectTensor(evaluate({u8({2, 4}, {208, 236, 0, 238, 3, 214, 255, 29})}),
               {2, 3}, {168, 115, 255, 1, 66, 151});
}

TEST_F(ONNXQuantize, MatMulIntegerToFloat) {
  m.input("a", U8, {"n", "2"});
  narrow("b", I8, {2, 2}, {1, 2, 3, 4});
  m.floats("as", {}, {0.5f});
  m.floats("bs", {2}, {1, 10});
  narrow("az", U8, {}, {1});
  m.floats("bias", {2}, {100, 200});
  contrib("MatMulIntegerToFloat", {"a", "b", "as", "bs", "az", "", "bias"});
  expectTensor(evaluate({u8({1, 2}, {2, 3})}), {1, 2}, {103.5, 250});
}

TEST_F(ONNXQuantize, DynamicQuantizeMatMul) {
  m.input("a", F32, {"n", "2"});
  narrow("b", I8, {2, 2}, {1, 2, 3, 4});
  m.floats("bs", {1}, {2});
  contrib("DynamicQuantizeMatMul", {"a", "b", "bs"});
  // A range of 0 to 255 has the scale 1.
  expectTensor(evaluate({f32({2, 2}, {0, 255, 1.4, 2})}), {2, 2},
               {1530, 2040, 14, 20});
}

TEST_F(ONNXQuantize, QGemm) {
  m.input("a", U8, {"n", "2"});
  m.floats("as", {}, {0.5f});
  narrow("az", U8, {}, {1});
  narrow("b", I8, {2, 2}, {1, 2, 3, 4});
  m.floats("bs", {2}, {1, 2});
  narrow("bz", I8, {2}, {0, 0});
  narrow("c", I32, {2}, {10, 20});
  onnx::NodeProto &node =
      contrib("QGemm", {"a", "as", "az", "b", "bs", "bz", "c"});
  setAttr(node, "transB", int64_t(1));
  onnx::AttributeProto &alpha = *node.add_attribute();
  alpha.set_name("alpha");
  alpha.set_type(onnx::AttributeProto::FLOAT);
  alpha.set_f(2);
  // ((1, 2) x [(1, 3), (2, 4)] + (10, 20)) * 2 * 0.5 * (1, 2)
  expectTensor(evaluate({u8({1, 2}, {2, 3})}), {1, 2}, {15, 62});
}

TEST_F(ONNXQuantize, QAttentionOfOneToken) {
  // One token attends to itself: the result is its value projection.
  m.input("x", U8, {"b", "s", "2"});
  narrow("w", I8, {2, 6}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  m.floats("bias", {6}, {0, 0, 0, 0, 1, 2});
  m.floats("xs", {}, {0.5f});
  m.floats("ws", {6}, {1, 1, 1, 1, 1, 10});
  narrow("xz", U8, {}, {1});
  narrow("wz", I8, {6}, {0, 0, 0, 0, 1, 0});
  setAttr(contrib("QAttention", {"x", "w", "bias", "xs", "ws", "", "xz", "wz"}),
          "num_heads", int64_t(1));
  // (1, 2) x [(4, 6), (10, 12)] * 0.5 * (1, 10) + (1, 2)
  expectTensor(evaluate({u8({1, 1, 2}, {2, 3})}), {1, 1, 2}, {13, 152});
}

TEST_F(ONNXQuantize, WeightsStay8Bit) {
  m.input("x", F32, {"n", "2"});
  narrow("w", I8, {2, 2}, {1, 2, 3, 4});
  m.floats("s", {2}, {1, 10});
  setAttr(m.node("Cast", {"w"}, {"wf"}), "to", int64_t(F32));
  m.node("Mul", {"wf", "s"}, {"ws"});
  m.node("MatMul", {"x", "ws"}, {"y"});
  expectTensor(evaluate({f32({1, 2}, {1, 1})}), {1, 2}, {4, 60});
  module->walk([](plm::ParameterOp parameter) {
    if (parameter.getTensorType().getRank() == 2)
      EXPECT_TRUE(parameter.getTensorType().getElementType().isInteger(8));
  });
  EXPECT_EQ(count<plm::CastOp>(), 1u);
}

TEST_F(ONNXQuantize, ListsAreFolded) {
  m.input("x", F32, {"n", "2"});
  narrow("b", I32, {2}, {100, -200});
  m.floats("s", {}, {0.5f});
  m.node("DequantizeLinear", {"b", "s"}, {"bias"});
  m.node("Add", {"x", "bias"}, {"y"});
  expectTensor(evaluate({f32({1, 2}, {1, 1})}), {1, 2}, {51, -99});
  EXPECT_EQ(count<plm::DequantizeOp>(), 0u);
}

TEST_F(ONNXQuantize, QEmbedLayerNormalization) {
  m.input("ids", I64, {"b", "s"});
  narrow("word", U8, {3, 2}, {10, 11, 12, 10, 10, 14});
  narrow("position", U8, {4, 2}, {1, 0, 0, 1, 0, 0, 0, 0});
  narrow("gamma", U8, {2}, {2, 4});
  narrow("beta", U8, {2}, {0, 1});
  for (const char *name : {"ws", "ps", "gs", "bs"})
    m.floats(name, {}, {*name == 'g' ? 0.5f : 1.0f});
  narrow("wz", U8, {}, {10});
  narrow("zero", U8, {}, {0});
  contrib("QEmbedLayerNormalization",
          {"ids", "", "word", "position", "", "gamma", "beta", "", "ws", "ps",
           "", "gs", "bs", "wz", "zero", "", "zero", "zero"});
  // (2, 0) + (1, 0) and (0, 4) + (0, 1), normalised to (1, -1) and (-1, 1).
  expectTensor(evaluate({i64({1, 2}, {1, 2})}), {1, 2, 2}, {1, -1, -1, 3});
}

} // namespace
