//===- ScatterTest.cpp - scatter_nd, scatter_elements, arg_reduce ---------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"

using namespace plmc;
using namespace plmc::test;

namespace {

HostTensor tensor(DType dtype, llvm::ArrayRef<int64_t> shape,
                  llvm::ArrayRef<double> values) {
  HostTensor result(dtype, shape);
  for (auto [index, value] : llvm::enumerate(values))
    isFloat(dtype) ? result.setDouble(index, value)
                   : result.setInt(index, int64_t(value));
  return result;
}

std::string function(llvm::StringRef arguments, llvm::StringRef op,
                     llvm::StringRef result) {
  return ("func.func @forward(" + arguments + ") -> " + result +
          " {\n%r = " + op + "\nreturn %r : " + result + "\n}\n")
      .str();
}

void expectValues(const HostTensor &actual, llvm::ArrayRef<double> values) {
  ASSERT_EQ(actual.numElements(), int64_t(values.size()));
  for (auto [index, value] : llvm::enumerate(values))
    EXPECT_EQ(isFloat(actual.dtype) ? actual.getDouble(index)
                                    : double(actual.getInt(index)),
              value)
        << "element " << index;
}

/// Interpreted and compiled, with one and two threads.
void check(const std::string &text, llvm::ArrayRef<HostTensor> inputs,
           llvm::ArrayRef<double> values) {
  SCOPED_TRACE(text);
  std::vector<HostTensor> reference = interpretText(text, inputs);
  ASSERT_EQ(reference.size(), 1u);
  expectValues(reference[0], values);
  auto model = compile(text);
  ASSERT_TRUE(model);
  for (int threads : {1, 2}) {
    auto got = (*model->createContext(threads))->run(inputs);
    ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
    expectValues((*got)[0], values);
  }
}

/// Both must refuse; the interpreter with `message`.
void checkRefused(const std::string &text, llvm::ArrayRef<HostTensor> inputs,
                  llvm::StringRef message) {
  SCOPED_TRACE(text);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  ASSERT_TRUE(module);
  auto reference =
      interpret(module->lookupSymbol<mlir::func::FuncOp>("forward"), inputs);
  ASSERT_FALSE(bool(reference));
  EXPECT_NE(llvm::toString(reference.takeError()).find(message.str()),
            std::string::npos);
  auto model = compile(text);
  ASSERT_TRUE(model);
  auto got = (*model->createContext(1))->run(inputs);
  ASSERT_FALSE(bool(got));
  EXPECT_NE(llvm::toString(got.takeError()).find("out of range"),
            std::string::npos);
}

std::string scatterND(llvm::StringRef kind) {
  return function(
      "%d: tensor<4xf32>, %i: tensor<3x1xi64>, %u: tensor<3xf32>",
      ("plm.scatter_nd " + kind +
       " %d, %i, %u : (tensor<4xf32>, tensor<3x1xi64>, tensor<3xf32>) -> "
       "tensor<4xf32>")
          .str(),
      "tensor<4xf32>");
}

TEST(Scatter, LaterUpdatesOfOnePlaceWin) {
  HostTensor data = tensor(DType::F32, {4}, {1, 2, 3, 4});
  HostTensor indices = tensor(DType::I64, {3, 1}, {1, -1, 1});
  HostTensor updates = tensor(DType::F32, {3}, {10, 20, 30});
  check(scatterND("set"), {data, indices, updates}, {1, 30, 3, 20});
  check(scatterND("add"), {data, indices, updates}, {1, 42, 3, 24});
  check(scatterND("mul"), {data, indices, updates}, {1, 600, 3, 80});
  check(scatterND("max"), {data, indices, updates}, {1, 30, 3, 20});
  check(scatterND("min"), {data, indices, updates}, {1, 2, 3, 4});
}

TEST(Scatter, IndicesOutsideAreRefused) {
  HostTensor data = tensor(DType::F32, {4}, {1, 2, 3, 4});
  HostTensor updates = tensor(DType::F32, {3}, {10, 20, 30});
  for (int64_t bad : {4, -5})
    checkRefused(
        scatterND("set"),
        {data, tensor(DType::I64, {3, 1}, {0, double(bad), 1}), updates},
        "is not in [-4, 4)");
}

TEST(Scatter, BlocksOfADynamicMatrix) {
  const char *matrix = "tensor<?x3xi1, #plm.dims<\"n\", \"3\">>";
  std::string text = function(
      llvm::formatv("%d: {0}, %i: tensor<2x1xi32>, %u: tensor<2x3xi1>", matrix)
          .str(),
      llvm::formatv("plm.scatter_nd set %d, %i, %u : ({0}, tensor<2x1xi32>, "
                    "tensor<2x3xi1>) -> {0}",
                    matrix)
          .str(),
      matrix);
  check(text,
        {tensor(DType::Bool, {3, 3}, {0, 0, 0, 0, 0, 0, 0, 0, 0}),
         tensor(DType::I32, {2, 1}, {2, 0}),
         tensor(DType::Bool, {2, 3}, {1, 0, 1, 1, 1, 0})},
        {1, 1, 0, 0, 0, 0, 1, 0, 1});
}

TEST(Scatter, ElementsAlongAnAxis) {
  std::string text =
      function("%d: tensor<2x3xi64>, %i: tensor<2x1xi64>, %u: tensor<2x1xi64>",
               "plm.scatter_elements add %d, %i, %u axis 1 : (tensor<2x3xi64>, "
               "tensor<2x1xi64>, tensor<2x1xi64>) -> tensor<2x3xi64>",
               "tensor<2x3xi64>");
  HostTensor data = tensor(DType::I64, {2, 3}, {1, 2, 3, 4, 5, 6});
  HostTensor updates = tensor(DType::I64, {2, 1}, {10, 20});
  check(text, {data, tensor(DType::I64, {2, 1}, {2, -3}), updates},
        {1, 2, 13, 24, 5, 6});
  checkRefused(text, {data, tensor(DType::I64, {2, 1}, {3, 0}), updates},
               "index 3 is not in [-3, 3)");
}

/// More rows of updates than the data has: only known when it runs.
TEST(Scatter, ElementsThatLeaveTheData) {
  const char *rows = "tensor<?x2xf32, #plm.dims<\"n\", \"2\">>";
  const char *more = "tensor<?x2xf32, #plm.dims<\"m\", \"2\">>";
  const char *where = "tensor<?x2xi64, #plm.dims<\"m\", \"2\">>";
  std::string text = function(
      llvm::formatv("%d: {0}, %i: {1}, %u: {2}", rows, where, more).str(),
      llvm::formatv("plm.scatter_elements set %d, %i, %u axis 1 : "
                    "({0}, {1}, {2}) -> {0}",
                    rows, where, more)
          .str(),
      rows);
  HostTensor data = tensor(DType::F32, {2, 2}, {1, 2, 3, 4});
  check(text,
        {data, tensor(DType::I64, {1, 2}, {1, 0}),
         tensor(DType::F32, {1, 2}, {8, 9})},
        {9, 8, 3, 4});
  checkRefused(text,
               {data, tensor(DType::I64, {3, 2}, {0, 1, 0, 1, 0, 1}),
                tensor(DType::F32, {3, 2}, {8, 9, 8, 9, 8, 9})},
               "leave the data");
}

TEST(Scatter, IndexOfTheBest) {
  HostTensor x = tensor(DType::F32, {2, 4}, {1, 3, 3, 2, -1, -4, -4, 0});
  auto text = [](llvm::StringRef kind, llvm::StringRef flags,
                 llvm::StringRef result) {
    return function("%x: tensor<2x4xf32>",
                    llvm::formatv("plm.arg_reduce {0} %x axis 1 {1} : "
                                  "(tensor<2x4xf32>) -> {2}",
                                  kind, flags, result)
                        .str(),
                    result);
  };
  check(text("max", "", "tensor<2xi64>"), {x}, {1, 3});
  check(text("max", "keepdims last", "tensor<2x1xi64>"), {x}, {2, 3});
  check(text("min", "", "tensor<2xi64>"), {x}, {0, 1});
  check(text("min", "last", "tensor<2xi64>"), {x}, {0, 2});
}

TEST(Scatter, IndexOfTheBestOfIntegersAlongTheFirstAxis) {
  std::string text =
      function("%x: tensor<2x3xui8>",
               "plm.arg_reduce max %x axis 0 : (tensor<2x3xui8>) -> "
               "tensor<3xi64>",
               "tensor<3xi64>");
  check(text, {tensor(DType::U8, {2, 3}, {200, 1, 7, 100, 2, 7})}, {0, 1, 0});
}

} // namespace
