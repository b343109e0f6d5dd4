//===- DriverTest.cpp - Verification, inputs and tables -------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Run.h"
#include "plmc/Driver/Verify.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/InitAll.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Report/Table.h"
#include "plmc/Support/Counters.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace mlir;
using namespace plmc;

namespace {

//===----------------------------------------------------------------------===//
// verify: finds what is wrong, and only that
//===----------------------------------------------------------------------===//

class VerifyTest : public testing::Test {
protected:
  void SetUp() override {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    llvm::Expected<OwningOpRef<ModuleOp>> imported =
        importONNX(PLMC_TEST_FIXTURES "/bert-ts17-pooler.onnx", &context);
    ASSERT_TRUE(bool(imported)) << llvm::toString(imported.takeError());
    module = std::move(*imported);
    func = module->lookupSymbol<func::FuncOp>("forward");
    llvm::Expected<Candidate> made = modelCandidate(*module);
    ASSERT_TRUE(bool(made));
    candidate = std::move(*made);
  }

  using Outputs = std::vector<HostTensor>;
  /// The model's own outputs, with something done to them.
  VerifyResult
  verifyAfter(std::function<void(llvm::ArrayRef<HostTensor>, Outputs &)> edit) {
    Candidate edited = candidate;
    edited.run =
        [&](llvm::ArrayRef<HostTensor> inputs) -> llvm::Expected<Outputs> {
      llvm::Expected<Outputs> outputs = interpret(func, inputs);
      if (outputs)
        edit(inputs, *outputs);
      return outputs;
    };
    llvm::Expected<VerifyResult> result = verify(func, edited, {});
    EXPECT_TRUE(bool(result));
    return result ? *result : VerifyResult();
  }

  /// Mask of token i, inputs in the model's order.
  static bool kept(llvm::ArrayRef<HostTensor> inputs, int64_t token) {
    return inputs[1].getInt(token) != 0;
  }
  /// Writes `value` to every masked token of last_hidden_state.
  static void fillPadding(llvm::ArrayRef<HostTensor> inputs, Outputs &outputs,
                          double value) {
    int64_t width = outputs[0].shape[2];
    for (int64_t token = 0; token < inputs[1].numElements(); ++token)
      if (!kept(inputs, token))
        for (int64_t i = 0; i < width; ++i)
          outputs[0].setDouble(token * width + i, value);
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp func;
  Candidate candidate;
};

TEST_F(VerifyTest, TheModelItselfPasses) {
  VerifyResult result = verifyAfter([](auto, Outputs &) {});
  EXPECT_TRUE(result.summary.passed);
  EXPECT_EQ(result.summary.maxError, 0);
  EXPECT_EQ(result.cases, 7);
  EXPECT_EQ(result.rows.size(), 14u); // two outputs
}

TEST_F(VerifyTest, OneElementOff) {
  VerifyResult result = verifyAfter([](auto inputs, Outputs &outputs) {
    if (inputs[0].numElements() == 7)
      outputs[1].setDouble(3, outputs[1].getDouble(3) + 1e-3);
  });
  EXPECT_FALSE(result.summary.passed);
  unsigned failed = 0;
  for (const VerifyRow &row : result.rows)
    failed += !row.problem.empty();
  EXPECT_EQ(failed, 1u);
}

TEST_F(VerifyTest, PaddingMustBeZeroWhereTheLibrarySaysSo) {
  candidate.outputs[0].zeroAtPadding = true;
  EXPECT_TRUE(verifyAfter([](auto inputs, Outputs &outputs) {
                fillPadding(inputs, outputs, 0);
              }).summary.passed);
  EXPECT_FALSE(verifyAfter([](auto inputs, Outputs &outputs) {
                 fillPadding(inputs, outputs, 1e-6);
               }).summary.passed);
}

TEST_F(VerifyTest, PaddingCountsWhereItIsComputed) {
  EXPECT_FALSE(verifyAfter([](auto inputs, Outputs &outputs) {
                 fillPadding(inputs, outputs, 0);
               }).summary.passed);
}

TEST_F(VerifyTest, ARowThatIsAllPaddingMustBeFinite) {
  auto setEmptyRows = [](llvm::ArrayRef<HostTensor> inputs, Outputs &outputs,
                         double value) {
    int64_t batch = inputs[1].shape[0], sequence = inputs[1].shape[1];
    int64_t width = outputs[1].shape[1];
    for (int64_t row = 0; row < batch; ++row) {
      bool empty = true;
      for (int64_t i = 0; i < sequence; ++i)
        empty &= !kept(inputs, row * sequence + i);
      for (int64_t i = 0; empty && i < width; ++i)
        outputs[1].setDouble(row * width + i, value);
    }
  };
  EXPECT_TRUE(verifyAfter([&](auto inputs, Outputs &outputs) {
                setEmptyRows(inputs, outputs, 123);
              }).summary.passed);
  EXPECT_FALSE(verifyAfter([&](auto inputs, Outputs &outputs) {
                 setEmptyRows(inputs, outputs, NAN);
               }).summary.passed);
}

TEST_F(VerifyTest, NaNIsNoSmallDifference) {
  EXPECT_FALSE(verifyAfter([](auto, Outputs &outputs) {
                 outputs[1].setDouble(0, NAN);
               }).summary.passed);
}

TEST_F(VerifyTest, ARefusedRunFails) {
  Candidate refusing = candidate;
  refusing.run = [](llvm::ArrayRef<HostTensor>)
      -> llvm::Expected<std::vector<HostTensor>> {
    return llvm::createStringError("no");
  };
  llvm::Expected<VerifyResult> result = verify(func, refusing, {});
  ASSERT_TRUE(bool(result));
  EXPECT_FALSE(result->summary.passed);
  EXPECT_EQ(result->rows.front().problem, "refused: no");
}

TEST_F(VerifyTest, FewerOutputsInAnotherOrder) {
  Candidate fewer = candidate;
  fewer.outputs = {candidate.outputs[1]};
  std::swap(fewer.inputs[0], fewer.inputs[2]);
  fewer.run =
      [&](llvm::ArrayRef<HostTensor> inputs) -> llvm::Expected<Outputs> {
    std::vector<HostTensor> ordered(inputs.begin(), inputs.end());
    std::swap(ordered[0], ordered[2]);
    llvm::Expected<Outputs> outputs = interpret(func, ordered);
    if (outputs)
      outputs->erase(outputs->begin());
    return outputs;
  };
  llvm::Expected<VerifyResult> result = verify(func, fewer, {});
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  EXPECT_TRUE(result->summary.passed);
}

//===----------------------------------------------------------------------===//
// run: arrays to inputs
//===----------------------------------------------------------------------===//

std::string refusal(NamedTensors tensors) {
  std::vector<TensorSignature> signatures(2);
  signatures[0] = {"ids", DType::I64, {"n"}, false};
  signatures[1] = {"weights", DType::F32, {"n"}, false};
  auto ordered = orderInputs(signatures, std::move(tensors));
  if (!ordered)
    return llvm::toString(ordered.takeError());
  EXPECT_EQ((*ordered)[0].dtype, DType::I64);
  EXPECT_EQ((*ordered)[1].dtype, DType::F32);
  EXPECT_EQ((*ordered)[0].getInt(1), -7);
  EXPECT_EQ((*ordered)[1].getDouble(1), 0.5);
  return "";
}

HostTensor pair(DType dtype, double value) {
  HostTensor tensor(dtype, {2});
  tensor.setDouble(1, value);
  return tensor;
}

TEST(RunTest, WidensWithoutLoss) {
  EXPECT_EQ(refusal({{"ids", pair(DType::I64, -7)},
                     {"weights", pair(DType::F32, 0.5)}}),
            "");
  EXPECT_EQ(refusal({{"ids", pair(DType::I32, -7)},
                     {"weights", pair(DType::F16, 0.5)}}),
            "");
}

TEST(RunTest, NamesWhatIsWrong) {
  EXPECT_EQ(refusal({{"ids", pair(DType::I64, -7)}}),
            "input 'weights' is missing; given are: ids");
  EXPECT_EQ(refusal({{"ids", pair(DType::I64, -7)},
                     {"weights", pair(DType::F32, 0.5)},
                     {"more", pair(DType::F32, 0.5)}}),
            "the model has no input 'more'; it takes: ids, weights");
  EXPECT_EQ(refusal({{"ids", pair(DType::I64, -7)},
                     {"weights", pair(DType::F64, 0.5)}}),
            "input 'weights' is f64, the model takes f32; convert the array "
            "first");
  EXPECT_EQ(refusal({{"ids", pair(DType::F32, -7)},
                     {"weights", pair(DType::F32, 0.5)}}),
            "input 'ids' is f32, the model takes i64; convert the array "
            "first");
}

//===----------------------------------------------------------------------===//
// Counters, numbers, tables
//===----------------------------------------------------------------------===//

TEST(CountersTest, SumsByPassAndName) {
  MLIRContext context;
  OwningOpRef<ModuleOp> module = ModuleOp::create(UnknownLoc::get(&context));
  addCounter(*module, "p", "dropped", 1); // nobody listens
  CounterSink sink(&context);
  addCounter(*module, "p", "bytes", 5);
  addCounter(*module, "q", "bytes", 1);
  addCounter(*module, "p", "bytes", 2);
  std::vector<Counter> counters = sink.get();
  ASSERT_EQ(counters.size(), 2u);
  EXPECT_EQ(counters[0].value, 7);
  EXPECT_EQ(counters[1].pass, "q");
}

TEST(TableTest, Numbers) {
  EXPECT_EQ(formatCount(0), "0");
  EXPECT_EQ(formatCount(999), "999");
  EXPECT_EQ(formatCount(22713216), "22,713,216");
  EXPECT_EQ(formatCount(-1000), "-1,000");
  EXPECT_EQ(formatBytes(999), "999 B");
  EXPECT_EQ(formatBytes(1000), "1.0 kB");
  EXPECT_EQ(formatBytes(90876928), "90.9 MB");
  EXPECT_EQ(formatBytes(435821131), "436 MB");
  EXPECT_EQ(formatBytes(999999), "1.0 MB");
  EXPECT_EQ(formatSeconds(0.431), "431 ms");
  EXPECT_EQ(formatSeconds(1.824), "1.82 s");
  EXPECT_EQ(formatNumber(0), "0");
  EXPECT_EQ(formatNumber(3.14e-6), "3.14e-06");
}

TEST(TableTest, AlignsColumns) {
  Table table({false, true});
  table.addRow({"a", "1"});
  table.addRow({"long", "1,000"});
  table.addRow({"b", ""});
  std::string text;
  llvm::raw_string_ostream os(text);
  table.print(os, 1);
  EXPECT_EQ(text, " a         1\n long  1,000\n b\n");
}

} // namespace
