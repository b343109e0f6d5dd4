//===- InterpreterTransformerOpsTest.cpp - Transformer operations by hand -===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InterpreterTesting.h"

namespace plmc {

using TransformerOpsTest = InterpreterTesting;

TEST_F(TransformerOpsTest, Embedding) {
  HostTensor table = f32({3, 2}, {1, 2, 3, 4, 5, 6});
  expectTensor(binary("embedding", "", "tensor<1x3xi64>", "tensor<3x2xf32>",
                      "tensor<1x3x2xf32>", i64({1, 3}, {2, 0, 2}), table),
               {1, 3, 2}, {5, 6, 1, 2, 5, 6});
  for (double id : {-1.0, 3.0})
    EXPECT_CONTAINS(fail("%a: tensor<1xi64>, %b: tensor<3x2xf32>",
                         "tensor<1x2xf32>",
                         "%r = plm.embedding %a, %b : (tensor<1xi64>, "
                         "tensor<3x2xf32>) -> tensor<1x2xf32>",
                         {i64({1}, {id}), table}),
                    "is not in [0, 3)");
}

TEST_F(TransformerOpsTest, PositionEmbedding) {
  HostTensor table = f32({3, 2}, {1, 2, 3, 4, 5, 6});
  expectTensor(unary("position_embedding", "", "tensor<3x2xf32>",
                     "tensor<1x2x2xf32>", table),
               {1, 2, 2}, {1, 2, 3, 4});
  expectTensor(unary("position_embedding", "{offset = 1 : i64}",
                     "tensor<3x2xf32>", "tensor<1x2x2xf32>", table),
               {1, 2, 2}, {3, 4, 5, 6});
  EXPECT_CONTAINS(fail("%a: tensor<3x2xf32>", "tensor<1x2x2xf32>",
                       "%r = plm.position_embedding %a {offset = 2 : i64} : "
                       "(tensor<3x2xf32>) -> tensor<1x2x2xf32>",
                       {table}),
                  "leaves the table of 3 positions");
}

TEST_F(TransformerOpsTest, Linear) {
  HostTensor x = f32({1, 2, 2}, {1, 2, 3, 4});
  HostTensor weight = f32({2, 3}, {1, 0, -1, 2, 1, 0});
  HostTensor bias = f32({3}, {10, 20, 30});
  std::string out = "tensor<1x2x3xf32>";
  expectTensor(binary("linear", "", "tensor<1x2x2xf32>", "tensor<2x3xf32>", out,
                      x, weight),
               {1, 2, 3}, {5, 2, -1, 11, 4, -3});
  expectTensor(run("%x: tensor<1x2x2xf32>, %w: tensor<2x3xf32>, "
                   "%b: tensor<3xf32>",
                   out,
                   "%r = plm.linear %x, %w bias %b : (tensor<1x2x2xf32>, "
                   "tensor<2x3xf32>, tensor<3xf32>) -> " +
                       out,
                   {x, weight, bias}),
               {1, 2, 3}, {15, 22, 29, 21, 24, 27});
  expectTensor(run("%x: tensor<1x2x2xf32>, %w: tensor<3x2xf32>, "
                   "%b: tensor<3xf32>",
                   out,
                   "%r = plm.linear %x, %w bias %b transposed : "
                   "(tensor<1x2x2xf32>, tensor<3x2xf32>, tensor<3xf32>) -> " +
                       out,
                   {x, f32({3, 2}, {1, 2, 0, 1, -1, 0}), bias}),
               {1, 2, 3}, {15, 22, 29, 21, 24, 27});
  // Weights of another width.
  HostTensor half = makeTensor(DType::F16, {2, 3}, {1, 0, -1, 2, 1, 0});
  expectTensor(binary("linear", "", "tensor<1x2x2xf32>", "tensor<2x3xf16>", out,
                      x, half),
               {1, 2, 3}, {5, 2, -1, 11, 4, -3});
}

/// Two heads, D = 1, Dv = 2, three keys: one query that sees every key alike.
const char *const attentionBody =
    "%r = plm.attention %q, %k, %v mask %m {num_heads = 2 : i64, scale = 0.5 : "
    "f64} : (tensor<1x2x2xf32>, tensor<1x3x2xf32>, tensor<1x3x4xf32>, MASK) "
    "-> tensor<1x2x4xf32>";

static std::string withMask(std::string text, const std::string &type) {
  return text.replace(text.find("MASK"), 4, type);
}

TEST_F(TransformerOpsTest, AttentionWithUnequalHeadSizes) {
  HostTensor q = f32({1, 2, 2}, {0, 2, 2, 0});
  HostTensor k = f32({1, 3, 2}, {0, 1, 1, 0, 7, 7});
  HostTensor v = f32({1, 3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, infinity, notANumber,
                                 infinity, notANumber});
  auto eval = [&](const HostTensor &mask, const std::string &type) {
    return run("%q: tensor<1x2x2xf32>, %k: tensor<1x3x2xf32>, "
               "%v: tensor<1x3x4xf32>, %m: " +
                   type,
               "tensor<1x2x4xf32>", withMask(attentionBody, type),
               {q, k, v, mask});
  };
  // Key 2 is masked, so that its values do not matter. Query 0: head 0 has
  // scores 0, 0; head 1 has 0.5 * 2 * {1, 0}. Query 1 the other way round.
  const double p = 0.7310585786; // e / (e + 1)
  std::vector<double> expected = {3,
                                  4,
                                  3 * p + 7 * (1 - p),
                                  4 * p + 8 * (1 - p),
                                  1 * (1 - p) + 5 * p,
                                  2 * (1 - p) + 6 * p,
                                  5,
                                  6};
  expectTensor(eval(i64({1, 3}, {1, 1, 0}), "tensor<1x3xi64>"), {1, 2, 4},
               expected);
  expectTensor(eval(f32({1, 3}, {1, -0.5, 0}), "tensor<1x3xf32>"), {1, 2, 4},
               expected);
  expectTensor(
      eval(makeTensor(DType::Bool, {1, 3}, {1, 1, 0}), "tensor<1x3xi1>"),
      {1, 2, 4}, expected);
  // A single key in the middle.
  expectTensor(eval(i64({1, 3}, {0, 1, 0}), "tensor<1x3xi64>"), {1, 2, 4},
               {5, 6, 7, 8, 5, 6, 7, 8});
  // No key at all.
  expectTensor(eval(i64({1, 3}, {0, 0, 0}), "tensor<1x3xi64>"), {1, 2, 4},
               {0, 0, 0, 0, 0, 0, 0, 0});
}

TEST_F(TransformerOpsTest, AttentionPerSequence) {
  std::string type = "tensor<2x2x1xf32>";
  HostTensor zero = f32({2, 2, 1}, {0, 0, 0, 0});
  HostTensor v = f32({2, 2, 1}, {1, 3, 10, 30});
  expectTensor(run("%q: " + type + ", %v: " + type + ", %m: tensor<2x2xi64>",
                   type,
                   "%r = plm.attention %q, %q, %v mask %m {num_heads = 1 : "
                   "i64, scale = 1.0 : f64} : (" +
                       type + ", " + type + ", " + type +
                       ", tensor<2x2xi64>) -> " + type,
                   {zero, v, i64({2, 2}, {1, 1, 0, 1})}),
               {2, 2, 1}, {2, 2, 30, 30});
  expectTensor(run("%q: " + type + ", %v: " + type, type,
                   "%r = plm.attention %q, %q, %v {num_heads = 1 : i64, "
                   "scale = 1.0 : f64} : (" +
                       type + ", " + type + ", " + type + ") -> " + type,
                   {zero, v}),
               {2, 2, 1}, {2, 2, 20, 20});
}

TEST_F(TransformerOpsTest, LayerNorm) {
  HostTensor x = f32({2, 2}, {1, 3, 5, 5});
  HostTensor gamma = f32({2}, {2, 3}), beta = f32({2}, {10, 20});
  expectTensor(run("%x: tensor<2x2xf32>, %g: tensor<2xf32>, %b: tensor<2xf32>",
                   "tensor<2x2xf32>",
                   "%r = plm.layer_norm %x, %g beta %b {epsilon = 0.0 : f64} : "
                   "(tensor<2x2xf32>, tensor<2xf32>, tensor<2xf32>) -> "
                   "tensor<2x2xf32>",
                   {f32({2, 2}, {1, 3, 7, 5}), gamma, beta}),
               {2, 2}, {8, 23, 12, 17});
  expectTensor(run("%x: tensor<2x2xf32>, %g: tensor<2xf32>", "tensor<2x2xf32>",
                   "%r = plm.layer_norm %x, %g {epsilon = 3.0 : f64} : "
                   "(tensor<2x2xf32>, tensor<2xf32>) -> tensor<2x2xf32>",
                   {x, gamma}),
               {2, 2}, {-1, 1.5, 0, 0}); // sqrt(1 + 3) = 2
}

TEST_F(TransformerOpsTest, Activations) {
  HostTensor x = f32({4}, {1, -1, 2, -3});
  auto eval = [&](const std::string &kind) {
    return run("%a: tensor<4xf32>", "tensor<4xf32>",
               "%r = plm.activation " + kind +
                   " %a : (tensor<4xf32>) -> tensor<4xf32>",
               {x});
  };
  HostTensor gelu = eval("gelu");
  expectTensor(gelu, {4},
               {0.8413447461, -0.1586552539, 1.9544997361, -0.0040496941});
  // To float's precision in the tail as well.
  EXPECT_NEAR(gelu.getDouble(3), -0.004049694095, 3e-10);
  expectTensor(eval("gelu_tanh"), {4},
               {0.8411919906, -0.1588080094, 1.9545976940, -0.0036373920});
  expectTensor(eval("relu"), {4}, {1, 0, 2, 0});
  expectTensor(eval("silu"), {4},
               {0.7310585786, -0.2689414214, 1.7615941560, -0.1422776195});
  expectTensor(eval("tanh"), {4},
               {0.7615941560, -0.7615941560, 0.9640275801, -0.9950547537});
  expectTensor(eval("sigmoid"), {4},
               {0.7310585786, 0.2689414214, 0.8807970780, 0.0474258732});
}

TEST_F(TransformerOpsTest, Pool) {
  HostTensor x = f32({2, 2, 2}, {1, -2, 3, -4, 5, 6, 7, 8});
  auto eval = [&](const std::string &kind, const HostTensor &mask) {
    return run("%x: tensor<2x2x2xf32>, %m: tensor<2x2xi64>", "tensor<2x2xf32>",
               "%r = plm.pool " + kind +
                   " %x mask %m : (tensor<2x2x2xf32>, tensor<2x2xi64>) -> "
                   "tensor<2x2xf32>",
               {x, mask});
  };
  auto evalAll = [&](const std::string &kind) {
    return run("%x: tensor<2x2x2xf32>", "tensor<2x2xf32>",
               "%r = plm.pool " + kind +
                   " %x : (tensor<2x2x2xf32>) -> tensor<2x2xf32>",
               {x});
  };
  HostTensor mask = i64({2, 2}, {0, 1, 0, 0});
  expectTensor(evalAll("first"), {2, 2}, {1, -2, 5, 6});
  expectTensor(evalAll("mean"), {2, 2}, {2, -3, 6, 7});
  expectTensor(evalAll("max"), {2, 2}, {3, -2, 7, 8});
  expectTensor(eval("first", mask), {2, 2}, {1, -2, 5, 6});
  expectTensor(eval("mean", mask), {2, 2}, {3, -4, 0, 0});
  expectTensor(eval("max", mask), {2, 2}, {3, -4, -1e9, -1e9});
  // A weight counts as kept, not as a factor.
  expectTensor(eval("mean", i64({2, 2}, {5, 1, 1, 1})), {2, 2}, {2, -3, 6, 7});
}

TEST_F(TransformerOpsTest, L2Normalize) {
  expectTensor(unary("l2_normalize", "", "tensor<2x2xf32>", "tensor<2x2xf32>",
                     f32({2, 2}, {3, -4, 0, 0})),
               {2, 2}, {0.6, -0.8, 0, 0});
  expectTensor(unary("l2_normalize", "{epsilon = 10.0 : f64}",
                     "tensor<1x2xf32>", "tensor<1x2xf32>",
                     f32({1, 2}, {3, -4})),
               {1, 2}, {0.3, -0.4});
}

} // namespace plmc
