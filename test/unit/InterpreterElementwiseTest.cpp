//===- InterpreterElementwiseTest.cpp - unary, binary, select, cast -------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InterpreterTesting.h"

namespace plmc {

using ElementwiseTest = InterpreterTesting;

TEST_F(ElementwiseTest, UnaryFloats) {
  HostTensor x = f32({4}, {-1.5, 0.5, 2.5, 4});
  auto eval = [&](const std::string &kind) {
    return run("%a: tensor<4xf32>", "tensor<4xf32>",
               "%r = plm.unary " + kind +
                   " %a : (tensor<4xf32>) -> tensor<4xf32>",
               {x});
  };
  expectTensor(eval("neg"), {4}, {1.5, -0.5, -2.5, -4});
  expectTensor(eval("abs"), {4}, {1.5, 0.5, 2.5, 4});
  expectTensor(eval("exp"), {4}, {0.22313016, 1.6487213, 12.182494, 54.59815});
  expectTensor(eval("log"), {4},
               {notANumber, -0.6931472, 0.9162907, 1.3862944});
  expectTensor(eval("sqrt"), {4}, {notANumber, 0.70710678, 1.5811388, 2});
  expectTensor(eval("rsqrt"), {4}, {notANumber, 1.4142136, 0.6324555, 0.5});
  expectTensor(eval("reciprocal"), {4}, {-0.6666667, 2, 0.4, 0.25});
  expectTensor(eval("erf"), {4}, {-0.9661051, 0.5204999, 0.9995930, 1});
  expectTensor(eval("floor"), {4}, {-2, 0, 2, 4});
  expectTensor(eval("ceil"), {4}, {-1, 1, 3, 4});
  expectTensor(eval("sin"), {4},
               {-0.9974950, 0.4794255, 0.5984721, -0.7568025});
  expectTensor(eval("cos"), {4},
               {0.0707372, 0.8775826, -0.8011436, -0.6536436});
  expectTensor(eval("sign"), {4}, {-1, 1, 1, 1});
  expectTensor(eval("round"), {4}, {-2, 0, 2, 4}); // half to even
  expectTensor(eval("softplus"), {4},
               {0.2014133, 0.9740770, 2.5788897, 4.0181499});
}

TEST_F(ElementwiseTest, UnaryPredicatesAndIntegers) {
  HostTensor x = f32({3}, {notANumber, -infinity, 1});
  expectTensor(run("%a: tensor<3xf32>", "tensor<3xi1>",
                   "%r = plm.unary isnan %a : (tensor<3xf32>) -> tensor<3xi1>",
                   {x}),
               {3}, {1, 0, 0});
  expectTensor(run("%a: tensor<3xf32>", "tensor<3xi1>",
                   "%r = plm.unary isinf %a : (tensor<3xf32>) -> tensor<3xi1>",
                   {x}),
               {3}, {0, 1, 0});
  expectTensor(run("%a: tensor<2xi1>", "tensor<2xi1>",
                   "%r = plm.unary not %a : (tensor<2xi1>) -> tensor<2xi1>",
                   {makeTensor(DType::Bool, {2}, {1, 0})}),
               {2}, {0, 1});
  HostTensor least(DType::I64, {1});
  least.setInt(0, INT64_MIN);
  for (const char *kind : {"neg", "abs"}) // wraps
    EXPECT_EQ(run("%a: tensor<1xi64>", "tensor<1xi64>",
                  std::string("%r = plm.unary ") + kind +
                      " %a : (tensor<1xi64>) -> tensor<1xi64>",
                  {least})
                  .getInt(0),
              INT64_MIN);
  EXPECT_CONTAINS(fail("%a: tensor<1xi64>", "tensor<1xi64>",
                       "%r = plm.unary exp %a : (tensor<1xi64>) -> "
                       "tensor<1xi64>",
                       {least}),
                  "exp is not defined on integers");
}

TEST_F(ElementwiseTest, BinaryBroadcasts) {
  expectTensor(binary("binary sub", "", "tensor<2x1xf32>", "tensor<3xf32>",
                      "tensor<2x3xf32>", f32({2, 1}, {10, 20}),
                      f32({3}, {1, 2, 3})),
               {2, 3}, {9, 8, 7, 19, 18, 17});
  expectTensor(binary("binary pow", "", "tensor<f32>", "tensor<2xf32>",
                      "tensor<2xf32>", f32({}, {3}), f32({2}, {2, 0.5})),
               {2}, {9, 1.7320508});
  // A size of 1 against 0.
  expectTensor(binary("binary add", "", "tensor<1xf32>", "tensor<0xf32>",
                      "tensor<0xf32>", f32({1}, {3}), f32({0}, {})),
               {0}, {});
}

TEST_F(ElementwiseTest, BinaryFloatKinds) {
  auto eval = [&](const std::string &kind, bool predicate = false) {
    return binary("binary " + kind, "", "tensor<4xf32>", "tensor<4xf32>",
                  predicate ? "tensor<4xi1>" : "tensor<4xf32>",
                  f32({4}, {-5, 3, 2, notANumber}), f32({4}, {3, -2, 2, 1}));
  };
  expectTensor(eval("mul"), {4}, {-15, -6, 4, notANumber});
  expectTensor(eval("div"), {4}, {-5 / 3.0, -1.5, 1, notANumber});
  expectTensor(eval("mod"), {4}, {-2, 1, 0, notANumber}); // the dividend's sign
  expectTensor(eval("min"), {4}, {-5, -2, 2, notANumber});
  expectTensor(eval("max"), {4}, {3, 3, 2, notANumber});
  expectTensor(eval("eq", true), {4}, {0, 0, 1, 0});
  expectTensor(eval("ne", true), {4}, {1, 1, 0, 1});
  expectTensor(eval("lt", true), {4}, {1, 0, 0, 0});
  expectTensor(eval("le", true), {4}, {1, 0, 1, 0});
  expectTensor(eval("gt", true), {4}, {0, 1, 0, 0});
  expectTensor(eval("ge", true), {4}, {0, 1, 1, 0});
}

TEST_F(ElementwiseTest, BinaryIntegers) {
  auto eval = [&](const std::string &kind) {
    return binary("binary " + kind, "", "tensor<4xi64>", "tensor<4xi64>",
                  "tensor<4xi64>", i64({4}, {-7, 7, 6, 3}),
                  i64({4}, {2, -2, 3, -1}));
  };
  expectTensor(eval("div"), {4}, {-3, -3, 2, -3}); // truncates
  expectTensor(eval("mod"), {4}, {1, -1, 0, 0});   // the divisor's sign
  expectTensor(eval("pow"), {4}, {49, 0, 216, 0});
  expectTensor(eval("and"), {4}, {-7 & 2, 7 & -2, 2, 3});
  expectTensor(eval("or"), {4}, {-7 | 2, 7 | -2, 7, -1});
  expectTensor(eval("xor"), {4}, {-7 ^ 2, 7 ^ -2, 5, -4});

  // Narrow types wrap at their own width.
  expectTensor(binary("binary add", "", "tensor<1xi8>", "tensor<1xi8>",
                      "tensor<1xi8>", makeTensor(DType::I8, {1}, {100}),
                      makeTensor(DType::I8, {1}, {100})),
               {1}, {-56});
  expectTensor(binary("binary sub", "", "tensor<1xui8>", "tensor<1xui8>",
                      "tensor<1xui8>", makeTensor(DType::U8, {1}, {1}),
                      makeTensor(DType::U8, {1}, {2})),
               {1}, {255});
  HostTensor greatest(DType::I64, {1});
  greatest.setInt(0, INT64_MAX);
  EXPECT_EQ(binary("binary add", "", "tensor<1xi64>", "tensor<1xi64>",
                   "tensor<1xi64>", greatest, i64({1}, {1}))
                .getInt(0),
            INT64_MIN);
}

TEST_F(ElementwiseTest, IntegerDivisionFailures) {
  auto message = [&](const std::string &kind, const HostTensor &a,
                     const HostTensor &b, const std::string &type) {
    return fail("%a: " + type + ", %b: " + type, type,
                "%r = plm.binary " + kind + " %a, %b : (" + type + ", " + type +
                    ") -> " + type,
                {a, b});
  };
  HostTensor least(DType::I64, {1});
  least.setInt(0, INT64_MIN);
  EXPECT_CONTAINS(message("div", least, i64({1}, {-1}), "tensor<1xi64>"),
                  "overflows");
  EXPECT_CONTAINS(message("div", makeTensor(DType::I32, {1}, {-2147483648.0}),
                          makeTensor(DType::I32, {1}, {-1}), "tensor<1xi32>"),
                  "overflows");
  EXPECT_CONTAINS(message("mod", least, i64({1}, {0}), "tensor<1xi64>"),
                  "modulo by zero");
  EXPECT_CONTAINS(
      message("pow", i64({1}, {0}), i64({1}, {-1}), "tensor<1xi64>"),
      "negative power");
}

TEST_F(ElementwiseTest, Select) {
  expectTensor(run("%c: tensor<2x1xi1>, %t: tensor<f32>, %f: tensor<1x3xf32>",
                   "tensor<2x3xf32>",
                   "%r = plm.select %c, %t, %f : (tensor<2x1xi1>, tensor<f32>, "
                   "tensor<1x3xf32>) -> tensor<2x3xf32>",
                   {makeTensor(DType::Bool, {2, 1}, {1, 0}), f32({}, {-9}),
                    f32({1, 3}, {1, 2, 3})}),
               {2, 3}, {-9, -9, -9, 1, 2, 3});
}

TEST_F(ElementwiseTest, Casts) {
  // Out of range saturates, NaN gives 0.
  expectTensor(unary("cast", "", "tensor<5xf32>", "tensor<5xi32>",
                     f32({5}, {-1.9, 2.9, notANumber, infinity, -1e20})),
               {5}, {-1, 2, 0, 2147483647.0, -2147483648.0});
  EXPECT_EQ(unary("cast", "", "tensor<1xf64>", "tensor<1xi64>",
                  makeTensor(DType::F64, {1}, {1e300}))
                .getInt(0),
            INT64_MAX);
  expectTensor(
      unary("cast", "", "tensor<2xf32>", "tensor<2xui8>", f32({2}, {-3, 300})),
      {2}, {0, 255});
  expectTensor(unary("cast", "", "tensor<3xf32>", "tensor<3xi1>",
                     f32({3}, {0.5, 0, notANumber})),
               {3}, {1, 0, 1});
  expectTensor(
      unary("cast", "", "tensor<2xi64>", "tensor<2xi8>", i64({2}, {300, -1})),
      {2}, {44, -1});
  expectTensor(unary("cast", "", "tensor<2xi1>", "tensor<2xf32>",
                     makeTensor(DType::Bool, {2}, {1, 0})),
               {2}, {1, 0});
  expectTensor(unary("cast", "", "tensor<2xf32>", "tensor<2xf16>",
                     f32({2}, {1.0 + 1 / 4096.0, 1e6})),
               {2}, {1, infinity});
  expectTensor(unary("cast", "", "tensor<1xbf16>", "tensor<1xf32>",
                     makeTensor(DType::BF16, {1}, {1.5})),
               {1}, {1.5});
  // 2^53 + 1 rounded once: by way of double it would land on 2^53.
  HostTensor large(DType::I64, {1});
  large.setInt(0, (int64_t(1) << 54) + (int64_t(1) << 30) + 1);
  EXPECT_EQ(
      unary("cast", "", "tensor<1xi64>", "tensor<1xf32>", large).as<float>()[0],
      static_cast<float>(large.getInt(0)));
}

} // namespace plmc
