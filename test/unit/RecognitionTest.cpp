//===- RecognitionTest.cpp - Recognition of whole models ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every committed fixture, imported and recognised: all attention found,
// nothing left over, and the interpreter computes what it computed before at
// every position that the mask keeps.
//
//===----------------------------------------------------------------------===//

#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/Npz.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace mlir;
using namespace plmc;

namespace {

std::vector<std::string> fixtures() {
  std::vector<std::string> names;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator it(PLMC_TEST_FIXTURES, error), end;
       it != end && !error; it.increment(error))
    if (llvm::sys::path::extension(it->path()) == ".onnx")
      names.push_back(llvm::sys::path::stem(it->path()).str());
  std::sort(names.begin(), names.end());
  return names;
}

template <typename Op> int64_t count(ModuleOp module) {
  int64_t result = 0;
  module.walk([&](Op) { ++result; });
  return result;
}

/// Element kept: its batch row, and its position where the output has one,
/// are not padding.
class KeptElements {
public:
  KeptElements(const HostTensor *mask, const HostTensor &output,
               bool hasPositions)
      : mask(mask), output(output), hasPositions(hasPositions) {}

  bool operator()(int64_t element) const {
    if (!mask || output.rank() < 1 || output.shape[0] != mask->shape[0])
      return true;
    int64_t length = mask->shape[1];
    int64_t row = element / (output.numElements() / output.shape[0]);
    if (hasPositions) {
      int64_t width = output.numElements() / (output.shape[0] * length);
      return mask->getInt(row * length + element / width % length) != 0;
    }
    for (int64_t i = 0; i < length; ++i)
      if (mask->getInt(row * length + i))
        return true;
    return false;
  }

private:
  const HostTensor *mask;
  const HostTensor &output;
  bool hasPositions;
};

class RecognitionTest : public testing::TestWithParam<std::string> {
protected:
  void SetUp() override {
    context.loadDialect<plm::PLMDialect, func::FuncDialect>();
    std::string path =
        std::string(PLMC_TEST_FIXTURES) + "/" + GetParam() + ".onnx";
    auto imported = importONNX(path, &context);
    ASSERT_TRUE(bool(imported)) << llvm::toString(imported.takeError());
    raw = std::move(*imported);
    recognized = cast<ModuleOp>(raw->clone());
    PassManager pm(&context);
    buildRecognitionPipeline(pm);
    ASSERT_TRUE(succeeded(pm.run(*recognized)));
    ASSERT_TRUE(succeeded(verify(*recognized)));
  }

  func::FuncOp function(ModuleOp module) {
    return *module.getOps<func::FuncOp>().begin();
  }

  void compare(const NamedTensors &arrays, const std::string &prefix);

  MLIRContext context;
  OwningOpRef<ModuleOp> raw, recognized;
};

TEST_P(RecognitionTest, FindsEverything) {
  EXPECT_GT(count<plm::SoftmaxOp>(*raw), 0);
  EXPECT_EQ(count<plm::AttentionOp>(*recognized), count<plm::SoftmaxOp>(*raw));
  EXPECT_GE(count<plm::EmbeddingOp>(*recognized), 1);
  EXPECT_EQ(count<plm::PositionEmbeddingOp>(*recognized), 1);
  EXPECT_GE(count<plm::LayerNormOp>(*recognized),
            2 * count<plm::AttentionOp>(*recognized));
  for (const UnrecognizedOp &op : findUnrecognized(*recognized))
    ADD_FAILURE() << op.op << " at '" << op.node << "': " << op.reason;
  // With a mask input every attention uses it.
  bool hasMask = false;
  func::FuncOp func = function(*recognized);
  for (unsigned i = 0; i < func.getNumArguments(); ++i)
    if (auto name = func.getArgAttrOfType<StringAttr>(i, "plm.name"))
      hasMask |= name.getValue() == "attention_mask";
  recognized->walk([&](plm::AttentionOp op) {
    EXPECT_EQ(bool(op.getMask()), hasMask);
  });
}

void RecognitionTest::compare(const NamedTensors &arrays,
                              const std::string &prefix) {
  func::FuncOp before = function(*raw), after = function(*recognized);
  std::vector<HostTensor> inputs;
  const HostTensor *mask = nullptr;
  for (unsigned i = 0; i < before.getNumArguments(); ++i) {
    auto name = before.getArgAttrOfType<StringAttr>(i, "plm.name");
    ASSERT_TRUE(name);
    auto found = arrays.find(prefix + "/in/" + name.str());
    ASSERT_NE(found, arrays.end()) << prefix << " lacks " << name.str();
    if (name == "attention_mask")
      mask = &found->second;
    inputs.push_back(found->second);
  }
  auto expected = interpret(before, inputs);
  ASSERT_TRUE(bool(expected)) << llvm::toString(expected.takeError());
  auto actual = interpret(after, inputs);
  ASSERT_TRUE(bool(actual)) << llvm::toString(actual.takeError());
  ASSERT_EQ(expected->size(), actual->size());
  for (size_t o = 0; o < expected->size(); ++o) {
    const HostTensor &want = (*expected)[o], &got = (*actual)[o];
    ASSERT_EQ(want.shape, got.shape);
    auto type = cast<RankedTensorType>(before.getResultTypes()[o]);
    bool hasPositions = mask && type.getRank() >= 2 && type.isDynamicDim(1) &&
                        want.shape[1] == mask->shape[1];
    KeptElements kept(mask, want, hasPositions);
    double scale = 1e-30, error = 0;
    int64_t compared = 0;
    for (int64_t i = 0; i < want.numElements(); ++i)
      if (kept(i)) {
        scale = std::max(scale, std::fabs(want.getDouble(i)));
        error = std::max(error, std::fabs(want.getDouble(i) - got.getDouble(i)));
        EXPECT_FALSE(std::isnan(got.getDouble(i)));
        ++compared;
      }
    EXPECT_GT(compared, 0);
    EXPECT_LE(error, 1e-6 * scale) << prefix << ", output " << o;
  }
}

TEST_P(RecognitionTest, ComputesTheSame) {
  auto arrays =
      readNpz(std::string(PLMC_TEST_FIXTURES) + "/" + GetParam() + ".npz");
  ASSERT_TRUE(bool(arrays)) << llvm::toString(arrays.takeError());
  int cases = 0;
  for (; cases < 64; ++cases) {
    std::string prefix = "case" + std::to_string(cases);
    auto next = arrays->lower_bound(prefix + "/");
    if (next == arrays->end() || next->first.rfind(prefix + "/", 0) != 0)
      break;
    compare(*arrays, prefix);
  }
  EXPECT_GT(cases, 0);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, RecognitionTest,
                         testing::ValuesIn(fixtures()),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
