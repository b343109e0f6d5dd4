//===- EndToEndTest.cpp - Exported models, compiled, against ONNX Runtime ---*-
// C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Every model of test/fixtures/models is compiled and compared with what ONNX
// Runtime computed for it (the .npz beside it), over batch 1 and 3, odd lengths
// and padding on the right, on the left and in holes. How far they may differ
// is in test/fixtures/manifest.json.
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Support/Npz.h"
#include "llvm/Support/Path.h"
#include <nlohmann/json.hpp>
#include <set>

using namespace plmc;
using namespace plmc::test;

namespace {

std::vector<std::string> fixtures() {
  std::vector<std::string> names;
  std::error_code ec;
  for (llvm::sys::fs::directory_iterator it(PLMC_TEST_FIXTURES, ec), end;
       it != end && !ec; it.increment(ec))
    if (llvm::sys::path::extension(it->path()) == ".onnx")
      names.push_back(llvm::sys::path::stem(it->path()).str());
  std::sort(names.begin(), names.end());
  return names;
}

/// Of the output's scale, as the manifest says. -1, which nothing passes, for a
/// model that is not in it.
double toleranceOf(const std::string &name) {
  static const nlohmann::json manifest = [] {
    auto buffer =
        llvm::MemoryBuffer::getFile(PLMC_TEST_FIXTURES "/../manifest.json");
    return buffer ? nlohmann::json::parse((*buffer)->getBuffer().str(), nullptr,
                                          /*allow_exceptions=*/false)
                  : nlohmann::json();
  }();
  if (!manifest.is_object() || !manifest.contains("fixtures") ||
      !manifest["fixtures"].contains(name))
    return -1;
  return manifest["fixtures"][name].value("tolerance", -1.0);
}

std::unique_ptr<LoadedModel> compileFile(const std::string &name,
                                         const CompileOptions &options) {
  auto module = importONNX(std::string(PLMC_TEST_FIXTURES "/") + name + ".onnx",
                           &context());
  if (!module) {
    ADD_FAILURE() << llvm::toString(module.takeError());
    return nullptr;
  }
  mlir::PassManager pm(&context());
  buildRecognitionPipeline(pm);
  buildLoweringPipeline(pm, options);
  if (mlir::failed(pm.run(**module))) {
    ADD_FAILURE() << "lowering failed";
    return nullptr;
  }
  std::string path = std::string(PLMC_TEST_TMP "/e2e-") + name + "-" +
                     std::to_string(getpid()) + ".so";
  auto result = emitLibrary(**module, options, OutputKind::SharedLibrary, path);
  if (!result) {
    ADD_FAILURE() << llvm::toString(result.takeError());
    return nullptr;
  }
  auto model = LoadedModel::open(path);
  llvm::sys::fs::remove(path);
  if (!model) {
    ADD_FAILURE() << llvm::toString(model.takeError());
    return nullptr;
  }
  return std::move(*model);
}

void compare(const std::string &name, const CompileOptions &options) {
  const double tolerance = toleranceOf(name);
  ASSERT_GT(tolerance, 0) << name << " is not in the manifest";
  auto model = compileFile(name, options);
  ASSERT_TRUE(model);
  auto arrays = readNpz(std::string(PLMC_TEST_FIXTURES "/") + name + ".npz");
  ASSERT_TRUE(bool(arrays)) << llvm::toString(arrays.takeError());
  std::set<std::string> cases;
  for (const auto &[key, array] : *arrays)
    cases.insert(key.substr(0, key.find('/')));
  ASSERT_GE(cases.size(), 5u);

  for (int threads : {1, 2}) {
    auto context = model->createContext(threads);
    ASSERT_TRUE(bool(context)) << llvm::toString(context.takeError());
    for (const std::string &prefix : cases) {
      SCOPED_TRACE(name + " " + prefix);
      std::vector<HostTensor> inputs;
      const HostTensor *mask = nullptr;
      for (const TensorSignature &input : model->inputs()) {
        auto it = arrays->find(prefix + "/in/" + input.name);
        ASSERT_NE(it, arrays->end()) << input.name;
        inputs.push_back(it->second);
        if (input.name == "attention_mask")
          mask = &it->second;
      }
      auto got = (*context)->run(inputs);
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      for (auto [output, tensor] : llvm::zip(model->outputs(), *got)) {
        auto it = arrays->find(prefix + "/out/" + output.name);
        ASSERT_NE(it, arrays->end()) << output.name;
        if (llvm::StringRef(prefix).starts_with("fullmask")) {
          // Exporters disagree about a row without a kept key; ours is finite.
          for (int64_t i = 0; i < tensor.numElements(); ++i)
            ASSERT_TRUE(std::isfinite(tensor.getDouble(i)));
          continue;
        }
        expectClose(tensor, it->second, tolerance,
                    output.zeroAtPadding ? mask : nullptr);
      }
    }
  }
}

class EndToEnd : public testing::TestWithParam<std::string> {};

} // namespace

TEST_P(EndToEnd, MatchesOnnxRuntime) { compare(GetParam(), {}); }

INSTANTIATE_TEST_SUITE_P(Fixtures, EndToEnd, testing::ValuesIn(fixtures()),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// With padding computed, token-level outputs agree everywhere.
TEST(EndToEndOptions, ComputedPaddingMatchesEverywhere) {
  CompileOptions options;
  options.computePadding = true;
  compare("bert-ts17-hidden-pruned", options);
}

/// The register tiles of all levels, whatever this machine has.
TEST(EndToEndOptions, EveryRegisterTile) {
  for (const char *level : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    SCOPED_TRACE(level);
    CompileOptions options;
    options.tileOfLevel = level;
    compare("bert-ts17-hidden-pruned", options);
    compare("distilbert-dy18-mlm", options);
  }
}

/// The levels that this machine can run.
TEST(EndToEndOptions, EveryCpuLevel) {
  for (const char *cpu : {"x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    SCOPED_TRACE(cpu);
    CompileOptions options;
    options.cpu = cpu;
    bool runs = llvm::StringRef(cpu) == "x86-64-v2" ||
                (llvm::StringRef(cpu) == "x86-64-v3" &&
                 __builtin_cpu_supports("x86-64-v3")) ||
                (llvm::StringRef(cpu) == "x86-64-v4" &&
                 __builtin_cpu_supports("x86-64-v4"));
    if (runs) {
      compare("bert-ts17-pooler", options);
      continue;
    }
    // It must be refused, not crash.
    std::string text = "func.func @forward(%0: tensor<2xf32>) -> tensor<2xf32> "
                       "{\nreturn %0 : tensor<2xf32>\n}\n";
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
    mlir::PassManager pm(&context());
    buildLoweringPipeline(pm, options);
    ASSERT_TRUE(mlir::succeeded(pm.run(*module)));
    std::string path = std::string(PLMC_TEST_TMP "/level.so");
    auto result =
        emitLibrary(*module, options, OutputKind::SharedLibrary, path);
    ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
    auto model = LoadedModel::open(path);
    llvm::sys::fs::remove(path);
    ASSERT_FALSE(bool(model));
    EXPECT_NE(llvm::toString(model.takeError()).find("avx"), std::string::npos);
  }
}
