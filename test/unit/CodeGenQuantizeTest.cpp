//===- CodeGenQuantizeTest.cpp - 8-bit values against the interpreter -----===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"

using namespace plmc;
using namespace plmc::test;

namespace {

std::string asText(const HostTensor &values) {
  std::string text;
  llvm::raw_string_ostream os(text);
  attrFromTensor(values, &context()).print(os);
  return text;
}

HostTensor bytes(Random &random, DType dtype, llvm::ArrayRef<int64_t> shape) {
  HostTensor tensor(dtype, shape);
  for (char &byte : tensor.data)
    byte = char(random.engine());
  return tensor;
}

HostTensor scales(Random &random, llvm::ArrayRef<int64_t> shape) {
  HostTensor tensor = random.floats(shape, 0.01f);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.as<float>()[i] = std::abs(tensor.as<float>()[i]) + 0.001f;
  return tensor;
}

std::string nameOf(DType dtype) {
  return dtype == DType::U8 ? "ui8" : dtype == DType::I8 ? "i8" : "f32";
}

/// "tensor<2x3xi8>".
std::string typeOf(DType dtype, llvm::ArrayRef<int64_t> shape) {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text + nameOf(dtype) + ">";
}

/// Compiles and compares, with one thread and with two.
void check(const std::string &text, llvm::ArrayRef<HostTensor> inputs,
           double tolerance) {
  SCOPED_TRACE(text.substr(text.find("func.func")));
  auto want = interpretText(text, inputs);
  ASSERT_EQ(want.size(), 1u);
  auto model = compile(text);
  ASSERT_TRUE(model);
  for (int threads : {1, 2}) {
    auto context = model->createContext(threads);
    auto got = (*context)->run(inputs);
    ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
    expectClose((*got)[0], want[0], tolerance);
  }
}

/// An 8-bit parameter @NAME and what dequantises it to %NAME. `along` is the
/// axis of the scales, or -1.
struct Weight {
  std::string parameters, body;
};
Weight quantizedWeight(Random &random, const std::string &name, DType dtype,
                       llvm::ArrayRef<int64_t> shape, int along,
                       bool zeroPoint) {
  llvm::SmallVector<int64_t> list;
  if (along >= 0)
    list.push_back(shape[along]);
  Weight result;
  auto add = [&](const std::string &symbol, const HostTensor &values) {
    result.parameters +=
        "plm.parameter @" + symbol + " = " + asText(values) + "\n";
    result.body += "%" + symbol + " = plm.get_parameter @" + symbol + " : " +
                   typeOf(values.dtype, values.shape) + "\n";
  };
  std::string raw = name + "8", s = name + "_scale", z = name + "_zero";
  add(raw, bytes(random, dtype, shape));
  add(s, scales(random, list));
  if (zeroPoint)
    add(z, bytes(random, dtype, list));
  std::string types = typeOf(dtype, shape) + ", " + typeOf(DType::F32, list) +
                      (zeroPoint ? ", " + typeOf(dtype, list) : std::string());
  result.body += "%" + name + " = plm.dequantize %" + raw + " scale %" + s +
                 (zeroPoint ? " zero_point %" + z : std::string()) +
                 " {axis = " + std::to_string(std::max(along, 0)) +
                 " : i64} : (" + types + ") -> " + typeOf(DType::F32, shape) +
                 "\n";
  return result;
}

} // namespace

TEST(CodeGenQuantize, QuantizeAndDequantize) {
  Random random(1);
  HostTensor x = random.floats({3, 5, 7}, 40);
  float *values = x.as<float>();
  const float special[] = {0,      -0.0f,   INFINITY, -INFINITY, NAN,
                           0.5f,   1.5f,    2.5f,     -0.5f,     -2.5f,
                           127.5f, -128.5f, 1e30f};
  std::copy(std::begin(special), std::end(special), values);
  std::string t = "tensor<?x?x7xf32, #plm.dims<\"b\", \"s\", \"7\">>";
  for (DType dtype : {DType::I8, DType::U8})
    for (int axis : {-1, 2}) {
      std::string narrow =
          "tensor<?x?x7x" + nameOf(dtype) + ", #plm.dims<\"b\", \"s\", \"7\">>";
      llvm::SmallVector<int64_t> list;
      if (axis >= 0)
        list.push_back(7);
      HostTensor scale = scales(random, list),
                 zero = bytes(random, dtype, list);
      scale.as<float>()[0] = 1;
      std::string s = typeOf(DType::F32, list), z = typeOf(dtype, list);
      std::string along =
          " {axis = " + std::to_string(std::max(axis, 0)) + " : i64} : (";
      std::string signature =
          "func.func @forward(%x: " + t + ", %s: " + s + ", %z: " + z + ") -> ";
      std::string quantize = "%q = plm.quantize %x scale %s zero_point %z" +
                             along + t + ", " + s + ", " + z + ") -> " +
                             narrow + "\n";
      check(signature + narrow + " {\n" + quantize + "return %q : " + narrow +
                "\n}\n",
            {x, scale, zero}, 0);
      check(signature + t + " {\n" + quantize +
                "%d = plm.dequantize %q scale %s zero_point %z" + along +
                narrow + ", " + s + ", " + z + ") -> " + t +
                "\nreturn %d : " + t + "\n}\n",
            {x, scale, zero}, 1e-7);
    }
  HostTensor wide(DType::I32, {4});
  const int32_t wides[] = {0, -7, 1 << 20, INT32_MAX};
  std::copy(std::begin(wides), std::end(wides), wide.as<int32_t>());
  check("func.func @forward(%x: tensor<4xi32>, %s: tensor<f32>) -> "
        "tensor<4xf32> {\n%d = plm.dequantize %x scale %s : (tensor<4xi32>, "
        "tensor<f32>) -> tensor<4xf32>\nreturn %d : tensor<4xf32>\n}\n",
        {wide, scales(random, {})}, 1e-7);
}

TEST(CodeGenQuantize, LinearWith8BitWeights) {
  Random random(2);
  const std::pair<int64_t, int64_t> sizes[] = {
      {5, 3}, {33, 17}, {32, 64}, {7, 130}};
  for (auto [k, n] : sizes)
    for (DType dtype : {DType::I8, DType::U8})
      for (bool perChannel : {false, true})
        for (bool zeroPoint : {false, true}) {
          // Each of these with some other thing.
          bool transposed = perChannel != zeroPoint;
          bool bias = perChannel, activation = zeroPoint;
          llvm::SmallVector<int64_t> shape{k, n};
          if (transposed)
            std::swap(shape[0], shape[1]);
          int along = perChannel ? (transposed ? 0 : 1) : -1;
          Weight weight =
              quantizedWeight(random, "w", dtype, shape, along, zeroPoint);
          auto type = [](int64_t width) {
            return llvm::formatv("tensor<?x{0}xf32, #plm.dims<\"n\", \"{0}\">>",
                                 width)
                .str();
          };
          std::string text = "module {\n" + weight.parameters;
          if (bias)
            text += parameter(random, "b", {n});
          text += "func.func @forward(%x: " + type(k) + ", %r: " + type(n) +
                  ") -> " + type(n) + " {\n" + weight.body;
          if (bias)
            text +=
                "%b = plm.get_parameter @b : " + typeOf(DType::F32, {n}) + "\n";
          text += "%y = plm.linear %x, %w" +
                  std::string(bias ? " bias %b" : "") +
                  (transposed ? " transposed" : "") + " : (" + type(k) + ", " +
                  typeOf(DType::F32, shape) +
                  (bias ? ", " + typeOf(DType::F32, {n}) : std::string()) +
                  ") -> " + type(n) + "\n";
          if (activation)
            text += "%a = plm.activation relu %y : (" + type(n) + ") -> " +
                    type(n) + "\n";
          text += "%z = plm.binary add %" +
                  std::string(activation ? "a" : "y") + ", %r : (" + type(n) +
                  ", " + type(n) + ") -> " + type(n) +
                  "\nreturn %z : " + type(n) + "\n}\n}\n";
          for (int64_t rows : {1, 13})
            check(text, {random.floats({rows, k}), random.floats({rows, n})},
                  1e-6);
        }
}

/// A product of an input that was quantized (by numbers that are inputs, too)
/// with signed weights: codes with codes, as many exporters write it.
TEST(CodeGenQuantize, LinearOfQuantizedInput) {
  Random random(6);
  const std::pair<int64_t, int64_t> sizes[] = {{33, 17}, {384, 70}};
  for (auto [k, n] : sizes)
    for (DType dtype : {DType::I8, DType::U8})
      for (bool perChannel : {false, true})
        for (bool zeroPoint : {false, true}) {
          bool transposed = perChannel != zeroPoint;
          llvm::SmallVector<int64_t> shape{k, n};
          if (transposed)
            std::swap(shape[0], shape[1]);
          int along = perChannel ? (transposed ? 0 : 1) : -1;
          Weight weight =
              quantizedWeight(random, "w", DType::I8, shape, along, false);
          auto type = [](int64_t width, const std::string &element = "f32") {
            return llvm::formatv("tensor<?x{0}x{1}, #plm.dims<\"n\", \"{0}\">>",
                                 width, element)
                .str();
          };
          std::string code = nameOf(dtype), zero = "tensor<" + code + ">";
          std::string scaled =
              " scale %s" + std::string(zeroPoint ? " zero_point %o" : "");
          std::string types =
              ", tensor<f32>" + (zeroPoint ? ", " + zero : std::string());
          std::string text =
              "module {\n" + weight.parameters + parameter(random, "b", {n}) +
              "func.func @forward(%x: " + type(k) +
              ", %s: tensor<f32>, %o: " + zero + ") -> " + type(n) + " {\n" +
              weight.body +
              "%b = plm.get_parameter @b : " + typeOf(DType::F32, {n}) +
              "\n%q = plm.quantize %x" + scaled + " : (" + type(k) + types +
              ") -> " + type(k, code) + "\n%d = plm.dequantize %q" + scaled +
              " : (" + type(k, code) + types + ") -> " + type(k) +
              "\n%y = plm.linear %d, %w bias %b" +
              (transposed ? " transposed" : "") + " : (" + type(k) + ", " +
              typeOf(DType::F32, shape) + ", " + typeOf(DType::F32, {n}) +
              ") -> " + type(n) + "\nreturn %y : " + type(n) + "\n}\n}\n";
          HostTensor scale = HostTensor(DType::F32, {}),
                     offset = bytes(random, dtype, {});
          scale.as<float>()[0] = 0.0037f; // some codes saturate
          for (int64_t rows : {1, 2, 13, 40})
            check(text, {random.floats({rows, k}), scale, offset}, 1e-6);
        }
}

TEST(CodeGenQuantize, ScalesAlongTheInnerDimension) {
  // No kernel has scales along K: the weight is dequantised at run time.
  Random random(3);
  Weight weight = quantizedWeight(random, "w", DType::I8, {6, 5}, 0, true);
  check("module {\n" + weight.parameters +
            "func.func @forward(%x: tensor<4x6xf32>) -> tensor<4x5xf32> {\n" +
            weight.body +
            "%y = plm.linear %x, %w : (tensor<4x6xf32>, tensor<6x5xf32>) -> "
            "tensor<4x5xf32>\nreturn %y : tensor<4x5xf32>\n}\n}\n",
        {random.floats({4, 6})}, 1e-6);
}

/// Embeddings with 8-bit tables, a dynamic quantisation of their sum, and
/// attention with 8-bit projections.
static std::string encoder(Random &random, int tableAxis, int64_t h,
                           bool dynamic) {
  std::string parameters, body;
  auto add = [&](const Weight &weight) {
    parameters += weight.parameters;
    body += weight.body;
  };
  std::string width = std::to_string(h);
  add(quantizedWeight(random, "word", DType::U8, {40, h}, tableAxis, true));
  add(quantizedWeight(random, "position", DType::I8, {64, h}, 1 - tableAxis,
                      false));
  for (const char *name : {"wq", "wk", "wv"})
    add(quantizedWeight(random, name, DType::U8, {h, h},
                        *name == 'w' && name[1] == 'k' ? -1 : 1, true));
  std::string ids = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
  std::string t = "tensor<?x?x" + width + "xf32, #plm.dims<\"b\", \"s\", \"" +
                  width + "\">>";
  std::string row = "tensor<1x?x" + width + "xf32, #plm.dims<\"1\", \"s\", \"" +
                    width + "\">>";
  std::string w = typeOf(DType::F32, {h, h});
  body += "%e = plm.embedding %ids, %word : (" + ids + ", " +
          typeOf(DType::F32, {40, h}) + ") -> " + t + "\n";
  body += "%p = plm.position_embedding %position {offset = 2 : i64} : (" +
          typeOf(DType::F32, {64, h}) + ") -> " + row + "\n";
  body +=
      "%x = plm.binary add %e, %p : (" + t + ", " + row + ") -> " + t + "\n";
  std::string input = "x";
  if (dynamic) {
    std::string narrow = "tensor<?x?x" + width +
                         "xi8, #plm.dims<\"b\", \"s\", \"" + width + "\">>";
    body += "%abs = plm.unary abs %x : (" + t + ") -> " + t + "\n";
    body +=
        "%max = plm.reduce max %abs [0, 1, 2] : (" + t + ") -> tensor<f32>\n";
    body += "%c = plm.constant dense<1.27e+02> : tensor<f32> : tensor<f32>\n";
    body += "%s = plm.binary div %max, %c : (tensor<f32>, tensor<f32>) -> "
            "tensor<f32>\n";
    body += "%q8 = plm.quantize %x scale %s : (" + t + ", tensor<f32>) -> " +
            narrow + "\n";
    body += "%xq = plm.dequantize %q8 scale %s : (" + narrow +
            ", tensor<f32>) -> " + t + "\n";
    input = "xq";
  }
  for (const char *name : {"q", "k", "v"})
    body += llvm::formatv("%{0} = plm.linear %{1}, %w{0} : ({2}, {3}) -> {2}\n",
                          name, input, t, w);
  body += "%a = plm.attention %q, %k, %v mask %mask {num_heads = 2 : i64, "
          "scale = 0.1 : f64} : (" +
          t + ", " + t + ", " + t + ", " + ids + ") -> " + t + "\n";
  return "module {\n" + parameters + "func.func @forward(%ids: " + ids +
         ", %mask: " + ids + ") -> " + t + " {\n" +
         "plm.constraint \"62 - s\", \"too long\"\n" + body +
         "return %a : " + t + "\n}\n}\n";
}

TEST(CodeGenQuantize, EmbeddingsAndAttention) {
  Random random(4);
  for (int64_t width : {16, 22})
    for (int tableAxis : {0, 1})
      for (bool dynamic : {false, true}) {
        std::string text = encoder(random, tableAxis, width, dynamic);
        auto model = compile(text);
        ASSERT_TRUE(model);
        for (int threads : {1, 2})
          for (int64_t length : {1, 9, 20}) {
            HostTensor mask(DType::I64, {3, length});
            for (int64_t i = 0; i < 3 * length; ++i)
              mask.as<int64_t>()[i] =
                  i % length < length - 2 * (i / length) || i % length == 0;
            std::vector<HostTensor> inputs{random.ints({3, length}, 40), mask};
            auto context = model->createContext(threads);
            auto got = (*context)->run(inputs);
            ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
            auto want = interpretText(text, inputs);
            if (!dynamic) {
              expectClose((*got)[0], want[0], 1e-5, &mask);
              continue;
            }
            // Every position has a part in the scale, so all are computed.
            expectClose((*got)[0], want[0], 1e-5);
          }
      }
}

TEST(CodeGenQuantize, WeightsStay8Bit) {
  Random random(5);
  Weight weight = quantizedWeight(random, "w", DType::I8, {256, 512}, 1, false);
  std::string text =
      "module {\n" + weight.parameters +
      "func.func @forward(%x: tensor<4x256xf32>) -> tensor<4x512xf32> {\n" +
      weight.body +
      "%y = plm.linear %x, %w : (tensor<4x256xf32>, tensor<256x512xf32>) -> "
      "tensor<4x512xf32>\nreturn %y : tensor<4x512xf32>\n}\n}\n";
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  mlir::PassManager pm(&context());
  buildLoweringPipeline(pm, {});
  ASSERT_TRUE(mlir::succeeded(pm.run(*module)));
  std::string path = PLMC_TEST_TMP "/stays-8-bit.so";
  auto result = emitLibrary(*module, {}, OutputKind::SharedLibrary, path);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  llvm::sys::fs::remove(path);
  EXPECT_LT(result->weightBytes, 256u * 512 + 512 * 4 + 4096);
}
