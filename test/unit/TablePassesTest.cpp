//===- TablePassesTest.cpp - Passes that make word tables smaller ---------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "plmc/Passes/EmbeddingFactorization.h"
#include "plmc/Passes/ProductQuantization.h"
#include "plmc/Support/Npz.h"
#include "llvm/Support/FormatVariadic.h"

using namespace plmc;
using namespace plmc::test;

namespace {

constexpr int64_t rows = 300, width = 16;

/// A word table and, if it is tied, a decoder that reads it, too.
std::string model(const HostTensor &words, bool tied) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "plm.parameter @words = ";
  attrFromTensor(words, &context()).print(os);
  std::string result =
      llvm::formatv("tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", \"{0}\">>",
                    tied ? rows : width);
  os << llvm::formatv(
      "\n!ids = tensor<?x?xi64, #plm.dims<\"b\", \"s\">>\n"
      "!x = tensor<?x?x{1}xf32, #plm.dims<\"b\", \"s\", \"{1}\">>\n"
      "func.func @forward(%ids: !ids {{plm.name = \"ids\"}) -> ({2} {{plm.name "
      "= \"y\"}) {{\n%w = plm.get_parameter @words : tensor<{0}x{1}xf32>\n"
      "%e = plm.embedding %ids, %w : (!ids, tensor<{0}x{1}xf32>) -> !x\n",
      rows, width, result);
  if (tied)
    os << llvm::formatv("%y = plm.linear %e, %w transposed : (!x, "
                        "tensor<{0}x{1}xf32>) -> {2}\nreturn %y : {2}\n}\n",
                        rows, width, result);
  else
    os << "return %e : !x\n}\n";
  return text;
}

/// Rows around 40 centres, on different scales by column.
HostTensor clusters(Random &random) {
  HostTensor words(DType::F32, {rows, width});
  HostTensor centres = random.floats({40, width});
  for (int64_t i = 0; i < rows * width; ++i)
    words.as<float>()[i] =
        (centres.as<float>()[i / width % 40 * width + i % width] +
         0.3f * random.floats({1}).as<float>()[0]) /
        (1 + i % width);
  return words;
}

/// An .npz in which id i occurs count(i) times.
std::string calibration(const char *name,
                        llvm::function_ref<int64_t(int64_t)> count,
                        int64_t vocabulary = rows) {
  std::vector<int64_t> ids;
  for (int64_t id = 0; id < vocabulary; ++id)
    ids.insert(ids.end(), count(id), id);
  HostTensor tensor(DType::I64, {1, int64_t(ids.size())});
  std::copy(ids.begin(), ids.end(), tensor.as<int64_t>());
  std::string path = std::string(PLMC_TEST_TMP) + "/" + name + "-" +
                     std::to_string(getpid()) + ".npz";
  llvm::Error error = writeNpz(path, {{"input_ids", tensor}});
  EXPECT_FALSE(bool(error)) << llvm::toString(std::move(error));
  return path;
}

/// The module after a pass, as text; or what the pass had to say.
std::string afterPass(llvm::StringRef text, std::unique_ptr<mlir::Pass> pass,
                      std::string *message = nullptr) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  EXPECT_TRUE(module);
  mlir::ScopedDiagnosticHandler handler(&context(), [&](mlir::Diagnostic &d) {
    if (message)
      *message += d.str();
    return mlir::success(message);
  });
  mlir::PassManager pm(&context());
  pm.addPass(std::move(pass));
  EXPECT_EQ(mlir::succeeded(pm.run(*module)), message == nullptr);
  std::string result;
  llvm::raw_string_ostream os(result);
  module->print(os);
  return result;
}

HostTensor allIds() {
  HostTensor ids(DType::I64, {3, rows / 3});
  for (int64_t i = 0; i < rows; ++i)
    ids.setInt(i, i);
  return ids;
}

double squaredError(const HostTensor &a, const HostTensor &b, int64_t from,
                    int64_t to) {
  double sum = 0;
  for (int64_t i = from * width; i < to * width; ++i)
    sum += std::pow(a.getDouble(i) - b.getDouble(i), 2);
  return sum;
}

std::unique_ptr<mlir::Pass> factorize(int64_t rank, std::string weighting,
                                      std::string path = "") {
  EmbeddingFactorizationSettings settings;
  settings.rank = rank;
  settings.weighting = std::move(weighting);
  settings.calibration = std::move(path);
  return createEmbeddingFactorizationPass(settings);
}

std::unique_ptr<mlir::Pass> quantize(int64_t subVector, int64_t bits,
                                     std::string path = "", uint64_t seed = 0) {
  ProductQuantizationSettings settings;
  settings.subVector = subVector;
  settings.codebookBits = bits;
  settings.weighting = path.empty() ? "none" : "frequency";
  settings.calibration = std::move(path);
  settings.seed = seed;
  return createProductQuantizationPass(settings);
}

} // namespace

/// A table of rank 6 loses nothing with 6 columns, its decoder neither.
TEST(TablePasses, FactorsOfATableOfLowRank) {
  Random random(1);
  HostTensor left = random.floats({rows, 6}), right = random.floats({6, width}),
             words(DType::F32, {rows, width});
  for (int64_t i = 0; i < rows * width; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < 6; ++k)
      sum += left.getDouble(i / width * 6 + k) *
             right.getDouble(k * width + i % width);
    words.setDouble(i, sum);
  }
  for (bool tied : {false, true}) {
    std::string text = model(words, tied);
    std::string factored = afterPass(text, factorize(6, "none"));
    EXPECT_EQ(factored.find("@words ="), std::string::npos);
    HostTensor want = interpretText(text, {allIds()})[0];
    expectClose(interpretText(factored, {allIds()})[0], want, 1e-5);
    auto library = compile(factored);
    ASSERT_TRUE(library);
    auto got = (*library->createContext(2))->run({allIds()});
    ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
    expectClose((*got)[0], want, 1e-5);
  }
}

/// What occurs often is approximated well, at the cost of the rest.
TEST(TablePasses, FrequentRowsComeFirst) {
  Random random(2);
  HostTensor words = clusters(random);
  std::string text = model(words, false);
  std::string path =
      calibration("frequent", [](int64_t id) { return id < 30 ? 50 : 0; });
  HostTensor want = interpretText(text, {allIds()})[0];
  for (bool product : {false, true}) {
    auto pass = [&](bool weighted) -> std::unique_ptr<mlir::Pass> {
      if (product)
        return quantize(16, 32, weighted ? path : "");
      return factorize(8, weighted ? "frequency" : "none", path);
    };
    HostTensor plain =
                   interpretText(afterPass(text, pass(false)), {allIds()})[0],
               weighted =
                   interpretText(afterPass(text, pass(true)), {allIds()})[0];
    EXPECT_LE(squaredError(weighted, want, 0, 30),
              squaredError(plain, want, 0, 30));
    EXPECT_GE(squaredError(weighted, want, 30, rows),
              squaredError(plain, want, 30, rows));
    EXPECT_LT(squaredError(weighted, want, 0, rows),
              squaredError(HostTensor(DType::F32, want.shape), want, 0, rows));
  }
}

/// Columns that the norm behind stretches are approximated well, at the cost of
/// those that it makes small.
TEST(TablePasses, ActivationsWeighColumns) {
  Random random(5);
  HostTensor words = random.floats({rows, width}), gain(DType::F32, {width});
  for (int64_t i = 0; i < width; ++i)
    gain.setDouble(i, i % 2 ? 3 : i ? 0.05 : 0); // one is cut off
  std::string text = model(words, false), attr;
  llvm::raw_string_ostream os(attr);
  attrFromTensor(gain, &context()).print(os);
  text = "plm.parameter @gain = " + attr + "\n" + text;
  size_t at = text.find("return %e");
  text = text.substr(0, at) +
         "%g = plm.get_parameter @gain : tensor<16xf32>\n"
         "%y = plm.layer_norm %e, %g {epsilon = 1.0e-5 : f64} : (!x, "
         "tensor<16xf32>) -> !x\nreturn %y : !x\n}\n";
  std::string path = calibration("uniform", [](int64_t) { return 1; });
  HostTensor want = interpretText(text, {allIds()})[0];
  auto errorOf = [&](const char *weighting) {
    std::string changed = afterPass(text, factorize(11, weighting, path));
    return squaredError(interpretText(changed, {allIds()})[0], want, 0, rows);
  };
  EXPECT_LT(errorOf("activation"), 0.5 * errorOf("frequency"));
}

TEST(TablePasses, ErrorsAreOneLine) {
  Random random(3);
  std::string text = model(clusters(random), false);
  std::string outside =
      calibration("outside", [](int64_t) { return 1; }, rows + 1);
  std::string message;
  afterPass(text, factorize(4, "frequency", outside), &message);
  EXPECT_NE(message.find("has the id 300"), std::string::npos) << message;
  message.clear();
  afterPass(text, quantize(4, 8, "/nonexistent.npz"), &message);
  EXPECT_NE(message.find("/nonexistent.npz"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  HostTensor words = clusters(random);
  words.as<float>()[7] = NAN;
  message.clear();
  afterPass(model(words, false), factorize(4, "none"), &message);
  EXPECT_EQ(message, "@words holds NaN or infinite values");
}

/// Close, the same for the same seed, and every code is that of the nearest
/// entry; then compiled.
TEST(TablePasses, ProductQuantization) {
  Random random(4);
  HostTensor words = clusters(random);
  std::string text = model(words, false);
  HostTensor want = interpretText(text, {allIds()})[0];
  double all = squaredError(HostTensor(DType::F32, want.shape), want, 0, rows);
  for (int64_t size : {1, 2, 4, 8, 16})
    for (int64_t bits : {8, 32}) {
      SCOPED_TRACE(llvm::formatv("{0} columns, {1} bits", size, bits).str());
      std::string coded = afterPass(text, quantize(size, bits));
      HostTensor rowsOfCodes = interpretText(coded, {allIds()})[0],
                 again = interpretText(afterPass(text, quantize(size, bits)),
                                       {allIds()})[0];
      EXPECT_TRUE(rowsOfCodes.data == again.data);
      EXPECT_LT(squaredError(rowsOfCodes, want, 0, rows), all * 0.02);
      auto library = compile(coded);
      ASSERT_TRUE(library);
      auto got = (*library->createContext(2))->run({allIds()});
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      expectClose((*got)[0], rowsOfCodes, 1e-6);
      // No row of another token is nearer, in any place, than its own.
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t place = 0; place < width; place += size) {
          auto distance = [&](int64_t other) {
            double sum = 0;
            for (int64_t d = place; d < place + size; ++d)
              sum += std::pow(words.getDouble(i * width + d) -
                                  rowsOfCodes.getDouble(other * width + d),
                              2);
            return sum;
          };
          EXPECT_LE(distance(i), distance((i + 40) % rows) * (1 + 1e-3) + 1e-6);
        }
    }
  auto withSeed = [&](uint64_t seed) {
    return interpretText(afterPass(text, quantize(8, 32, "", seed)),
                         {allIds()})[0];
  };
  EXPECT_FALSE(withSeed(0).data == withSeed(1).data);
}

TEST(TablePasses, TablesThatAreAlike) {
  // Fewer different rows than entries, and a column of zeros.
  HostTensor words(DType::F32, {rows, width});
  for (int64_t i = 0; i < rows * width; ++i)
    words.setDouble(i, i % width < 4 ? 0 : i / width % 3);
  std::string text = model(words, false);
  HostTensor want = interpretText(text, {allIds()})[0];
  for (int64_t bits : {8, 32})
    expectClose(
        interpretText(afterPass(text, quantize(4, bits)), {allIds()})[0], want,
        bits == 8 ? 0.5 / 127 : 1e-6);
  expectClose(
      interpretText(afterPass(text, factorize(3, "none")), {allIds()})[0], want,
      1e-5);
}
