//===- HuggingFaceTest.cpp - Hugging Face folders, imported and compiled --===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every folder of test/fixtures/huggingface is imported, run by the interpreter
// and compared with what transformers computes for it (expected.npz); those
// that differ for code generation are compiled too. HuggingFaceHostileTest.cpp
// has the folders that are refused.
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Frontend/HuggingFace/Import.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Support/Npz.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/Path.h"
#include <set>

using namespace plmc;
using namespace plmc::test;

namespace {

const std::string root = PLMC_TEST_FIXTURES "/../huggingface/";

std::vector<std::string> folders() {
  std::vector<std::string> names;
  std::error_code code;
  for (llvm::sys::fs::directory_iterator it(root, code), end;
       it != end && !code; it.increment(code))
    names.push_back(llvm::sys::path::filename(it->path()).str());
  std::sort(names.begin(), names.end());
  return names;
}

mlir::OwningOpRef<mlir::ModuleOp> import(const std::string &name) {
  auto module = importHuggingFace(root + name, &context());
  if (!module) {
    ADD_FAILURE() << llvm::toString(module.takeError());
    return nullptr;
  }
  return std::move(*module);
}

std::unique_ptr<LoadedModel> compileModule(mlir::ModuleOp module,
                                           const std::string &name) {
  CompileOptions options;
  mlir::PassManager pm(&context());
  buildRecognitionPipeline(pm);
  buildLoweringPipeline(pm, options);
  if (mlir::failed(pm.run(module))) {
    ADD_FAILURE() << "lowering failed";
    return nullptr;
  }
  std::string path = std::string(PLMC_TEST_TMP "/hf-") + name + "-" +
                     std::to_string(getpid()) + ".so";
  auto result = emitLibrary(module, options, OutputKind::SharedLibrary, path);
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

/// One a family, and what has other operations than they: heads, poolings,
/// kinds of positions.
bool isCompiled(llvm::StringRef name) {
  static const std::set<llvm::StringRef> names = {
      "albert-model-groups",
      "bert-choice",
      "bert-model-f16",
      "bert-model-relative",
      "bert-model-sentence",
      "bert-pretrain",
      "bert-qa",
      "debertav2-choice",
      "debertav2-model",
      "debertav2-model-conv",
      "debertav2-model-plain",
      "distilbert-model-sentence",
      "electra-pretrain",
      "modernbert-choice",
      "modernbert-model",
      "modernbert-seqcls-mean",
      "mpnet-model",
      "roberta-model",
  };
  return names.count(name);
}

using Arrays = std::map<std::string, HostTensor>;

/// Where the mask keeps, and everywhere for a result that has no positions:
/// what of a padding position comes out is nobody's business.
void expectCloseWhereKept(const HostTensor &got, const HostTensor &want,
                          const HostTensor &mask) {
  ASSERT_EQ(llvm::ArrayRef<int64_t>(got.shape),
            llvm::ArrayRef<int64_t>(want.shape));
  bool perToken = want.rank() >= mask.rank() &&
                  llvm::ArrayRef<int64_t>(want.shape).take_front(mask.rank()) ==
                      llvm::ArrayRef<int64_t>(mask.shape);
  int64_t inner = perToken ? want.numElements() / mask.numElements() : 1;
  double scale = 0, error = 0;
  for (int64_t i = 0; i < want.numElements(); ++i) {
    if (perToken && !mask.getInt(i / inner))
      continue;
    scale = std::max(scale, std::abs(want.getDouble(i)));
    double difference = std::abs(want.getDouble(i) - got.getDouble(i));
    error = std::isnan(difference) ? INFINITY : std::max(error, difference);
  }
  EXPECT_LE(error, 2e-5 * scale) << "scale " << scale;
}

class Folder : public testing::TestWithParam<std::string> {};

} // namespace

TEST_P(Folder, MatchesTransformers) {
  const std::string &name = GetParam();
  mlir::OwningOpRef<mlir::ModuleOp> module = import(name);
  ASSERT_TRUE(module);
  auto read = readNpz(root + name + "/expected.npz");
  ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
  Arrays arrays(std::make_move_iterator(read->begin()),
                std::make_move_iterator(read->end()));
  std::set<std::string> cases;
  for (const auto &[key, array] : arrays)
    cases.insert(key.substr(0, key.find('/')));
  ASSERT_GE(cases.size(), 4u);

  auto func = module->lookupSymbol<mlir::func::FuncOp>("forward");
  std::vector<std::string> inputs, outputs;
  for (unsigned i = 0; i < func.getNumArguments(); ++i)
    inputs.push_back(
        func.getArgAttrOfType<mlir::StringAttr>(i, "plm.name").str());
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    outputs.push_back(
        func.getResultAttrOfType<mlir::StringAttr>(i, "plm.name").str());
  // The case says which inputs and outputs there must be.
  for (const auto &[key, array] : arrays) {
    llvm::StringRef text = key;
    if (text.consume_front("case0/in/"))
      EXPECT_TRUE(llvm::is_contained(inputs, text)) << text.str();
    else if (text.consume_front("case0/out/"))
      EXPECT_TRUE(llvm::is_contained(outputs, text)) << text.str();
  }

  auto valuesOf = [&](const std::string &prefix) {
    std::vector<HostTensor> values;
    for (const std::string &input : inputs)
      values.push_back(arrays.at(prefix + "/in/" + input));
    return values;
  };
  auto compare = [&](const std::string &prefix,
                     llvm::ArrayRef<HostTensor> results) {
    ASSERT_EQ(results.size(), outputs.size());
    for (auto [output, tensor] : llvm::zip(outputs, results)) {
      SCOPED_TRACE(output);
      expectCloseWhereKept(tensor, arrays.at(prefix + "/out/" + output),
                           arrays.at(prefix + "/in/attention_mask"));
    }
  };

  for (const std::string &prefix : cases) {
    SCOPED_TRACE("interpreted, " + name + " " + prefix);
    auto results = interpret(func, valuesOf(prefix));
    ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
    compare(prefix, *results);
  }
  if (!isCompiled(name))
    return;
  std::unique_ptr<LoadedModel> model = compileModule(*module, name);
  ASSERT_TRUE(model);
  auto context = model->createContext(1);
  ASSERT_TRUE(bool(context)) << llvm::toString(context.takeError());
  for (const std::string &prefix : cases) {
    SCOPED_TRACE(name + " " + prefix);
    auto results = (*context)->run(valuesOf(prefix));
    ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
    compare(prefix, *results);
  }
}

INSTANTIATE_TEST_SUITE_P(HuggingFace, Folder, testing::ValuesIn(folders()),
                         [](const auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// Number of parameters whose shape has `rows` rows.
static int tablesOf(mlir::ModuleOp module, int64_t rows) {
  int count = 0;
  for (auto parameter : module.getOps<plm::ParameterOp>())
    count += parameter.getTensorType().getRank() == 2 &&
             parameter.getTensorType().getDimSize(0) == rows;
  return count;
}

TEST(HuggingFace, TiedWeightsAreOneParameter) {
  EXPECT_EQ(tablesOf(*import("bert-mlm"), 40), 1);
  EXPECT_EQ(tablesOf(*import("bert-mlm-untied"), 40), 2);
  EXPECT_EQ(tablesOf(*import("albert-pretrain"), 40), 1);
}

TEST(HuggingFace, LayersOfAGroupShareTheirParameters) {
  auto module = import("albert-model");
  // Two layers, one set of feed-forward weights [24, 16].
  EXPECT_EQ(tablesOf(*module, 24), 1);
  int attentions = 0;
  module->walk([&](plm::AttentionOp) { ++attentions; });
  EXPECT_EQ(attentions, 2);
}

/// The position table ends: longer sequences are refused, with the reason.
TEST(HuggingFace, SequencesEndWithThePositions) {
  auto module = import("roberta-model");
  std::string expr, message;
  module->walk([&](plm::ConstraintOp op) {
    expr = op.getExpr().str();
    message = op.getMessage().str();
  });
  EXPECT_EQ(expr, "46 - sequence"); // 48 rows, the first two for padding
  EXPECT_NE(message.find("46 positions"), std::string::npos) << message;
}

TEST(HuggingFace, WeightsStayInTheMappedFile) {
  auto module = import("bert-model");
  auto parameter = module->lookupSymbol<plm::ParameterOp>(
      "embeddings.word_embeddings.weight");
  ASSERT_TRUE(parameter);
  EXPECT_TRUE(parameter.getBytes().has_value());
}

TEST(HuggingFace, ConfigFileNamesItsFolder) {
  EXPECT_EQ(huggingFaceFolder(root + "bert-model/config.json"),
            root + "bert-model");
  EXPECT_EQ(huggingFaceFolder(root + "bert-model/"), root + "bert-model");
  EXPECT_TRUE(isHuggingFacePath(root + "bert-model"));
  EXPECT_FALSE(isHuggingFacePath(root + "bert-model/model.safetensors"));
  auto module = importHuggingFace(root + "bert-model/config.json", &context());
  EXPECT_TRUE(bool(module));
  if (!module)
    llvm::consumeError(module.takeError());
}

/// A copy of bert-model-sentence that ends with mean and mean_sqrt_len_tokens
/// pooling: the second vector is the first times the root of the length.
TEST(HuggingFace, PoolsBySquareRootOfTheLength) {
  std::string from = root + "bert-model-sentence/";
  std::string folder =
      std::string(PLMC_TEST_TMP "/hf-sqrt-") + std::to_string(getpid()) + "/";
  llvm::scope_exit remove([&] { llvm::sys::fs::remove_directories(folder); });
  ASSERT_FALSE(llvm::sys::fs::create_directories(folder + "1_Pooling"));
  for (const char *name : {"config.json", "model.safetensors"})
    ASSERT_FALSE(llvm::sys::fs::copy_file(from + name, folder + name));
  auto write = [&](const std::string &name, llvm::StringRef text) {
    std::error_code code;
    llvm::raw_fd_ostream(folder + name, code) << text;
    ASSERT_FALSE(code);
  };
  write("modules.json", R"([{"path":"","type":"x.Transformer"},
                            {"path":"1_Pooling","type":"x.Pooling"}])");

  auto read = readNpz(from + "expected.npz");
  ASSERT_TRUE(bool(read)) << llvm::toString(read.takeError());
  Arrays arrays(std::make_move_iterator(read->begin()),
                std::make_move_iterator(read->end()));
  for (llvm::StringRef config :
       {R"({"pooling_mode_mean_tokens": true,
            "pooling_mode_mean_sqrt_len_tokens": true})",
        R"({"pooling_mode": ["mean", "mean_sqrt_len_tokens"]})"}) {
    write("1_Pooling/config.json", config);
    auto module = importHuggingFace(folder, &context());
    ASSERT_TRUE(bool(module)) << llvm::toString(module.takeError());
    auto func = (*module)->lookupSymbol<mlir::func::FuncOp>("forward");
    for (int i = 0;
         arrays.count("case" + std::to_string(i) + "/in/attention_mask"); ++i) {
      std::string prefix = "case" + std::to_string(i) + "/in/";
      const HostTensor &mask = arrays.at(prefix + "attention_mask");
      std::vector<HostTensor> inputs;
      for (unsigned k = 0; k < func.getNumArguments(); ++k)
        inputs.push_back(arrays.at(
            prefix +
            func.getArgAttrOfType<mlir::StringAttr>(k, "plm.name").str()));
      auto results = interpret(func, inputs);
      ASSERT_TRUE(bool(results)) << llvm::toString(results.takeError());
      const HostTensor &pooled = results->back();
      int64_t length = mask.shape[1], width = pooled.shape[1] / 2;
      for (int64_t row = 0; row < mask.shape[0]; ++row) {
        double kept = 0;
        for (int64_t t = 0; t < length; ++t)
          kept += mask.getInt(row * length + t);
        for (int64_t c = 0; c < width; ++c)
          EXPECT_NEAR(pooled.getDouble((2 * row + 1) * width + c),
                      pooled.getDouble(2 * row * width + c) * std::sqrt(kept),
                      1e-5);
      }
    }
  }
}
