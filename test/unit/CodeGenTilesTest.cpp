//===- CodeGenTilesTest.cpp - Products in AMX tiles, emulated ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Libraries with tile instructions, whose machine code runs under emulation,
// against the vectors of the same CPU (int8: to the bit) and against the
// interpreter. test/Tools/amx.test looks at the instructions; no machine with
// AMX has run them.
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "EmulatedTiles.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Passes/SetPrecision.h"
#include "plmc/Support/Npz.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <limits>

using namespace plmc;
using namespace plmc::test;

namespace {

/// The vectors of this level run natively, only tiles are emulated.
bool hasVectors() {
  return __builtin_cpu_supports("x86-64-v4") &&
         __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("avx512bf16");
}

struct Shape {
  int64_t k, n;
  bool bias, gelu, residual;
};

/// y = gelu(x W + bias) + x, or a part of it, with precision.
std::string productText(const Shape &shape, llvm::StringRef precision) {
  Random random(shape.k + 7 * shape.n);
  auto tensor = [](int64_t width) {
    return llvm::formatv(
               "tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", \"{0}\">>", width)
        .str();
  };
  std::string x = tensor(shape.k), y = tensor(shape.n);
  std::string w = llvm::formatv("tensor<{0}x{1}xf32>", shape.k, shape.n);
  std::string text = parameter(random, "w", {shape.k, shape.n});
  if (shape.bias)
    text += parameter(random, "b", {shape.n});
  text += llvm::formatv("func.func @forward(%x: {0} {{plm.name = \"x\"}) -> "
                        "({1} {{plm.name = \"y\"}) {{\n"
                        "%w = plm.get_parameter @w : {2}\n",
                        x, y, w);
  if (shape.bias)
    text += llvm::formatv("%b = plm.get_parameter @b : tensor<{3}xf32>\n"
                          "%0 = plm.linear %x, %w bias %b : ({0}, {2}, "
                          "tensor<{3}xf32>) -> {1}\n",
                          x, y, w, shape.n);
  else
    text +=
        llvm::formatv("%0 = plm.linear %x, %w : ({0}, {2}) -> {1}\n", x, y, w);
  std::string last = "%0";
  if (shape.gelu) {
    text += "%1 = plm.activation gelu %0 : (" + y + ") -> " + y + "\n";
    last = "%1";
  }
  if (shape.residual) {
    text += "%2 = plm.binary add " + last + ", %x : (" + y + ", " + x +
            ") -> " + y + "\n";
    last = "%2";
  }
  text += "return " + last + " : " + y + "\n}\n";

  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  EXPECT_TRUE(module) << text;
  mlir::PassManager pm(&context());
  pm.addPass(createSetPrecisionPass(precision, 0, /*minElements=*/0));
  EXPECT_TRUE(mlir::succeeded(pm.run(*module)));
  std::string result;
  llvm::raw_string_ostream os(result);
  module->print(os);
  return result;
}

HostTensor run(LoadedModel &model, llvm::ArrayRef<HostTensor> inputs,
               int threads = 1) {
  EmulatedTiles tiles;
  auto got = (*model.createContext(threads))->run(inputs);
  EXPECT_TRUE(bool(got)) << llvm::toString(got.takeError());
  EXPECT_EQ(tiles.takeError(), "");
  EXPECT_TRUE(tiles.released());
  return std::move((*got)[0]);
}

bool sameBits(const HostTensor &a, const HostTensor &b) {
  return a.shape == b.shape &&
         std::memcmp(a.data.data(), b.data.data(), a.data.size()) == 0;
}

/// Also where the CPU has tiles.
CompileOptions withoutTiles() {
  CompileOptions options;
  options.cpu = "cooperlake";
  return options;
}

CompileOptions withTiles() {
  CompileOptions options = withoutTiles();
  options.tileOfLevel = "x86-64-v4+amx";
  options.rewriteCode = allowTiles;
  return options;
}

// K: a full step of 16 words, equal steps (18 words = 2 x 9 in int8), a rest
// for vectors (25 words in int8), more steps than LLVM unrolls; too short for
// any tile.
const Shape shapes[] = {
    {64, 64, true, false, true},    {72, 50, true, true, false},
    {384, 40, false, false, false}, {100, 100, true, true, true},
    {100, 7, false, true, false},   {136, 16, true, false, false},
    {1600, 34, true, false, false}, {24, 33, true, false, false},
    {12, 12, true, false, true}};
const int64_t rowCounts[] = {1, 2, 4, 5, 16, 17, 20, 31, 32, 33, 47, 100, 230};

class CodeGenTiles : public ::testing::Test {
protected:
  void SetUp() override {
    if (!hasVectors())
      GTEST_SKIP() << "this CPU lacks AVX-512 with VNNI and BF16";
    EmulatedTiles::native(); // the same for all tests
  }
  /// Since the last call, products went through tiles.
  void expectTiles(bool expected) {
    bool used = EmulatedTiles::takeProducts() > 0;
    if (!EmulatedTiles::native())
      EXPECT_EQ(used, expected);
  }
};

TEST_F(CodeGenTiles, Int8IsTheSameToTheBit) {
  for (const Shape &shape : shapes) {
    std::string text = productText(shape, "int8");
    auto vectors = compile(text, withoutTiles());
    auto model = compile(text, withTiles());
    ASSERT_TRUE(vectors && model);
    for (int64_t rows : rowCounts) {
      SCOPED_TRACE(
          llvm::formatv("{0}x{1}, {2} rows", shape.k, shape.n, rows).str());
      Random random(rows);
      HostTensor x = random.floats({1, rows, shape.k}, 3);
      EmulatedTiles::takeProducts();
      HostTensor got = run(*model, x);
      // Short products and few rows take vectors.
      expectTiles(shape.k >= 32 && rows > 4);
      EXPECT_TRUE(sameBits(got, run(*vectors, x)));
      EXPECT_TRUE(sameBits(got, run(*model, x, /*threads=*/3)));
      if (rows <= 47)
        expectClose(got, interpretText(text, {x})[0], 2e-6);
    }
  }
}

TEST_F(CodeGenTiles, BF16) {
  for (const Shape &shape : shapes) {
    std::string text = productText(shape, "bf16");
    auto model = compile(text, withTiles());
    ASSERT_TRUE(model);
    for (int64_t rows : rowCounts) {
      SCOPED_TRACE(
          llvm::formatv("{0}x{1}, {2} rows", shape.k, shape.n, rows).str());
      Random random(rows);
      HostTensor x = random.floats({1, rows, shape.k}, 3);
      EmulatedTiles::takeProducts();
      HostTensor got = run(*model, x);
      expectTiles(shape.k >= 16);
      EXPECT_TRUE(sameBits(got, run(*model, x, /*threads=*/3)));
      if (rows <= 100)
        expectClose(got, interpretText(text, {x})[0], 2e-6);
    }
  }
}

/// The largest codes and weights there are: any CPU has to give the same bits.
TEST_F(CodeGenTiles, LargestCodes) {
  std::string text = productText({256, 33, false, false, false}, "int8");
  auto vectors = compile(text, withoutTiles()),
       model = compile(text, withTiles());
  ASSERT_TRUE(vectors && model);
  HostTensor x(DType::F32, {1, 37, 256});
  for (int64_t i = 0; i < x.numElements(); ++i)
    x.as<float>()[i] = i / 256 % 2 ? (i % 256 ? 1 : -1) : (i % 3 ? -1 : 1);
  EXPECT_TRUE(sameBits(run(*model, x), run(*vectors, x)));
}

/// A row gives the same bits whatever else is in the batch; what is not finite
/// stays in its row.
TEST_F(CodeGenTiles, RowsAreAlone) {
  for (llvm::StringRef precision : {"bf16", "int8"}) {
    SCOPED_TRACE(precision.str());
    constexpr int64_t k = 100, n = 40, rows = 53;
    auto model = compile(productText({k, n, true, false, false}, precision),
                         withTiles());
    ASSERT_TRUE(model);
    Random random(23);
    HostTensor x = random.floats({1, rows, k});
    x.as<float>()[5 * k + 3] = std::numeric_limits<float>::infinity();
    x.as<float>()[51 * k + 95] = std::numeric_limits<float>::quiet_NaN();
    HostTensor all = run(*model, x);
    for (int64_t row = 0; row < rows; ++row) {
      HostTensor one(DType::F32, {1, 1, k});
      std::memcpy(one.as<float>(), x.as<float>() + row * k, k * 4);
      HostTensor alone = run(*model, one);
      bool finite = row != 5 && row != 51;
      for (int64_t i = 0; i < n; ++i) {
        float want = all.as<float>()[row * n + i];
        ASSERT_EQ(std::isfinite(want), finite) << row;
        if (finite)
          ASSERT_EQ(alone.as<float>()[i], want) << row;
      }
    }
  }
}

/// More rows than a block of a chain has: encoding and product run block by
/// block.
TEST_F(CodeGenTiles, ManyBlocksOfRows) {
  std::string text = productText({96, 96, true, true, true}, "int8");
  auto vectors = compile(text, withoutTiles()),
       model = compile(text, withTiles());
  ASSERT_TRUE(vectors && model);
  for (int64_t length : {149, 37}) {
    Random random(37);
    HostTensor x = random.floats({7, length, 96}, 3);
    HostTensor want = run(*vectors, x);
    for (int threads : {1, 2, 3})
      EXPECT_TRUE(sameBits(run(*model, x, threads), want)) << threads;
  }
}

/// A whole encoder, its steps in blocks of rows and among several threads.
TEST_F(CodeGenTiles, Encoder) {
  std::string path = PLMC_TEST_FIXTURES "/bert-ts17-embed";
  auto arrays = readNpz(path + ".npz");
  ASSERT_TRUE(bool(arrays)) << llvm::toString(arrays.takeError());
  for (llvm::StringRef precision : {"int8", "bf16"}) {
    auto module = importONNX(path + ".onnx", &context());
    ASSERT_TRUE(bool(module)) << llvm::toString(module.takeError());
    mlir::PassManager pm(&context());
    buildRecognitionPipeline(pm);
    pm.addPass(createSetPrecisionPass(precision, 0, /*minElements=*/0));
    ASSERT_TRUE(mlir::succeeded(pm.run(**module)));
    mlir::OwningOpRef<mlir::ModuleOp> other = (*module)->clone();
    auto vectors = compileModule(**module, withoutTiles());
    auto model = compileModule(*other, withTiles());
    ASSERT_TRUE(vectors && model);
    EmulatedTiles::takeProducts();
    for (const auto &[key, array] : *arrays) {
      auto [prefix, name] = llvm::StringRef(key).split("/in/");
      if (name != model->inputs()[0].name)
        continue;
      SCOPED_TRACE((precision + " " + prefix).str());
      std::vector<HostTensor> inputs;
      for (const TensorSignature &input : model->inputs())
        inputs.push_back(arrays->at((prefix + "/in/" + input.name).str()));
      for (int threads : {1, 3}) {
        HostTensor got = run(*model, inputs, threads);
        HostTensor want = run(*vectors, inputs, threads);
        if (precision == "int8")
          EXPECT_TRUE(sameBits(got, want));
        else // rounding may differ, and then the code of a value
          expectClose(got, want, 1e-2);
      }
    }
    expectTiles(true);
  }
}

/// What does not use tiles does not ask for them.
TEST_F(CodeGenTiles, OnlyWhereTheyAreUsed) {
  for (llvm::StringRef precision : {"int8", "bf16", "int4"}) {
    for (int64_t k : {64, 12}) {
      auto module = mlir::parseSourceString<mlir::ModuleOp>(
          productText({k, 40, true, false, false}, precision), &context());
      CompileOptions options;
      options.cpu = "any";
      mlir::PassManager pm(&context());
      buildLoweringPipeline(pm, options);
      ASSERT_TRUE(mlir::succeeded(pm.run(*module)));
      std::string path =
          PLMC_TEST_TMP "/tiles-" + std::to_string(getpid()) + ".so";
      auto result =
          emitLibrary(*module, options, OutputKind::SharedLibrary, path);
      llvm::sys::fs::remove(path);
      ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
      EXPECT_EQ(llvm::StringRef(result->cpu).contains("amx"),
                precision != "int4" && k == 64)
          << result->cpu;
    }
  }
}

} // namespace
