//===- EvaluationTest.cpp - Distances between models ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Pass/PassManager.h"
#include "plmc/Calibration/Part.h"
#include "plmc/Evaluation/Evaluator.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/InitAll.h"
#include "plmc/Passes/SetPrecision.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace mlir;
using namespace plmc;

namespace {

CalibrationSet setOf(std::vector<std::vector<int64_t>> sequences) {
  CalibrationSet set;
  for (auto &sequence : sequences) {
    set.rows.push_back(set.sequences.size());
    set.types.emplace_back(sequence.size(), 0);
    set.sequences.push_back(std::move(sequence));
  }
  return set;
}

//===----------------------------------------------------------------------===//
// Parts of a file
//===----------------------------------------------------------------------===//

TEST(CalibrationPartTest, TextAndBack) {
  for (llvm::StringRef text :
       {"a.npz", "a.npz#fit", "a.npz#held-out", "a.npz#fit=800,max-length=128",
        "a.npz#held-out=3", "a.npz#max-length=7", "a#b.npz", "a.npz#fit=0",
        "a.npz#fit=x", "a.npz#other", "a.npz#fit,other=1", "a.npz#", "#",
        "a.npz#max-length=1,max-length=2", "a.npz#fitx"})
    EXPECT_EQ(CalibrationPart::parse(text).text(), text.str());
  CalibrationPart part = CalibrationPart::parse("a#b#fit=5,max-length=6");
  EXPECT_EQ(part.path, "a#b");
  EXPECT_EQ(part.kind, CalibrationPart::Kind::Fit);
  EXPECT_EQ(part.sequences, 5);
  EXPECT_EQ(part.maxLength, 6);
}

TEST(CalibrationPartTest, FitAndHeldOutShareNothing) {
  for (llvm::StringRef number : {"", "=3", "=100"}) {
    std::vector<size_t> rows;
    for (llvm::StringRef kind : {"#fit", "#held-out"}) {
      CalibrationSet set;
      for (int64_t i = 0; i < 11; ++i) {
        set.sequences.push_back({i});
        set.types.push_back({0});
        set.rows.push_back(i);
      }
      CalibrationPart::parse(("f" + kind + number).str()).apply(set);
      for (auto [row, sequence] : llvm::zip(set.rows, set.sequences))
        EXPECT_EQ(sequence[0], int64_t(row));
      llvm::append_range(rows, set.rows);
      if (kind == "#fit" && number == "=3")
        EXPECT_EQ(set.rows, (std::vector<size_t>{0, 1, 2}));
      if (kind == "#held-out" && number.empty())
        EXPECT_EQ(set.rows, (std::vector<size_t>{4, 9}));
    }
    llvm::sort(rows);
    ASSERT_EQ(rows.size(), 11u);
    EXPECT_EQ(std::unique(rows.begin(), rows.end()), rows.end());
  }
}

TEST(CalibrationPartTest, CutSequencesKeepTheirEnd) {
  CalibrationSet set = setOf({{1, 2, 3, 4, 9}, {5, 9}, {1, 2, 9}});
  CalibrationPart::parse("f#max-length=3").apply(set);
  EXPECT_EQ(set.sequences,
            (std::vector<std::vector<int64_t>>{{1, 2, 9}, {5, 9}, {1, 2, 9}}));
  EXPECT_EQ(set.types[0].size(), 3u);
}

//===----------------------------------------------------------------------===//
// Distances, by hand
//===----------------------------------------------------------------------===//

HostTensor tensor(llvm::ArrayRef<int64_t> shape, std::vector<float> values) {
  HostTensor result(DType::F32, shape);
  for (size_t i = 0; i < values.size(); ++i)
    result.setDouble(i, values[i]);
  return result;
}

TokenBatch batchOf(int64_t rows, int64_t length, std::vector<uint8_t> keep) {
  TokenBatch batch;
  batch.batch = batch.used = rows;
  batch.length = length;
  batch.keep = std::move(keep);
  for (int64_t i = 0; i < rows; ++i)
    batch.sequences.push_back(10 + i);
  return batch;
}

ModelDistance distance(OutputMeaning kind, const TokenBatch &batch,
                       const HostTensor &a, const HostTensor &b) {
  DistanceSum sum({{"y", kind}});
  EXPECT_EQ(llvm::toString(sum.add(batch, {a}, {b})), "");
  return sum.finish();
}

TEST(DistanceTest, Embeddings) {
  ModelDistance d =
      distance(OutputMeaning::Embedding, batchOf(2, 1, {1, 1}),
               tensor({2, 2}, {1, 0, 3, 4}), tensor({2, 2}, {1, 1, 6, 8}));
  EXPECT_NEAR(d.outputs[0].meanCosine, (1 + std::sqrt(0.5)) / 2, 1e-7);
  EXPECT_NEAR(*d.minCosine(), std::sqrt(0.5), 1e-7);
  EXPECT_FALSE(d.kl());
  EXPECT_FALSE(d.top1());
  ASSERT_EQ(d.worst.size(), 2u);
  EXPECT_EQ(d.worst[0].sequence, 10u);
}

TEST(DistanceTest, TokensCountWhereTheyAreKept) {
  // The padding token differs, and does not matter; means of the two others
  // agree though each token is turned.
  ModelDistance d = distance(OutputMeaning::Tokens, batchOf(1, 3, {1, 1, 0}),
                             tensor({1, 3, 2}, {1, 0, 0, 1, 5, 5}),
                             tensor({1, 3, 2}, {0, 1, 1, 0, -5, 5}));
  EXPECT_NEAR(*d.cosine(), 1, 1e-7);
  EXPECT_NEAR(d.outputs[0].meanTokenCosine, 0, 1e-7);
  EXPECT_EQ(d.outputs[0].tokens, 2);
}

TEST(DistanceTest, Logits) {
  ModelDistance d = distance(OutputMeaning::Logits, batchOf(2, 1, {1, 1}),
                             tensor({2, 2}, {0, 0, std::log(3.f), 0}),
                             tensor({2, 2}, {7, 7, 0, std::log(3.f)}));
  EXPECT_NEAR(d.outputs[0].maxKL, 0.75 * std::log(3) - 0.25 * std::log(3),
              1e-6);
  EXPECT_NEAR(*d.kl(), 0.25 * std::log(3), 1e-6);
  EXPECT_EQ(*d.top1(), 0.5);
  EXPECT_FALSE(d.cosine());
  EXPECT_EQ(d.worst[0].sequence, 11u);
  // One logit is the log-odds of a decision.
  d = distance(OutputMeaning::Logits, batchOf(2, 1, {1, 1}),
               tensor({2, 1}, {2, 2}), tensor({2, 1}, {2, -2}));
  EXPECT_EQ(*d.top1(), 0.5);
  double p = 1 / (1 + std::exp(-2.0));
  EXPECT_NEAR(*d.kl(), (2 * p - 1) * 2 / 2, 1e-6);
}

TEST(DistanceTest, TokenLogitsAndPositions) {
  TokenBatch batch = batchOf(1, 3, {1, 0, 1});
  ModelDistance d = distance(OutputMeaning::TokenLogits, batch,
                             tensor({1, 3, 2}, {1, 0, 9, 0, 0, 1}),
                             tensor({1, 3, 2}, {1, 0, 0, 9, 1, 0}));
  EXPECT_EQ(*d.top1(), 0.5);
  d = distance(OutputMeaning::Positions, batch, tensor({1, 3}, {1, 50, 2}),
               tensor({1, 3}, {1, -50, 2}));
  EXPECT_EQ(*d.top1(), 1);
  EXPECT_EQ(*d.kl(), 0);
}

TEST(DistanceTest, WhatIsNoNumberIsFar) {
  TokenBatch one = batchOf(1, 1, {1});
  for (float value : {NAN, INFINITY}) {
    HostTensor good = tensor({1, 2}, {1, 2}), bad = tensor({1, 2}, {1, value});
    EXPECT_EQ(*distance(OutputMeaning::Embedding, one, good, bad).cosine(), -1);
    ModelDistance d = distance(OutputMeaning::Logits, one, good, bad);
    EXPECT_TRUE(std::isinf(*d.kl()));
    EXPECT_EQ(*d.top1(), 0);
  }
  HostTensor zero = tensor({1, 2}, {0, 0});
  EXPECT_EQ(*distance(OutputMeaning::Embedding, one, zero, zero).cosine(), 1);
  EXPECT_EQ(
      *distance(OutputMeaning::Embedding, one, zero, tensor({1, 2}, {1, 0}))
           .cosine(),
      0);
  DistanceSum sum({{"y", OutputMeaning::Embedding}});
  EXPECT_NE(llvm::toString(sum.add(one, {zero}, {tensor({1, 3}, {1, 2, 3})})),
            "");
}

//===----------------------------------------------------------------------===//
// Batches and whole models
//===----------------------------------------------------------------------===//

class EvaluationTest : public testing::Test {
protected:
  void SetUp() override {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }
  OwningOpRef<ModuleOp> load(llvm::StringRef name) {
    llvm::Expected<OwningOpRef<ModuleOp>> imported = importONNX(
        (llvm::Twine(PLMC_TEST_FIXTURES "/") + name).str(), &context);
    EXPECT_TRUE(bool(imported)) << llvm::toString(imported.takeError());
    run(**imported, [](OpPassManager &pm) { buildRecognitionPipeline(pm); });
    return std::move(*imported);
  }
  void run(ModuleOp module,
           llvm::function_ref<void(OpPassManager &)> addPasses) {
    PassManager pm(&context, "builtin.module");
    addPasses(pm);
    EXPECT_TRUE(succeeded(pm.run(module)));
  }
  static std::string problem(InputRoles &roles, CalibrationSet set) {
    auto batches = makeTokenBatches(roles, set);
    return batches ? "" : llvm::toString(batches.takeError());
  }
  MLIRContext context;
};

TEST_F(EvaluationTest, BatchesHaveEverySequenceOnce) {
  OwningOpRef<ModuleOp> module = load("bert-ts17-pooler.onnx");
  auto func = module->lookupSymbol<func::FuncOp>("forward");
  InputRoles roles = llvm::cantFail(findInputRoles(func));
  CalibrationSet set = setOf({{1, 2, 3}, {4}, {5, 6}, {7, 8, 9, 10}});
  set.types[2] = {0, 1};
  auto batches = makeTokenBatches(roles, set, /*tokensPerBatch=*/6);
  ASSERT_TRUE(bool(batches));
  std::vector<size_t> seen;
  for (const TokenBatch &batch : *batches) {
    EXPECT_LE(batch.batch * batch.length, 6);
    for (int64_t row = 0; row < batch.used; ++row) {
      size_t at = batch.sequences[row];
      seen.push_back(at);
      EXPECT_EQ(batch.keptIn(row), int64_t(set.sequences[at].size()));
      for (auto [role, input] : llvm::zip(roles.inputs, batch.inputs))
        for (int64_t i = 0; i < batch.length; ++i) {
          bool kept = i < int64_t(set.sequences[at].size());
          int64_t value = input.getInt(row * batch.length + i);
          if (role.name == "input_ids")
            EXPECT_EQ(value, kept ? set.sequences[at][i] : 0);
          else if (role.name == "attention_mask")
            EXPECT_EQ(value, kept);
          else
            EXPECT_EQ(value, kept ? set.types[at][i] : 0);
        }
    }
  }
  llvm::sort(seen);
  EXPECT_EQ(seen, (std::vector<size_t>{0, 1, 2, 3}));

  EXPECT_NE(problem(roles, setOf({{1, 1 << 20}})).find("has the id 1048576"),
            std::string::npos);
  set.types[0][1] = 5;
  EXPECT_NE(problem(roles, set).find("the token type 5"), std::string::npos);
  EXPECT_NE(problem(roles, setOf({std::vector<int64_t>(5000, 1)}))
                .find("has 5000 tokens"),
            std::string::npos);
}

TEST_F(EvaluationTest, AModelIsLikeItselfAndLessLikeItsRounding) {
  OwningOpRef<ModuleOp> module = load("bert-ts17-pooler.onnx");
  std::vector<std::vector<int64_t>> sequences;
  for (int64_t i = 0; i < 20; ++i)
    sequences.emplace_back(2 + i % 7, 1 + i);
  auto evaluator = Evaluator::create(*module, setOf(sequences));
  ASSERT_TRUE(bool(evaluator)) << llvm::toString(evaluator.takeError());
  auto same = (*evaluator)->compare(*module);
  ASSERT_TRUE(bool(same)) << llvm::toString(same.takeError());
  ASSERT_EQ(same->outputs.size(), 2u);
  EXPECT_EQ(same->outputs[0].kind, OutputMeaning::Tokens);
  EXPECT_EQ(same->outputs[1].kind, OutputMeaning::Embedding);
  EXPECT_EQ(same->outputs[0].sequences, 20);
  EXPECT_NEAR(*same->minCosine(), 1, 1e-12);
  EXPECT_FALSE((*evaluator)->hasDistributions());

  run(*module, [](OpPassManager &pm) {
    pm.addPass(createSetPrecisionPass("int4", 32, /*minElements=*/0));
  });
  auto rounded = (*evaluator)->compare(*module);
  ASSERT_TRUE(bool(rounded)) << llvm::toString(rounded.takeError());
  EXPECT_LT(*rounded->cosine(), 0.99999);
  EXPECT_GT(*rounded->cosine(), 0.5);
  ASSERT_EQ(rounded->worst.size(), 5u);
  EXPECT_GE(rounded->worst[0].distance, rounded->worst[1].distance);
  EXPECT_NEAR(1 - rounded->worst[0].distance, *rounded->minCosine(), 1e-12);
}

} // namespace
