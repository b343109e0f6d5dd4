//===- CalibrationTest.cpp - Calibrated passes on a small encoder ---------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pruning/ColumnChoice.h"
#include "Quantization/GPTQ.h"
#include "SmallEncoder.h"
#include "plmc/Calibration/EncoderLayers.h"
#include "plmc/Calibration/LayerwiseFit.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Passes/Pruning.h"
#include "plmc/Passes/Quantization.h"

using namespace plmc;
using namespace plmc::test;

namespace {

/// [rows, columns] whose columns are mixtures of a few sources: inputs of a
/// real layer are correlated, which is what calibration lives on.
Matrix correlated(int64_t rows, int64_t columns, int64_t sources, int seed) {
  std::srand(seed);
  Matrix result =
      Matrix::Random(rows, sources) * Matrix::Random(sources, columns) * 0.5f;
  return result + Matrix::Random(rows, columns) * 0.05f;
}

Matrix hessianOf(const Matrix &x) {
  return x.transpose() * x / float(x.rows());
}

/// Squared error of the outputs.
double damage(const Matrix &change, const Matrix &hessian) {
  return (change * hessian).cwiseProduct(change).sum();
}

struct Calibration : ::testing::Test {
  static void SetUpTestSuite() {
    static bool once = [] {
      registerQuantizationPasses();
      registerPruningPasses();
      return true;
    }();
    (void)once;
    file = calibrationFile("calibration");
  }
  static void TearDownTestSuite() { llvm::sys::fs::remove(file); }
  static std::string file;
};
std::string Calibration::file;

} // namespace

TEST_F(Calibration, Products) {
  auto gemm = Gemm::create(&context());
  ASSERT_TRUE(bool(gemm)) << llvm::toString(gemm.takeError());
  for (auto [rows, columns] : {std::pair(1, 3), {1025, 65}, {1600, 700}}) {
    Matrix a = Matrix::Random(rows, columns), b = Matrix::Random(rows, 17);
    auto gram = (*gemm)->gram(RowSource::of(a)),
         cross = (*gemm)->transposedTimes(RowSource::of(a), RowSource::of(b)),
         plain = (*gemm)->times(a.transpose(), b);
    ASSERT_TRUE(bool(gram) && bool(cross) && bool(plain));
    EXPECT_LT((*gram - a.transpose() * a).norm(), 1e-4 * gram->norm());
    Matrix want = a.transpose() * b;
    EXPECT_LT((*cross - want).norm(), 1e-4 * want.norm() + 1e-6);
    EXPECT_LT((*plain - want).norm(), 1e-4 * want.norm() + 1e-6);
  }
}

/// A run by steps, each compiled, gives what the whole model gives.
static void checkSteps(mlir::func::FuncOp func, llvm::StringRef file) {
  auto set = CalibrationSet::read(file);
  ASSERT_TRUE(bool(set)) << llvm::toString(set.takeError());
  auto batches = makeBatches(func, *set, 64);
  ASSERT_TRUE(bool(batches)) << llvm::toString(batches.takeError());
  EXPECT_GT(batches->size(), 3u);
  mlir::Operation *end = func.getBody().front().getTerminator();
  mlir::Value result = end->getOperand(0);
  StepwiseRun run(func, *batches);
  run.interpretSmall = false;
  func.walk([&](plm::LinearOp op) { ASSERT_FALSE(bool(run.advanceTo(op))); });
  ASSERT_FALSE(bool(run.advanceTo(end, result)));
  auto rows = run.rows(result);
  ASSERT_TRUE(bool(rows)) << llvm::toString(rows.takeError());
  ASSERT_EQ(rows->rows(), set->numTokens());
  int64_t row = 0, width = rows->cols();
  for (const CalibrationBatch &batch : *batches) {
    auto want = interpret(func, batch.inputs);
    ASSERT_TRUE(bool(want));
    for (size_t i = 0; i < batch.keep.size(); ++i) {
      if (!batch.keep[i])
        continue;
      for (int64_t c = 0; c < width; ++c)
        ASSERT_NEAR((*rows)(row, c), (*want)[0].as<float>()[i * width + c],
                    1e-4);
      ++row;
    }
  }
}

TEST_F(Calibration, StepsAreTheModel) {
  auto module = parse(encoder(2));
  checkSteps(forwardOf(*module), file);
}

/// A value whose size is no symbol cannot be an input of the next step, which
/// computes it again.
TEST_F(Calibration, StepsWithDerivedSizes) {
  Random random(3);
  auto module = parse(parameter(random, "words", {60, 4}, 1) + R"(
    !ids = tensor<?x?xi64, #plm.dims<"b", "s">>
    !x = tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
    !half = tensor<?x?x2xf32, #plm.dims<"2*b", "s", "2">>
    plm.parameter @weight = dense<[[0.5, 1.0, 0.0, 2.0], [1.5, -1.0, 0.5, 0.25],
      [0.0, 1.0, -0.5, 1.0], [2.0, 0.5, 1.0, -1.0]]> : tensor<4x4xf32>
    func.func @forward(%ids: !ids {plm.name = "input_ids"},
                       %mask: !ids {plm.name = "attention_mask"})
        -> (!x {plm.name = "y"}) {
      %words = plm.get_parameter @words : tensor<60x4xf32>
      %weight = plm.get_parameter @weight : tensor<4x4xf32>
      %x = plm.embedding %ids, %words : (!ids, tensor<60x4xf32>) -> !x
      %half = plm.reshape %x : (!x) -> !half
      %twice = plm.binary add %half, %half : (!half, !half) -> !half
      %first = plm.linear %x, %weight : (!x, tensor<4x4xf32>) -> !x
      %back = plm.reshape %twice : (!half) -> !x
      %sum = plm.binary add %first, %back : (!x, !x) -> !x
      %second = plm.linear %sum, %weight : (!x, tensor<4x4xf32>) -> !x
      return %second : !x
    })");
  ASSERT_TRUE(module);
  checkSteps(forwardOf(*module), file);
}

TEST_F(Calibration, GPTQBeatsRounding) {
  Matrix x = correlated(400, 96, 12, 1), weight = Matrix::Random(20, 96);
  Matrix hessian = hessianOf(x);
  for (int64_t bits : {2, 3, 4, 8})
    for (int64_t block : {0, 32}) {
      GridShape shape{bits, bits >= 4, block != 0};
      auto gptq = roundByGPTQ(weight, hessian, block, shape, 0.01);
      ASSERT_TRUE(bool(gptq)) << llvm::toString(gptq.takeError());
      RoundedWeight nearest = roundToNearest(weight, block, shape);
      double exact = damage(nearest.values - weight, hessian);
      EXPECT_LT(damage(gptq->values - weight, hessian), 0.7 * exact)
          << bits << " bits, blocks of " << block;
      // What is stored is what was computed with.
      for (int64_t i = 0; i < weight.size(); ++i) {
        const GridLine &line =
            gptq->lines[i / 96 * gptq->blocks + (block ? i % 96 / block : 0)];
        ASSERT_EQ(line.value(gptq->codes[i]), gptq->values.data()[i]);
        ASSERT_LT(std::abs(gptq->codes[i] + 0.5), double(1 << (bits - 1)));
      }
    }
}

TEST_F(Calibration, NeuronsThatRepeatOthersGo) {
  // The second half of the inputs repeats the first.
  Matrix half = Matrix::Random(300, 16), x(300, 32);
  x << half, half;
  Matrix weight = Matrix::Random(8, 32), hessian = hessianOf(x);
  auto choice = chooseColumns(weight, hessian, 16, 1e-4);
  ASSERT_TRUE(bool(choice)) << llvm::toString(choice.takeError());
  ASSERT_EQ(choice->kept.size(), 16u);
  std::set<int64_t> sources;
  for (int64_t index : choice->kept)
    sources.insert(index % 16);
  EXPECT_EQ(sources.size(), 16u);
  Matrix zero = Matrix::Zero(8, 32);
  EXPECT_LT(damage(choice->weight - weight, hessian),
            1e-3 * damage(weight - zero, hessian));
}

TEST_F(Calibration, QuantizeWeights) {
  auto original = parse(encoder(2));
  for (auto [options, least] :
       {std::pair("bits=4", 0.95), {"bits=3 group-size=32", 0.86}}) {
    SCOPED_TRACE(options);
    auto module = run("plm-quantize-weights{" + std::string(options) +
                          " min-elements=0 calibration=" + file + "}",
                      2);
    EXPECT_GT(cosine(*original, *module), least);
  }
}

TEST_F(Calibration, BitsByName) {
  auto original = parse(encoder(1));
  std::string pipeline =
      "plm-quantize-weights{bits=4 mixed=8:wd;2:wo0;0:wq min-elements=0 "
      "calibration=" +
      file + "}";
  auto module = run(pipeline, 1), again = run(pipeline, 1);
  std::map<int64_t, int> layers;
  module->walk([&](plm::DequantizeOp op) { ++layers[op.getBits()]; });
  EXPECT_EQ(layers, (std::map<int64_t, int>{{2, 1}, {4, 3}, {8, 1}}));
  EXPECT_GT(cosine(*original, *module), 0.8);
  EXPECT_EQ(cosine(*original, *module), cosine(*original, *again));
}

TEST_F(Calibration, CalibratedIsBetterThanRounded) {
  auto original = parse(encoder(2));
  auto gptq = run(
      "plm-quantize-weights{bits=3 min-elements=0 calibration=" + file + "}",
      2);
  auto rtn = run("plm-quantize-weights{bits=3 min-elements=0 method=rtn}", 2);
  EXPECT_GT(cosine(*original, *gptq), cosine(*original, *rtn) + 0.005);
}

TEST_F(Calibration, PruneNeurons) {
  auto original = parse(encoder(2));
  auto module = run(
      "plm-prune-neurons{keep=0.6 multiple=32 calibration=" + file + "}", 2);
  EXPECT_GT(cosine(*original, *module), 0.85);
  int pruned = 0;
  module->walk([&](plm::ActivationOp op) {
    EXPECT_EQ(
        mlir::cast<mlir::RankedTensorType>(op.getType()).getShape().back(), 64);
    ++pruned;
  });
  EXPECT_EQ(pruned, 2);
  // And then in few bits.
  mlir::PassManager pm(&context());
  ASSERT_TRUE(mlir::succeeded(mlir::parsePassPipeline(
      "plm-quantize-weights{bits=4 min-elements=0 calibration=" + file + "}",
      pm)));
  ASSERT_TRUE(mlir::succeeded(pm.run(*module)));
  EXPECT_GT(cosine(*original, *module), 0.8);
}

/// Without data: as narrow, and no better than it must be.
TEST_F(Calibration, PruneNeuronsByMagnitude) {
  auto original = parse(encoder(2));
  auto narrow = run("plm-prune-neurons{keep=0.6 method=magnitude}", 2);
  auto fitted = run("plm-prune-neurons{keep=0.6 calibration=" + file + "}", 2);
  auto widths = [](mlir::ModuleOp module) {
    std::vector<int64_t> found;
    module.walk([&](plm::ActivationOp op) {
      found.push_back(
          mlir::cast<mlir::RankedTensorType>(op.getType()).getShape().back());
    });
    return found;
  };
  EXPECT_EQ(widths(*narrow), (std::vector<int64_t>{64, 64}));
  EXPECT_EQ(widths(*narrow), widths(*fitted));
  EXPECT_LT(cosine(*original, *narrow), cosine(*original, *fitted));
  // The largest ones are left: few are worse.
  auto fewer = run("plm-prune-neurons{keep=0.3 method=magnitude}", 2);
  EXPECT_LT(cosine(*original, *fewer), cosine(*original, *narrow));
}

TEST_F(Calibration, DropLayers) {
  auto original = parse(encoder(3));
  auto layers = findEncoderLayers(forwardOf(*original));
  ASSERT_TRUE(bool(layers)) << llvm::toString(layers.takeError());
  ASSERT_EQ(layers->size(), 3u);
  auto count = [](mlir::ModuleOp module) {
    int found = 0;
    module.walk([&](plm::AttentionOp) { ++found; });
    return found;
  };
  auto repaired = run("plm-drop-layers{layers=1 calibration=" + file + "}", 3);
  EXPECT_EQ(count(*repaired), 2);
  auto unrepaired =
      run("plm-drop-layers{layers=1 fit=-1 calibration=" + file + "}", 3);
  EXPECT_GT(cosine(*original, *repaired), cosine(*original, *unrepaired));
  auto withoutData = run("plm-drop-layers{layers=1 fit=-1}", 3);
  EXPECT_EQ(cosine(*withoutData, *unrepaired), 1);
  // What it chooses is no worse than any one that is named.
  auto chosen =
      run("plm-drop-layers{count=1 fit=-1 calibration=" + file + "}", 3);
  EXPECT_EQ(count(*chosen), 2);
  EXPECT_GT(cosine(*original, *chosen), cosine(*original, *unrepaired) - 0.05);
}
