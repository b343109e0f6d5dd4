//===- StructuredPassesTest.cpp - Sharing, heads, low rank ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerSharing/LayerGroups.h"
#include "LowRank/Factors.h"
#include "Pruning/ColumnChoice.h"
#include "SmallEncoder.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Passes/LayerSharing.h"
#include "plmc/Passes/LowRank.h"
#include "plmc/Passes/Pruning.h"
#include "plmc/Passes/Quantization.h"

using namespace plmc;
using namespace plmc::test;

namespace {

struct StructuredPasses : ::testing::Test {
  static void SetUpTestSuite() {
    registerQuantizationPasses();
    registerPruningPasses();
    registerLayerSharingPasses();
    registerLowRankPasses();
    file = calibrationFile("structured");
  }
  static void TearDownTestSuite() { llvm::sys::fs::remove(file); }
  static std::string file;
};
std::string StructuredPasses::file;

double damage(const Matrix &change, const Matrix &hessian) {
  return (change * hessian).cwiseProduct(change).sum();
}

Matrix correlatedHessian(int64_t columns) {
  std::srand(3);
  Matrix x = Matrix::Random(300, 10) * Matrix::Random(10, columns) +
             Matrix::Random(300, columns) * 0.1f;
  return x.transpose() * x / 300.0f;
}

int parametersNamed(mlir::ModuleOp module, llvm::StringRef start) {
  int count = 0;
  for (auto parameter : module.getOps<plm::ParameterOp>())
    count += parameter.getSymName().starts_with(start) &&
             parameter.getTensorType().getRank() == 2;
  return count;
}

} // namespace

TEST_F(StructuredPasses, FactorsLoseTheTailOfTheSpectrum) {
  for (auto [n, k] : {std::pair(24, 40), {40, 24}}) {
    Matrix weight = Matrix::Random(n, k), hessian = correlatedHessian(k);
    auto spectrum = decompose(weight, hessian, 1e-6);
    ASSERT_TRUE(bool(spectrum)) << llvm::toString(spectrum.takeError());
    double all = damage(weight, hessian);
    for (int64_t rank : {1, 5, 24}) {
      Factors factors = factorsOf(weight, *spectrum, rank);
      ASSERT_EQ(factors.left.cols(), rank);
      ASSERT_EQ(factors.right.cols(), k);
      double lost = damage(weight - factors.left * factors.right, hessian);
      EXPECT_NEAR(lost, spectrum->values.tail(24 - rank).sum(), 2e-3 * all);
    }
    EXPECT_EQ(spectrum->rankFor(1), 24);
    EXPECT_LT(spectrum->rankFor(0.9), 12);
  }
  EXPECT_EQ(breakEvenRank(384, 384), 191);
  EXPECT_EQ(breakEvenRank(2, 2), 0);
}

TEST_F(StructuredPasses, HeadsThatRepeatOthersGo) {
  // The third and fourth head repeat the first two.
  Matrix half = Matrix::Random(300, 16), x(300, 32);
  x << half, half;
  Matrix weight = Matrix::Random(8, 32), hessian = x.transpose() * x / 300.0f;
  auto choice = chooseColumns(weight, hessian, 2, 1e-4, 8);
  ASSERT_TRUE(bool(choice)) << llvm::toString(choice.takeError());
  ASSERT_EQ(choice->kept.size(), 16u);
  EXPECT_EQ(choice->kept[0] / 8 % 2 + choice->kept[8] / 8 % 2, 1);
  EXPECT_LT(damage(choice->weight - weight, hessian),
            1e-3 * damage(weight, hessian));
  // By a score of another kind: the first ones go.
  auto byNumber = chooseColumns(
      weight, hessian, 2, 1e-4, 8,
      [](const Matrix &, const Matrix &, llvm::ArrayRef<int64_t> left) {
        return std::vector<double>(left.begin(), left.end());
      });
  ASSERT_TRUE(bool(byNumber));
  EXPECT_EQ(byNumber->kept.front(), 16);
}

TEST_F(StructuredPasses, Groups) {
  auto text = [](llvm::Expected<LayerGroups> groups) {
    return groups ? std::to_string(groups->size()) + " groups"
                  : llvm::toString(groups.takeError());
  };
  EXPECT_EQ(*parseGroups("0-1;2,4", 6), (LayerGroups{{0, 1}, {2, 4}}));
  EXPECT_EQ(text(parseGroups("0-1;1-2", 6)),
            "groups=0-1;1-2: '1-2' names layer 1 again");
  EXPECT_EQ(text(parseGroups("0-6", 6)),
            "groups=0-6: '0-6' does not lie in the model's layers 0 to 5");
  EXPECT_EQ(text(parseGroups("0", 6)), "groups=0: no group has two layers");
  EXPECT_NE(text(parseGroups("a", 6)).find("'a' is no layer"),
            std::string::npos);
  Matrix distances = Matrix::Constant(4, 4, 1);
  distances(0, 2) = distances(2, 0) = 0.1f;
  EXPECT_EQ(groupsOfNeighbours(distances, 3), (LayerGroups{{0, 2}}));
}

TEST_F(StructuredPasses, FactorizeLinear) {
  auto original = parse(encoder(1));
  std::string data = " calibration=" + file + "}";
  auto at = [&](const std::string &options) {
    return run("plm-factorize-linear{" + options + data, 1);
  };
  auto low = at("rank=16"), high = at("weights=^w[ud]0 rank=32");
  EXPECT_GT(cosine(*original, *low), 0.8);
  EXPECT_GT(cosine(*original, *high), cosine(*original, *low));
  int linears = 0;
  high->walk([&](plm::LinearOp) { ++linears; });
  EXPECT_EQ(linears, 8);
}

TEST_F(StructuredPasses, PruneHeads) {
  auto original = parse(encoder(1));
  std::string data = " heads=1 calibration=" + file + "}";
  auto module = run("plm-prune-heads{" + data, 1);
  module->walk([&](plm::AttentionOp op) {
    EXPECT_EQ(op.getNumHeads(), 1);
    EXPECT_EQ(
        mlir::cast<mlir::RankedTensorType>(op.getType()).getShape().back(),
        hidden / 2);
  });
  auto unrepaired = run("plm-prune-heads{fit=-1" + data, 1);
  EXPECT_GT(cosine(*original, *module), 0.7);
  EXPECT_GT(cosine(*original, *module), cosine(*original, *unrepaired));
}

TEST_F(StructuredPasses, ShareLayersAndOnFromThere) {
  auto original = parse(encoder(2));
  auto means = run("plm-share-layers{groups=0-1 method=mean}", 2);
  EXPECT_EQ(parametersNamed(*means, "w"), 1 + 6);
  auto fitted = run(
      "plm-share-layers{groups=0-1 part=ffn sweeps=1 calibration=" + file + "}",
      2);
  EXPECT_EQ(parametersNamed(*fitted, "wu"), 1);
  EXPECT_EQ(parametersNamed(*fitted, "wd"), 1);
  EXPECT_EQ(parametersNamed(*fitted, "wq"), 2);
  EXPECT_GT(cosine(*original, *fitted), cosine(*original, *means) + 0.05);

  // A shared weight is pruned and quantized once, for all that read it.
  mlir::OwningOpRef<mlir::ModuleOp> shared =
      mlir::cast<mlir::ModuleOp>(fitted->clone());
  auto small = run("plm-prune-neurons{keep=0.67 calibration=" + file +
                       "},plm-quantize-weights{bits=4 min-elements=0 "
                       "mixed=0:w[qkv] calibration=" +
                       file + "}",
                   std::move(fitted));
  llvm::DenseSet<mlir::Value> read;
  int layers = 0;
  small->walk([&](plm::LinearOp op) {
    if (op.getPrecision()) {
      read.insert(op.getWeight());
      ++layers;
    }
  });
  EXPECT_EQ(layers, 6);
  EXPECT_EQ(read.size(), 4u);
  small->walk([&](plm::ActivationOp op) {
    EXPECT_EQ(
        mlir::cast<mlir::RankedTensorType>(op.getType()).getShape().back(), 64);
  });
  EXPECT_GT(cosine(*shared, *small), 0.85);
}
