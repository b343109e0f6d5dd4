//===- CompileAndRun.h - Compile IR text and compare with the interpreter ---*-
// C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_UNIT_COMPILEANDRUN_H
#define PLMC_TEST_UNIT_COMPILEANDRUN_H

#include "mlir/Parser/Parser.h"
#include "plmc/CodeGen/Compile.h"
#include "plmc/Execution/LoadedModel.h"
#include "plmc/InitAll.h"
#include "plmc/Interpreter/Interpreter.h"
#include "llvm/Support/FileSystem.h"
#include <gtest/gtest.h>
#include <random>

namespace plmc::test {

inline mlir::MLIRContext &context() {
  static auto *instance = [] {
    mlir::DialectRegistry registry;
    registerAllDialects(registry);
    auto *created = new mlir::MLIRContext(registry);
    created->loadAllAvailableDialects();
    return created;
  }();
  return *instance;
}

/// Deterministic values; never the same twice in a model.
class Random {
public:
  explicit Random(unsigned seed) : engine(seed) {}
  HostTensor floats(llvm::ArrayRef<int64_t> shape, float scale = 1) {
    HostTensor tensor(DType::F32, shape);
    std::normal_distribution<float> normal(0, scale);
    for (int64_t i = 0; i < tensor.numElements(); ++i)
      tensor.as<float>()[i] = normal(engine);
    return tensor;
  }
  HostTensor ints(llvm::ArrayRef<int64_t> shape, int64_t limit) {
    HostTensor tensor(DType::I64, shape);
    for (int64_t i = 0; i < tensor.numElements(); ++i)
      tensor.as<int64_t>()[i] = engine() % limit;
    return tensor;
  }
  std::mt19937 engine;
};

/// `plm.parameter @name` with random values, as text.
inline std::string parameter(Random &random, llvm::StringRef name,
                             llvm::ArrayRef<int64_t> shape, float scale = 1) {
  HostTensor values = random.floats(shape, scale);
  auto attr = attrFromTensor(values, &context());
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "plm.parameter @" << name << " = ";
  attr.print(os);
  return text + "\n";
}

/// Compiles the module and returns the library; a failure fails the test.
inline std::unique_ptr<LoadedModel>
compileModule(mlir::ModuleOp module, const CompileOptions &options) {
  mlir::PassManager pm(&context());
  buildLoweringPipeline(pm, options);
  if (mlir::failed(pm.run(module))) {
    ADD_FAILURE() << "lowering failed";
    return nullptr;
  }
  static int counter = 0;
  std::string path = PLMC_TEST_TMP "/compiled" + std::to_string(counter++) +
                     "-" + std::to_string(getpid()) + ".so";
  auto result = emitLibrary(module, options, OutputKind::SharedLibrary, path);
  if (!result) {
    ADD_FAILURE() << llvm::toString(result.takeError());
    return nullptr;
  }
  auto model = LoadedModel::open(path);
  llvm::sys::fs::remove(path); // stays mapped
  if (!model) {
    ADD_FAILURE() << llvm::toString(model.takeError());
    return nullptr;
  }
  return std::move(*model);
}

inline std::unique_ptr<LoadedModel> compile(llvm::StringRef text,
                                            CompileOptions options = {}) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  if (!module) {
    ADD_FAILURE() << "IR does not parse";
    return nullptr;
  }
  return compileModule(*module, options);
}

inline std::vector<HostTensor>
interpretText(llvm::StringRef text, llvm::ArrayRef<HostTensor> inputs) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  EXPECT_TRUE(module);
  auto result =
      interpret(module->lookupSymbol<mlir::func::FuncOp>("forward"), inputs);
  if (!result) {
    ADD_FAILURE() << llvm::toString(result.takeError());
    return {};
  }
  return std::move(*result);
}

/// Max absolute error over the output's scale; `keep` (one entry a row of
/// dims 0 and 1) leaves out padding.
inline void expectClose(const HostTensor &actual, const HostTensor &expected,
                        double tolerance, const HostTensor *mask = nullptr) {
  ASSERT_EQ(actual.dtype, expected.dtype);
  ASSERT_EQ(llvm::ArrayRef<int64_t>(actual.shape),
            llvm::ArrayRef<int64_t>(expected.shape));
  double scale = 0, error = 0;
  int64_t inner = mask ? expected.numElements() / mask->numElements() : 1;
  for (int64_t i = 0; i < expected.numElements(); ++i) {
    double want = expected.getDouble(i), got = actual.getDouble(i);
    if (mask && !mask->getInt(i / inner)) {
      EXPECT_EQ(got, 0) << "padding at " << i;
      continue;
    }
    scale = std::max(scale, std::abs(want));
    if (std::isnan(want) != std::isnan(got)) {
      ADD_FAILURE() << "element " << i << " is " << got << ", expected "
                    << want;
      return;
    }
    if (!std::isnan(want) && want != got)
      error = std::max(error, std::abs(want - got));
  }
  double allowed = tolerance ? tolerance * std::max(scale, 1e-30) : 0;
  EXPECT_LE(error, allowed) << "scale " << scale;
}

} // namespace plmc::test

#endif // PLMC_TEST_UNIT_COMPILEANDRUN_H
