//===- CalibrationTest.cpp - Calibrated passes on a small encoder ---------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "Pruning/EncoderLayers.h"
#include "Pruning/NeuronChoice.h"
#include "Quantization/GPTQ.h"
#include "mlir/IR/Verifier.h"
#include "plmc/Calibration/LayerwiseFit.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Passes/Pruning.h"
#include "plmc/Passes/Quantization.h"
#include "plmc/Support/Npz.h"

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

constexpr int64_t hidden = 64, neurons = 96, words = 60;

/// Post-norm layers over a word table; two heads.
std::string encoder(int layers) {
  Random random(5);
  std::string parameters, body;
  auto add = [&](const std::string &name, llvm::ArrayRef<int64_t> shape,
                 float scale) {
    parameters += parameter(random, name, shape, scale);
    std::string type;
    for (int64_t size : shape)
      type += std::to_string(size) + "x";
    body += "%" + name + " = plm.get_parameter @" + name + " : tensor<" + type +
            "f32>\n";
  };
  std::string ids = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
  auto t = [](int64_t width) {
    return llvm::formatv(
               "tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", \"{0}\">>", width)
        .str();
  };
  auto linear = [&](const std::string &result, const std::string &x,
                    const std::string &name, int64_t k, int64_t n) {
    add(name, {k, n}, 2.0f / std::sqrt(float(k)));
    add(name + "b", {n}, 0.1f);
    body += llvm::formatv(
        "%{0} = plm.linear %{1}, %{2} bias %{2}b : ({3}, tensor<{4}x{5}xf32>, "
        "tensor<{5}xf32>) -> {6}\n",
        result, x, name, t(k), k, n, t(n));
  };
  auto norm = [&](const std::string &result, const std::string &x,
                  const std::string &name) {
    add(name, {hidden}, 1);
    body += llvm::formatv("%{0} = plm.layer_norm %{1}, %{2} {{epsilon = 1.0e-5 "
                          ": f64} : ({3}, tensor<{4}xf32>) -> {3}\n",
                          result, x, name, t(hidden), hidden);
  };
  add("word", {words, hidden}, 1);
  body += llvm::formatv("%h0 = plm.embedding %ids, %word : ({0}, "
                        "tensor<{1}x{2}xf32>) -> {3}\n",
                        ids, words, hidden, t(hidden));
  for (int i = 0; i < layers; ++i) {
    std::string n = std::to_string(i), x = "h" + n;
    for (std::string part : {"q", "k", "v"})
      linear(part + n, x, "w" + part + n, hidden, hidden);
    body += llvm::formatv(
        "%a{0} = plm.attention %q{0}, %k{0}, %v{0} mask %mask {{num_heads = 2 "
        ": i64, scale = 0.2 : f64} : ({1}, {1}, {1}, {2}) -> {1}\n",
        n, t(hidden), ids);
    linear("o" + n, "a" + n, "wo" + n, hidden, hidden);
    body += llvm::formatv("%r{0} = plm.binary add %o{0}, %{1} : ({2}, {2}) -> "
                          "{2}\n",
                          n, x, t(hidden));
    norm("y" + n, "r" + n, "g" + n);
    linear("u" + n, "y" + n, "wu" + n, hidden, neurons);
    body += llvm::formatv("%e{0} = plm.activation gelu %u{0} : ({1}) -> {1}\n",
                          n, t(neurons));
    linear("d" + n, "e" + n, "wd" + n, neurons, hidden);
    body += llvm::formatv("%s{0} = plm.binary add %d{0}, %y{0} : ({1}, {1}) -> "
                          "{1}\n",
                          n, t(hidden));
    norm("h" + std::to_string(i + 1), "s" + n, "f" + n);
  }
  return "module {\n" + parameters +
         llvm::formatv("func.func @forward(%ids: {0} {{plm.name = "
                       "\"input_ids\"}, %mask: {0} {{plm.name = "
                       "\"attention_mask\"}) -> {1} {{\n",
                       ids, t(hidden))
             .str() +
         body + "return %h" + std::to_string(layers) + " : " + t(hidden) +
         "\n}\n}\n";
}

/// 60 sequences of 3 to 14 tokens, in a file.
std::string calibrationFile() {
  Random random(9);
  HostTensor ids = random.ints({60, 14}, words);
  HostTensor mask(DType::I64, {60, 14});
  for (int64_t i = 0; i < mask.numElements(); ++i)
    mask.as<int64_t>()[i] = i % 14 < 3 + i / 14 % 12;
  std::string path =
      PLMC_TEST_TMP "/calibration-" + std::to_string(getpid()) + ".npz";
  llvm::cantFail(
      writeNpz(path, {{"input_ids", ids}, {"attention_mask", mask}}));
  return path;
}

mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  EXPECT_TRUE(module);
  return module;
}

mlir::func::FuncOp forwardOf(mlir::ModuleOp module) {
  return module.lookupSymbol<mlir::func::FuncOp>("forward");
}

/// Runs a pass, given as text, on the encoder.
mlir::OwningOpRef<mlir::ModuleOp> run(const std::string &pipeline, int layers) {
  auto module = parse(encoder(layers));
  mlir::PassManager pm(&context());
  EXPECT_TRUE(mlir::succeeded(mlir::parsePassPipeline(pipeline, pm)));
  EXPECT_TRUE(mlir::succeeded(pm.run(*module)));
  EXPECT_TRUE(mlir::succeeded(mlir::verify(*module)));
  return module;
}

/// Mean cosine of the kept rows of two modules' outputs on other tokens than
/// those of the calibration.
double cosine(mlir::ModuleOp a, mlir::ModuleOp b) {
  Random random(77);
  HostTensor ids = random.ints({6, 9}, words), mask(DType::I64, {6, 9});
  for (int64_t i = 0; i < 54; ++i)
    mask.as<int64_t>()[i] = 1;
  auto x = interpret(forwardOf(a), {ids, mask});
  auto y = interpret(forwardOf(b), {ids, mask});
  EXPECT_TRUE(bool(x) && bool(y));
  Eigen::Map<const Matrix> u((*x)[0].as<float>(), 54, hidden);
  Eigen::Map<const Matrix> v((*y)[0].as<float>(), 54, hidden);
  Vector dots = u.cwiseProduct(v).rowwise().sum();
  return (dots.array() / u.rowwise().norm().array() /
          v.rowwise().norm().array())
      .mean();
}

struct Calibration : ::testing::Test {
  static void SetUpTestSuite() {
    static bool once = [] {
      registerQuantizationPasses();
      registerPruningPasses();
      return true;
    }();
    (void)once;
    file = calibrationFile();
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
    auto gram = (*gemm)->gram(a), cross = (*gemm)->transposedTimes(a, b),
         plain = (*gemm)->times(a.transpose(), b);
    ASSERT_TRUE(bool(gram) && bool(cross) && bool(plain));
    EXPECT_LT((*gram - a.transpose() * a).norm(), 1e-4 * gram->norm());
    Matrix want = a.transpose() * b;
    EXPECT_LT((*cross - want).norm(), 1e-4 * want.norm() + 1e-6);
    EXPECT_LT((*plain - want).norm(), 1e-4 * want.norm() + 1e-6);
  }
}

TEST_F(Calibration, StepsAreTheModel) {
  auto module = parse(encoder(2));
  mlir::func::FuncOp func = forwardOf(*module);
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
  int64_t row = 0;
  for (const CalibrationBatch &batch : *batches) {
    auto want = interpret(func, batch.inputs);
    ASSERT_TRUE(bool(want));
    for (size_t i = 0; i < batch.keep.size(); ++i) {
      if (!batch.keep[i])
        continue;
      for (int64_t c = 0; c < hidden; ++c)
        ASSERT_NEAR((*rows)(row, c), (*want)[0].as<float>()[i * hidden + c],
                    1e-4);
      ++row;
    }
  }
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
  auto choice = chooseNeurons(weight, hessian, 16, 1e-4);
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
  // What it chooses is no worse than any one that is named.
  auto chosen =
      run("plm-drop-layers{count=1 fit=-1 calibration=" + file + "}", 3);
  EXPECT_EQ(count(*chosen), 2);
  EXPECT_GT(cosine(*original, *chosen), cosine(*original, *unrepaired) - 0.05);
}
