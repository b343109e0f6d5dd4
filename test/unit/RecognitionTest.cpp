//===- RecognitionTest.cpp - Recognition of whole models ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every committed fixture, imported and recognised: all attention found,
// nothing left over, and the interpreter computes what it computed before at
// every position that the mask keeps. The functions of the lit tests, which
// hold many spellings in isolation, must keep their values, too.
//
//===----------------------------------------------------------------------===//

#include "plmc/Frontend/ONNX/Recognition.h"
#include "Manifest.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "plmc/Analysis/ModelSummary.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/Npz.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "gtest/gtest.h"
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

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
    if (mask->rank() == 3) { // a row for every choice, or for every query
      int64_t rows = mask->shape[0] * mask->shape[1], length = mask->shape[2];
      if (output.rank() < 2 || output.shape[1] != mask->shape[1])
        return true;
      int64_t row = element / (output.numElements() / rows);
      for (int64_t i = 0; i < length; ++i)
        if (mask->getInt(row * length + i))
          return true;
      return false;
    }
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

/// The families that `plmc inspect` may call a fixture of this family.
std::vector<std::string> namesOf(const std::string &family) {
  static const std::map<std::string, std::vector<std::string>> names = {
      {"bert", {"BERT"}},
      {"albert", {"ALBERT"}},
      {"distilbert", {"DistilBERT"}},
      {"roberta", {"RoBERTa"}},
      {"xlmr", {"RoBERTa"}},
      {"camembert", {"RoBERTa"}},
      // Without a factorised embedding there is no difference but names.
      {"electra", {"ELECTRA", "BERT"}},
      {"mpnet", {"MPNet"}},
      {"mobilebert", {"MobileBERT"}},
      {"deberta", {"DeBERTa-v2"}},
      {"modernbert", {"ModernBERT"}},
      {"nomic", {"NomicBERT"}}};
  auto found = names.find(family);
  return found == names.end() ? std::vector<std::string>() : found->second;
}

TEST_P(RecognitionTest, FindsEverything) {
  EXPECT_GT(count<plm::SoftmaxOp>(*raw), 0);
  nlohmann::json entry = test::manifestEntry(GetParam());
  if (entry.is_object() && entry.contains("generic")) {
    // Attention that is right to be left: each softmax says why.
    EXPECT_EQ(count<plm::AttentionOp>(*recognized), 0);
    int reasons = 0;
    for (const UnrecognizedOp &op : findUnrecognized(*recognized))
      reasons += llvm::StringRef(op.reason).contains("rounded to 8 bits");
    EXPECT_EQ(reasons, count<plm::SoftmaxOp>(*raw));
    return;
  }
  EXPECT_EQ(count<plm::AttentionOp>(*recognized), count<plm::SoftmaxOp>(*raw));
  EXPECT_GE(count<plm::EmbeddingOp>(*recognized), 1);
  for (const UnrecognizedOp &op : findUnrecognized(*recognized))
    ADD_FAILURE() << op.op << " at '" << op.node << "': " << op.reason;
  ModelSummary summary = summarizeModel(*recognized);
  if (entry.is_object()) {
    EXPECT_EQ(summary.attentionBlocks, entry.value("attention", -1));
    EXPECT_EQ(summary.norms, entry.value("norms", -1));
    EXPECT_EQ(summary.embeddings, entry.value("embeddings", -1));
    std::vector<std::string> names = namesOf(entry.value("family", ""));
    EXPECT_TRUE(names.empty() || llvm::is_contained(names, summary.family))
        << summary.family;
  }
  // With a mask input every attention uses it.
  bool hasMask = false;
  func::FuncOp func = function(*recognized);
  for (unsigned i = 0; i < func.getNumArguments(); ++i)
    if (auto name = func.getArgAttrOfType<StringAttr>(i, "plm.name"))
      hasMask |= name.getValue() == "attention_mask";
  recognized->walk([&](plm::AttentionOp op) {
    EXPECT_TRUE(!hasMask || op.getMask() || op.getBias());
    EXPECT_TRUE(hasMask || !op.getMask());
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
    if (name == "attention_mask" && found->second.rank() <= 3)
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
    bool hasPositions = mask && mask->rank() == 2 && type.getRank() >= 2 &&
                        type.isDynamicDim(1) && want.shape[1] == mask->shape[1];
    KeptElements kept(mask, want, hasPositions);
    double scale = 1e-30, error = 0;
    int64_t compared = 0;
    for (int64_t i = 0; i < want.numElements(); ++i)
      if (kept(i)) {
        scale = std::max(scale, std::fabs(want.getDouble(i)));
        error =
            std::max(error, std::fabs(want.getDouble(i) - got.getDouble(i)));
        EXPECT_FALSE(std::isnan(got.getDouble(i)));
        ++compared;
      }
    EXPECT_GT(compared, 0);
    // Half and double models compute in single precision from here on.
    nlohmann::json entry = test::manifestEntry(GetParam());
    double tolerance = entry.is_object() ? entry.value("tolerance", 0.0) : 0;
    bool half = false;
    raw->walk([&](plm::ParameterOp op) {
      half |= op.getTensorType().getElementTypeBitWidth() == 16;
    });
    if (half)
      tolerance = std::max(tolerance, 0.03);
    EXPECT_LE(error, (tolerance > 2e-5 ? tolerance : 5e-6) * scale)
        << prefix << ", output " << o;
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
                         testing::ValuesIn(fixtures()), [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

//===----------------------------------------------------------------------===//
// The functions of the lit tests
//===----------------------------------------------------------------------===//

/// The pieces of every test/Recognition/*.mlir, cut at `// -----`.
std::vector<std::pair<std::string, std::string>> litModules() {
  std::vector<std::pair<std::string, std::string>> modules;
  std::string folder = std::string(PLMC_TEST_FIXTURES) + "/../../Recognition";
  std::error_code error;
  for (llvm::sys::fs::directory_iterator it(folder, error), end;
       it != end && !error; it.increment(error)) {
    if (llvm::sys::path::extension(it->path()) != ".mlir")
      continue;
    auto buffer = llvm::MemoryBuffer::getFile(it->path());
    if (!buffer)
      continue;
    llvm::SmallVector<llvm::StringRef> pieces;
    (*buffer)->getBuffer().split(pieces, "// -----");
    for (llvm::StringRef piece : pieces)
      modules.push_back(
          {llvm::sys::path::filename(it->path()).str(), piece.str()});
  }
  return modules;
}

/// Random numbers; 0 or 1, and 1 once a row, where the type is that of ids or
/// of a mask.
std::optional<HostTensor> randomInput(RankedTensorType type,
                                      const DimValues &dims,
                                      std::mt19937 &random) {
  llvm::SmallVector<int64_t> shape;
  for (const DimExpr &dim : getDims(type)) {
    std::optional<int64_t> size = dim.evaluate(dims);
    if (!size)
      return std::nullopt;
    shape.push_back(*size);
  }
  HostTensor tensor(*dtypeFromMLIR(type.getElementType()), shape);
  auto expr = getDims(type);
  bool mask = !isFloat(tensor.dtype) ||
              (expr.size() >= 2 && expr.back() == DimExpr::symbol("sequence"));
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    if (mask)
      tensor.setInt(i, i % shape.back() == 1 || random() % 2);
    else
      tensor.setDouble(i, int32_t(random()) / 1073741824.0);
  return tensor;
}

TEST(RecognitionOfSpellings, KeepsValues) {
  MLIRContext context;
  context.loadDialect<plm::PLMDialect, func::FuncDialect>();
  std::mt19937 random(1);
  int compared = 0;
  for (const auto &[file, text] : litModules()) {
    auto before = parseSourceString<ModuleOp>(text, &context);
    ASSERT_TRUE(before) << file;
    OwningOpRef<ModuleOp> after = cast<ModuleOp>(before->clone());
    PassManager pm(&context);
    buildRecognitionPipeline(pm);
    ASSERT_TRUE(succeeded(pm.run(*after))) << file;
    for (auto func : before->getOps<func::FuncOp>())
      for (DimValues dims : {DimValues{{"batch", 2}, {"sequence", 5}},
                             DimValues{{"batch", 3}, {"sequence", 2}}}) {
        std::vector<HostTensor> inputs;
        for (Type type : func.getArgumentTypes())
          if (auto input =
                  randomInput(cast<RankedTensorType>(type), dims, random))
            inputs.push_back(std::move(*input));
        std::string where = file + ", @" + func.getName().str();
        auto expected = interpret(func, inputs);
        if (!expected) {
          // No input binds the dimensions: nothing to run.
          llvm::consumeError(expected.takeError());
          continue;
        }
        auto actual = interpret(
            after->lookupSymbol<func::FuncOp>(func.getName()), inputs);
        ASSERT_TRUE(bool(actual))
            << where << ": " << llvm::toString(actual.takeError());
        for (size_t o = 0; o < expected->size(); ++o) {
          const HostTensor &want = (*expected)[o], &got = (*actual)[o];
          ASSERT_EQ(want.shape, got.shape) << where;
          double scale = 1e-30, error = 0;
          for (int64_t i = 0; i < want.numElements(); ++i) {
            scale = std::max(scale, std::fabs(want.getDouble(i)));
            error = std::max(error,
                             std::fabs(want.getDouble(i) - got.getDouble(i)));
          }
          EXPECT_LE(error, 2e-6 * scale) << where;
          ++compared;
        }
      }
  }
  EXPECT_GT(compared, 80);
}

//===----------------------------------------------------------------------===//
// What is left over
//===----------------------------------------------------------------------===//

std::vector<UnrecognizedOp> leftOf(llvm::StringRef text) {
  MLIRContext context;
  context.loadDialect<plm::PLMDialect, func::FuncDialect>();
  auto module = parseSourceString<ModuleOp>(text, &context);
  EXPECT_TRUE(module);
  PassManager pm(&context);
  buildRecognitionPipeline(pm);
  if (!module || failed(pm.run(*module)))
    return {};
  return findUnrecognized(*module);
}

TEST(FindUnrecognized, NamesNodeAndReason) {
  // Probabilities that no values follow.
  std::vector<UnrecognizedOp> left = leftOf(R"mlir(
    !x = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>
    !t = tensor<?x4x?xf32, #plm.dims<"batch", "4", "sequence">>
    !s = tensor<?x?x?xf32, #plm.dims<"batch", "sequence", "sequence">>
    func.func @forward(%x: !x) -> !s {
      %t = plm.transpose %x [0, 2, 1] : (!x) -> !t
      %s = plm.matmul %x, %t : (!x, !t) -> !s loc("scores (MatMul)")
      %p = plm.softmax %s axis 2 : (!s) -> !s loc("probabilities (Softmax)")
      return %p : !s
    })mlir");
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].node, "scores (MatMul)");
  EXPECT_EQ(left[0].op, "plm.matmul");
  EXPECT_NE(left[0].reason.find("no recognised attention"), std::string::npos);
  EXPECT_EQ(left[1].node, "probabilities (Softmax)");
  EXPECT_FALSE(left[1].reason.empty());
  EXPECT_EQ(countUnrecognized(left, UnrecognizedKind::Attention), 1);
  EXPECT_EQ(countUnrecognized(left, UnrecognizedKind::Norm), 0);
}

TEST(FindUnrecognized, CountsByKind) {
  std::vector<UnrecognizedOp> left = leftOf(R"mlir(
    !i = tensor<?x?xi64, #plm.dims<"batch", "sequence">>
    !x = tensor<?x?x4xf32, #plm.dims<"batch", "sequence", "4">>
    !r = tensor<?x?x1xf32, #plm.dims<"batch", "sequence", "1">>
    !p = tensor<?x4xf32, #plm.dims<"batch", "4">>
    plm.parameter @table = dense<1.0> : tensor<8x4xf32>
    func.func @forward(%ids: !i, %other: !i) -> (!p, !p) {
      %t = plm.get_parameter @table : tensor<8x4xf32>
      %d = plm.binary sub %ids, %other : (!i, !i) -> !i
      %e = plm.gather %t, %d axis 0 : (tensor<8x4xf32>, !i) -> !x
      %q = plm.binary mul %e, %e : (!x, !x) -> !x
      %m = plm.reduce mean %q [2] keepdims : (!x) -> !r
      %v = plm.unary rsqrt %m : (!r) -> !r
      %n = plm.binary mul %e, %v : (!x, !r) -> !x
      %o = plm.reduce sum %n [1] : (!x) -> !p
      %s = plm.softmax %o axis 1 : (!p) -> !p
      return %o, %s : !p, !p
    })mlir");
  EXPECT_EQ(left.size(), 3u);
  EXPECT_EQ(countUnrecognized(left, UnrecognizedKind::Embedding), 1);
  EXPECT_EQ(countUnrecognized(left, UnrecognizedKind::Norm), 1);
  EXPECT_EQ(countUnrecognized(left, UnrecognizedKind::Pooling), 1);
  // The softmax gives probabilities of classes.
  EXPECT_EQ(countUnrecognized(left, UnrecognizedKind::Attention), 0);
}

} // namespace
