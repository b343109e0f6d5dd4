//===- PruneWidthTest.cpp - A narrower residual stream --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pruning/ResidualStream.h"
#include "Pruning/StreamBasis.h"
#include "RandomEncoder.h"
#include "SmallEncoder.h"
#include "plmc/Passes/Pruning.h"

using namespace plmc;
using namespace plmc::test;

namespace {

struct PruneWidth : ::testing::Test {
  static void SetUpTestSuite() {
    registerPruningPasses();
    file = calibrationFile("width");
  }
  static void TearDownTestSuite() { llvm::sys::fs::remove(file); }
  static std::string file;
};
std::string PruneWidth::file;

int64_t elementsOf(mlir::ModuleOp module) {
  int64_t sum = 0;
  for (auto parameter : module.getOps<plm::ParameterOp>())
    sum += parameter.getTensorType().getNumElements();
  return sum;
}

} // namespace

TEST_F(PruneWidth, BasisKeepsLengthsAndHasNoMean) {
  std::srand(4);
  Matrix x = Matrix::Random(400, 5) * Matrix::Random(5, 24);
  for (auto row : x.rowwise())
    row.array() -= row.mean();
  Matrix moments = x.transpose() * x / 400.0f;
  for (int64_t columns : {6, 7, 24}) {
    auto basis = streamBasis(moments, columns);
    ASSERT_TRUE(bool(basis)) << llvm::toString(basis.takeError());
    ASSERT_EQ(basis->rows(), 24);
    ASSERT_EQ(basis->cols(), columns);
    Matrix turned = x * *basis;
    EXPECT_LT(turned.rowwise().sum().cwiseAbs().maxCoeff(), 1e-4);
    // Five components are all there is.
    EXPECT_LT((turned * basis->transpose() - x).norm(), 1e-4 * x.norm());
    // A constant is no component.
    EXPECT_LT((Matrix::Ones(1, 24) * *basis).norm(), 1e-5);
  }
  EXPECT_LT((x * *streamBasis(moments, 3)).norm(), 0.95 * x.norm());
  moments(2, 2) = NAN;
  auto bad = streamBasis(moments, 4);
  EXPECT_FALSE(bool(bad));
  llvm::consumeError(bad.takeError());
}

TEST_F(PruneWidth, PartsOfAPostNormEncoder) {
  auto module = parse(encoder(2));
  auto parts = findStreamParts(forwardOf(*module));
  ASSERT_EQ(parts.size(), 4u); // the word table is read without a norm
  for (const StreamPart &part : parts) {
    EXPECT_EQ(part.width, hidden);
    EXPECT_EQ(part.norms.size(), 1u);
    EXPECT_EQ(part.sums.size(), 1u);
    EXPECT_EQ(part.sources.size(), 2u);
  }
  // The last norm is what the model returns: one matrix for that and one for
  // the residual are more than a down projection gives back. The third norm
  // pays with its residual: if it stayed, the second would need all columns.
  mlir::SymbolTable symbols(*module);
  StreamUses uses(parts, symbols);
  EXPECT_EQ(uses.worthwhile({48, 48, 48, 48}),
            (std::vector<bool>{true, true, true, false}));
  EXPECT_EQ(uses.worthwhile({60, 60, 60, 60}),
            (std::vector<bool>{false, false, false, false}));
  EXPECT_EQ(uses.worthwhile({16, 16, 16, 16}),
            (std::vector<bool>{true, true, true, true}));
}

/// With all columns the model is what it was, in other coordinates.
TEST_F(PruneWidth, TurnedButNotCut) {
  int turned = 0, preNorm = 0;
  // The repair then finds nothing to do.
  for (unsigned seed = 0; seed < 12; ++seed) {
    RandomEncoder model(seed);
    SCOPED_TRACE("model " + std::to_string(seed) + "\n" + model.text);
    std::string path =
        PLMC_TEST_TMP "/turn-" + std::to_string(getpid()) + ".npz";
    model.writeCalibration(path, 24);
    auto module = parse(model.text);
    auto inputs = model.inputs(17, 3, 9);
    auto want = interpret(forwardOf(*module), inputs);
    ASSERT_TRUE(bool(want));
    std::string basis = seed % 2 ? "each" : "shared";
    module = run(
        "plm-prune-width{keep=1 multiple=2 allow-growth=true basis=" + basis +
            (seed < 6 ? " fit=-1" : " fit=10") + " calibration=" + path + "}",
        std::move(module));
    llvm::sys::fs::remove(path);
    auto got = interpret(forwardOf(*module), inputs);
    ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
    for (size_t i = 0; i < want->size(); ++i)
      expectClose((*got)[i], (*want)[i], 2e-4);
    int gains = 0;
    for (auto parameter : module->getOps<plm::ParameterOp>())
      gains += parameter.getSymName().starts_with("stream.gain");
    turned += gains > 0;
    preNorm += model.preNorm && gains;
  }
  EXPECT_GT(turned, 8);
  EXPECT_GT(preNorm, 2);
}

TEST_F(PruneWidth, CutAndRepaired) {
  auto original = parse(encoder(2));
  auto at = [&](const std::string &options) {
    return run("plm-prune-width{" + options + " calibration=" + file + "}", 2);
  };
  auto repaired = at("width=20"), as = at("width=20 fit=-1");
  EXPECT_LT(elementsOf(*repaired), elementsOf(*original));
  EXPECT_EQ(elementsOf(*repaired), elementsOf(*as));
  EXPECT_GT(cosine(*original, *as), 0.75);
  // 430 tokens are few for a fit of 60 columns.
  EXPECT_GT(cosine(*original, *repaired), 0.75);
  EXPECT_NE(cosine(*original, *repaired), cosine(*original, *as));
  bool isNarrow = false;
  repaired->walk([&](plm::LayerNormOp norm) {
    isNarrow |=
        mlir::cast<mlir::RankedTensorType>(norm.getType()).getShape().back() ==
        20;
  });
  EXPECT_TRUE(isNarrow);
}
