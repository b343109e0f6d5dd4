//===- ExportTest.cpp - Written as ONNX and read again --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Pass/PassManager.h"
#include "plmc/Driver/Verify.h"
#include "plmc/Export/ONNX.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/InitAll.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace plmc;

namespace {

class ExportTest : public testing::Test {
protected:
  ExportTest() {
    DialectRegistry registry;
    registerAllDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  OwningOpRef<ModuleOp> import(const std::string &path) {
    llvm::Expected<OwningOpRef<ModuleOp>> module = importONNX(path, &context);
    EXPECT_TRUE(bool(module)) << llvm::toString(module.takeError());
    return module ? std::move(*module) : OwningOpRef<ModuleOp>();
  }

  static std::string temporary(const std::string &name) {
    return std::string(PLMC_TEST_TMP) + "/export-" + name;
  }

  /// Exports the model as imported, reads it again and compares.
  void roundTrip(const std::string &input, const std::string &output,
                 const ONNXExportOptions &options = {}) {
    OwningOpRef<ModuleOp> module = import(input);
    ASSERT_TRUE(bool(module));
    llvm::Error error = exportONNX(*module, output, options);
    ASSERT_FALSE(bool(error))
        << input << ": " << llvm::toString(std::move(error));
    OwningOpRef<ModuleOp> again = import(output);
    ASSERT_TRUE(bool(again));
    // Half models are compared as they are computed: in f32.
    PassManager pm(&context);
    pm.addPass(createPromoteFloatsPass());
    ASSERT_TRUE(succeeded(pm.run(*again)));
    llvm::Expected<Candidate> candidate = modelCandidate(*again);
    ASSERT_TRUE(bool(candidate));
    llvm::Expected<VerifyResult> result =
        verify(module->lookupSymbol<func::FuncOp>("forward"), *candidate, {});
    ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
    EXPECT_TRUE(result->summary.passed) << input;
    EXPECT_GE(result->cases, 3);
  }

  MLIRContext context;
};

TEST_F(ExportTest, EveryFixtureAsImported) {
  std::error_code code;
  unsigned models = 0;
  for (llvm::sys::fs::directory_iterator it(PLMC_TEST_FIXTURES, code), end;
       !code && it != end; it.increment(code)) {
    if (!StringRef(it->path()).ends_with(".onnx"))
      continue;
    ++models;
    roundTrip(it->path(), temporary("raw.onnx"));
  }
  EXPECT_GE(models, 20u);
}

TEST_F(ExportTest, LargeWeightsGoBeside) {
  std::string output = temporary("large.onnx");
  llvm::sys::fs::remove(output + ".data");
  ONNXExportOptions options;
  options.inlineLimit = 1000;
  roundTrip(PLMC_TEST_FIXTURES "/bert-ts17-pooler.onnx", output, options);
  uint64_t model = 0, data = 0;
  ASSERT_FALSE(llvm::sys::fs::file_size(output, model));
  ASSERT_FALSE(llvm::sys::fs::file_size(output + ".data", data));
  EXPECT_GT(data, 40000u); // of 54368 bytes; the small tensors stay inside
  EXPECT_LT(model, 40000u);
  llvm::sys::fs::remove(output + ".data");
}

TEST_F(ExportTest, AFolderThatIsNotThere) {
  OwningOpRef<ModuleOp> module =
      import(PLMC_TEST_FIXTURES "/bert-ts17-pooler.onnx");
  ASSERT_TRUE(bool(module));
  llvm::Error error = exportONNX(*module, temporary("none/a.onnx"));
  ASSERT_TRUE(bool(error));
  std::string message = llvm::toString(std::move(error));
  EXPECT_NE(message.find("cannot write"), std::string::npos) << message;
}

} // namespace
