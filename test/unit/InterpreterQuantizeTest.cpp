//===- InterpreterQuantizeTest.cpp - quantize, dequantize -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InterpreterTesting.h"

using namespace plmc;

namespace {

class InterpreterQuantize : public InterpreterTesting {
protected:
  /// The op on a value, a scale and, if there is one, a zero point.
  HostTensor apply(const std::string &op, llvm::ArrayRef<std::string> types,
                   const std::string &result, llvm::ArrayRef<HostTensor> inputs,
                   int axis = 0) {
    const char *names[] = {"%x", "%s", "%z"};
    std::string arguments, operandTypes;
    for (auto [index, type] : llvm::enumerate(types)) {
      arguments += std::string(index ? ", " : "") + names[index] + ": " + type;
      operandTypes += (index ? ", " : "") + type;
    }
    return run(arguments, result,
               "%r = plm." + op + " %x scale %s" +
                   (types.size() > 2 ? " zero_point %z" : "") +
                   " {axis = " + std::to_string(axis) + " : i64} : (" +
                   operandTypes + ") -> " + result,
               inputs);
  }
};

TEST_F(InterpreterQuantize, RoundsHalfToEvenAndSaturates) {
  HostTensor x = f32({10}, {0.25, 0.75, 1.25, -0.25, -0.75, 63.4, 64, -64.5,
                            infinity, -infinity});
  HostTensor half = f32({}, {0.5});
  expectTensor(apply("quantize", {"tensor<10xf32>", "tensor<f32>"},
                     "tensor<10xi8>", {x, half}),
               {10}, {0, 2, 2, 0, -2, 127, 127, -128, 127, -128});
  HostTensor ten = makeTensor(DType::U8, {}, {10});
  expectTensor(apply("quantize",
                     {"tensor<10xf32>", "tensor<f32>", "tensor<ui8>"},
                     "tensor<10xui8>", {x, half, ten}),
               {10}, {10, 12, 12, 10, 8, 137, 138, 0, 255, 0});
}

TEST_F(InterpreterQuantize, TheQuotientIsRoundedToTheInputsType) {
  // 0.35 / 0.1 is 3.5 in f32, though 0.35f / 0.1f is a little less.
  HostTensor x = f32({1}, {0.35f}), scale = f32({}, {0.1f});
  ASSERT_LT(double(0.35f) / double(0.1f), 3.5);
  ASSERT_EQ(0.35f / 0.1f, 3.5f);
  expectTensor(apply("quantize", {"tensor<1xf32>", "tensor<f32>"},
                     "tensor<1xi8>", {x, scale}),
               {1}, {4});
}

TEST_F(InterpreterQuantize, ScalesAlongAnAxis) {
  HostTensor x = f32({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  HostTensor scale = f32({2}, {1, 2}),
             zero = makeTensor(DType::I8, {2}, {1, -1});
  std::string type = "tensor<2x2x2xf32>", s = "tensor<2xf32>",
              z = "tensor<2xi8>", narrow = "tensor<2x2x2xi8>";
  expectTensor(apply("quantize", {type, s, z}, narrow, {x, scale, zero}, 0),
               {2, 2, 2}, {2, 3, 4, 5, 1, 2, 3, 3});
  expectTensor(apply("quantize", {type, s, z}, narrow, {x, scale, zero}, 1),
               {2, 2, 2}, {2, 3, 1, 1, 6, 7, 3, 3});
  expectTensor(apply("quantize", {type, s, z}, narrow, {x, scale, zero}, 2),
               {2, 2, 2}, {2, 0, 4, 1, 6, 2, 8, 3});
}

TEST_F(InterpreterQuantize, CodebookLookup) {
  std::string codes = "tensor<2x2xui8>", books = "tensor<2x3x2xf32>",
              result = "tensor<2x4xf32>";
  std::string body = "%r = plm.codebook_lookup %c, %b : (" + codes + ", " +
                     books + ") -> " + result,
              arguments = "%c: " + codes + ", %b: " + books;
  HostTensor b = f32({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  expectTensor(run(arguments, result, body,
                   {makeTensor(DType::U8, {2, 2}, {0, 2, 2, 0}), b}),
               {2, 4}, {0, 1, 10, 11, 4, 5, 6, 7});
  auto bad = runBody(arguments, result, body,
                     {makeTensor(DType::U8, {2, 2}, {0, 2, 3, 0}), b});
  ASSERT_FALSE(bool(bad));
  EXPECT_NE(llvm::toString(bad.takeError()).find("code 3 is not in [0, 3)"),
            std::string::npos);
}

TEST_F(InterpreterQuantize, Dequantize) {
  HostTensor x = makeTensor(DType::U8, {2, 2}, {0, 255, 128, 127});
  HostTensor zero = makeTensor(DType::U8, {}, {128});
  expectTensor(apply("dequantize",
                     {"tensor<2x2xui8>", "tensor<f32>", "tensor<ui8>"},
                     "tensor<2x2xf32>", {x, f32({}, {0.5}), zero}),
               {2, 2}, {-64, 63.5, 0, -0.5});
  HostTensor y = makeTensor(DType::I8, {2, 2}, {-128, 127, 1, 2});
  expectTensor(apply("dequantize", {"tensor<2x2xi8>", "tensor<2xf32>"},
                     "tensor<2x2xf32>", {y, f32({2}, {1, 10})}, 0),
               {2, 2}, {-128, 127, 10, 20});
  expectTensor(apply("dequantize", {"tensor<2x2xi8>", "tensor<2xf32>"},
                     "tensor<2x2xf32>", {y, f32({2}, {1, 10})}, 1),
               {2, 2}, {-128, 1270, 1, 20});
  HostTensor bias = makeTensor(DType::I32, {2}, {1 << 20, -3});
  expectTensor(apply("dequantize", {"tensor<2xi32>", "tensor<f32>"},
                     "tensor<2xf32>", {bias, f32({}, {0.25})}),
               {2}, {1 << 18, -0.75});
}

TEST_F(InterpreterQuantize, ScalesThatDoNotFitAtRunTime) {
  std::string type = "tensor<?xf32, #plm.dims<\"n\">>";
  std::string message =
      fail("%x: " + type + ", %s: " + type, "tensor<?xi8, #plm.dims<\"n\">>",
           "%r = plm.quantize %x scale %s : (" + type + ", " + type +
               ") -> tensor<?xi8, #plm.dims<\"n\">>",
           {f32({2}, {1, 2}), f32({3}, {1, 2, 3})});
  EXPECT_CONTAINS(message, "dimension 'n'");
}

} // namespace
