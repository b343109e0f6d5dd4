//===- InterpreterTensorOpsTest.cpp - Tensor operations by hand -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InterpreterTesting.h"

namespace plmc {

using TensorOpsTest = InterpreterTesting;

TEST_F(TensorOpsTest, Movement) {
  HostTensor x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  expectTensor(
      unary("transpose", "[1, 0]", "tensor<2x3xf32>", "tensor<3x2xf32>", x),
      {3, 2}, {1, 4, 2, 5, 3, 6});
  expectTensor(unary("reshape", "", "tensor<2x3xf32>", "tensor<3x1x2xf32>", x),
               {3, 1, 2}, {1, 2, 3, 4, 5, 6});
  expectTensor(unary("broadcast", "", "tensor<3xf32>", "tensor<2x3xf32>",
                     f32({3}, {1, 2, 3})),
               {2, 3}, {1, 2, 3, 1, 2, 3});
  expectTensor(unary("broadcast", "", "tensor<2x1xi1>", "tensor<2x2xi1>",
                     makeTensor(DType::Bool, {2, 1}, {0, 1})),
               {2, 2}, {0, 0, 1, 1});
  HostTensor cube = f32({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  expectTensor(unary("transpose", "[2, 0, 1]", "tensor<2x2x2xf32>",
                     "tensor<2x2x2xf32>", cube),
               {2, 2, 2}, {0, 2, 4, 6, 1, 3, 5, 7});
}

TEST_F(TensorOpsTest, Slices) {
  HostTensor x = i64({2, 4}, {0, 1, 2, 3, 10, 11, 12, 13});
  expectTensor(unary("slice", "[\"1\", \"1\"] [1, 2]", "tensor<2x4xi64>",
                     "tensor<1x2xi64>", x),
               {1, 2}, {11, 13});
  // Backwards, from a start given by a dimension.
  std::string type = "tensor<?xi64, #plm.dims<\"n\">>";
  expectTensor(
      unary("slice", "[\"n - 1\"] [-1]", type, type, i64({3}, {7, 8, 9})), {3},
      {9, 8, 7});
  std::string result = "tensor<?xi64, #plm.dims<\"n - 2\">>";
  expectTensor(unary("slice", "[\"2\"] [1]", type, result, i64({2}, {7, 8})),
               {0}, {});
  EXPECT_CONTAINS(fail("%a: " + type, "tensor<2xi64>",
                       "%r = plm.slice %a [\"n - 3\"] [1] : (" + type +
                           ") -> tensor<2xi64>",
                       {i64({2}, {7, 8})}),
                  "2 elements from -1");
  EXPECT_CONTAINS(fail("%a: " + type, "tensor<2xi64>",
                       "%r = plm.slice %a [\"n - 1\"] [1] : (" + type +
                           ") -> tensor<2xi64>",
                       {i64({2}, {7, 8})}),
                  "leave the 2 there are");
  // One element far apart from nothing: the step does not matter.
  expectTensor(unary("slice", "[\"1\"] [9223372036854775807]", "tensor<2xi64>",
                     "tensor<1xi64>", i64({2}, {7, 8})),
               {1}, {8});
}

TEST_F(TensorOpsTest, Concat) {
  expectTensor(binary("concat", "axis 1", "tensor<2x1xf32>", "tensor<2x2xf32>",
                      "tensor<2x3xf32>", f32({2, 1}, {1, 2}),
                      f32({2, 2}, {3, 4, 5, 6})),
               {2, 3}, {1, 3, 4, 2, 5, 6});
}

TEST_F(TensorOpsTest, IotaAndShapeValue) {
  expectTensor(run("%a: tensor<?xf32, #plm.dims<\"n\">>",
                   "tensor<?xi64, #plm.dims<\"n\">>",
                   "%r = plm.iota \"n - 1\" step -2 : tensor<?xi64, "
                   "#plm.dims<\"n\">>",
                   {f32({3}, {0, 0, 0})}),
               {3}, {2, 0, -2});
  expectTensor(run("", "tensor<2xf32>",
                   "%r = plm.iota \"5\" step 1 : tensor<2xf32>", {}),
               {2}, {5, 6});
  expectTensor(run("%a: tensor<?xf32, #plm.dims<\"n\">>", "tensor<i32>",
                   "%r = plm.shape_value [\"12*n + 1\"] : tensor<i32>",
                   {f32({3}, {0, 0, 0})}),
               {}, {37});
}

TEST_F(TensorOpsTest, Gather) {
  HostTensor x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  expectTensor(binary("gather", "axis 1", "tensor<2x3xf32>", "tensor<2x2xi64>",
                      "tensor<2x2x2xf32>", x, i64({2, 2}, {-1, 0, 1, -3})),
               {2, 2, 2}, {3, 1, 2, 1, 6, 4, 5, 4});
  expectTensor(binary("gather", "axis 0", "tensor<2x3xf32>", "tensor<i32>",
                      "tensor<3xf32>", x, makeTensor(DType::I32, {}, {-1})),
               {3}, {4, 5, 6});
  for (double index : {3.0, -4.0})
    EXPECT_CONTAINS(fail("%a: tensor<2x3xf32>, %b: tensor<1xi64>",
                         "tensor<2x1xf32>",
                         "%r = plm.gather %a, %b axis 1 : (tensor<2x3xf32>, "
                         "tensor<1xi64>) -> tensor<2x1xf32>",
                         {x, i64({1}, {index})}),
                    "is not in [-3, 3)");
}

TEST_F(TensorOpsTest, GatherElements) {
  HostTensor x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  expectTensor(binary("gather_elements", "axis 1", "tensor<2x3xf32>",
                      "tensor<2x2xi64>", "tensor<2x2xf32>", x,
                      i64({2, 2}, {2, 0, -1, 1})),
               {2, 2}, {3, 1, 6, 5});
  expectTensor(binary("gather_elements", "axis 0", "tensor<2x3xf32>",
                      "tensor<1x2xi64>", "tensor<1x2xf32>", x,
                      i64({1, 2}, {1, 0})),
               {1, 2}, {4, 2});
  EXPECT_CONTAINS(fail("%a: tensor<2x3xf32>, %b: tensor<3x1xi64>",
                       "tensor<3x1xf32>",
                       "%r = plm.gather_elements %a, %b axis 1 : "
                       "(tensor<2x3xf32>, tensor<3x1xi64>) -> tensor<3x1xf32>",
                       {x, i64({3, 1}, {0, 0, 0})}),
                  "leave the data");
}

TEST_F(TensorOpsTest, GatherND) {
  HostTensor x = f32({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  expectTensor(binary("gather_nd", "batch_dims 0", "tensor<2x2x2xf32>",
                      "tensor<2x2xi64>", "tensor<2x2xf32>", x,
                      i64({2, 2}, {0, 1, -1, 0})),
               {2, 2}, {2, 3, 4, 5});
  expectTensor(binary("gather_nd", "batch_dims 1", "tensor<2x2x2xf32>",
                      "tensor<2x1xi64>", "tensor<2x2xf32>", x,
                      i64({2, 1}, {1, 0})),
               {2, 2}, {2, 3, 4, 5});
  EXPECT_CONTAINS(fail("%a: tensor<2x2x2xf32>, %b: tensor<1x3xi64>",
                       "tensor<1xf32>",
                       "%r = plm.gather_nd %a, %b batch_dims 0 : "
                       "(tensor<2x2x2xf32>, tensor<1x3xi64>) -> tensor<1xf32>",
                       {x, i64({1, 3}, {0, 2, 0})}),
                  "index 2 is not in [-2, 2)");
}

TEST_F(TensorOpsTest, Reduce) {
  HostTensor x = f32({2, 3}, {1, -2, 3, 4, 5, -6});
  auto rows = [&](const std::string &kind) {
    return run("%a: tensor<2x3xf32>", "tensor<2xf32>",
               "%r = plm.reduce " + kind +
                   " %a [1] : (tensor<2x3xf32>) -> tensor<2xf32>",
               {x});
  };
  expectTensor(rows("sum"), {2}, {2, 3});
  expectTensor(rows("mean"), {2}, {2 / 3.0, 1});
  expectTensor(rows("max"), {2}, {3, 5});
  expectTensor(rows("min"), {2}, {-2, -6});
  expectTensor(rows("prod"), {2}, {-6, -120});
  expectTensor(rows("l1"), {2}, {6, 15});
  expectTensor(rows("l2"), {2}, {3.7416574, 8.7749644});
  expectTensor(rows("sum_square"), {2}, {14, 77});
  expectTensor(run("%a: tensor<2x3xf32>", "tensor<1x3xf32>",
                   "%r = plm.reduce sum %a [0] keepdims : (tensor<2x3xf32>) "
                   "-> tensor<1x3xf32>",
                   {x}),
               {1, 3}, {5, 3, -3});
  expectTensor(run("%a: tensor<2x3xf32>", "tensor<f32>",
                   "%r = plm.reduce sum %a [0, 1] : (tensor<2x3xf32>) -> "
                   "tensor<f32>",
                   {x}),
               {}, {5});
  expectTensor(run("%a: tensor<2x3xi64>", "tensor<2xi64>",
                   "%r = plm.reduce mean %a [1] : (tensor<2x3xi64>) -> "
                   "tensor<2xi64>",
                   {i64({2, 3}, {1, 2, 5, -1, -2, -5})}),
               {2}, {2, -2});
  expectTensor(run("%a: tensor<1x0xf32>", "tensor<1xf32>",
                   "%r = plm.reduce max %a [1] : (tensor<1x0xf32>) -> "
                   "tensor<1xf32>",
                   {f32({1, 0}, {})}),
               {1}, {-infinity});
  EXPECT_CONTAINS(fail("%a: tensor<1x0xi64>", "tensor<1xi64>",
                       "%r = plm.reduce mean %a [1] : (tensor<1x0xi64>) -> "
                       "tensor<1xi64>",
                       {i64({1, 0}, {})}),
                  "mean of no integers");
}

TEST_F(TensorOpsTest, Softmax) {
  expectTensor(unary("softmax", "axis 1", "tensor<2x2xf32>", "tensor<2x2xf32>",
                     f32({2, 2}, {0, 1, 1000, 1001})),
               {2, 2}, {0.2689414, 0.7310586, 0.2689414, 0.7310586});
  expectTensor(unary("softmax", "axis 0", "tensor<2x2xf32>", "tensor<2x2xf32>",
                     f32({2, 2}, {0, 5, 1, 5})),
               {2, 2}, {0.2689414, 0.5, 0.7310586, 0.5});
  expectTensor(unary("softmax", "axis 1", "tensor<2x2xf32>", "tensor<2x2xf32>",
                     f32({2, 2}, {-infinity, -infinity, -infinity, 3})),
               {2, 2}, {notANumber, notANumber, 0, 1});
}

TEST_F(TensorOpsTest, CumSum) {
  HostTensor x = i64({2, 3}, {1, 2, 3, 4, 5, 6});
  auto eval = [&](const std::string &attributes) {
    return unary("cumsum", attributes, "tensor<2x3xi64>", "tensor<2x3xi64>", x);
  };
  expectTensor(eval("axis 1"), {2, 3}, {1, 3, 6, 4, 9, 15});
  expectTensor(eval("axis 1 exclusive"), {2, 3}, {0, 1, 3, 0, 4, 9});
  expectTensor(eval("axis 1 reverse"), {2, 3}, {6, 5, 3, 15, 11, 6});
  expectTensor(eval("axis 0 exclusive reverse"), {2, 3}, {4, 5, 6, 0, 0, 0});
}

TEST_F(TensorOpsTest, Matmul) {
  expectTensor(binary("matmul", "", "tensor<2x3xf32>", "tensor<3x2xf32>",
                      "tensor<2x2xf32>", f32({2, 3}, {1, 2, 3, 4, 5, 6}),
                      f32({3, 2}, {1, 0, 0, 1, 1, -1})),
               {2, 2}, {4, -1, 10, -1});
  // Batches broadcast: [2,1,1,2] x [2,2,1] -> [2,2,1,1].
  expectTensor(binary("matmul", "", "tensor<2x1x1x2xf32>", "tensor<2x2x1xf32>",
                      "tensor<2x2x1x1xf32>", f32({2, 1, 1, 2}, {1, 2, 3, 4}),
                      f32({2, 2, 1}, {1, 1, 10, 100})),
               {2, 2, 1, 1}, {3, 210, 7, 430});
  expectTensor(binary("matmul", "", "tensor<1x2xi64>", "tensor<2x1xi64>",
                      "tensor<1x1xi64>", i64({1, 2}, {3, -4}),
                      i64({2, 1}, {5, 6})),
               {1, 1}, {-9});
  expectTensor(binary("matmul", "", "tensor<1x0xf32>", "tensor<0x2xf32>",
                      "tensor<1x2xf32>", f32({1, 0}, {}), f32({0, 2}, {})),
               {1, 2}, {0, 0});
}

/// Sizes that do not divide into the tiles of Multiply.h.
TEST_F(TensorOpsTest, MatmulTiles) {
  const int64_t m = 11, k = 7, n = 259;
  HostTensor a(DType::F32, {m, k}), b(DType::F32, {k, n});
  for (int64_t i = 0; i < m * k; ++i)
    a.setDouble(i, i % 13 - 6);
  for (int64_t i = 0; i < k * n; ++i)
    b.setDouble(i, i % 17 - 8);
  std::vector<double> expected;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p)
        sum += a.getDouble(i * k + p) * b.getDouble(p * n + j);
      expected.push_back(sum);
    }
  expectTensor(binary("matmul", "", "tensor<11x7xf32>", "tensor<7x259xf32>",
                      "tensor<11x259xf32>", a, b),
               {m, n}, expected);
}

} // namespace plmc
