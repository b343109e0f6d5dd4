//===- NormFitTest.cpp - Gains and shifts of norms by least squares -------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/NormFit.h"
#include "SmallEncoder.h"
#include "plmc/Calibration/LayerwiseFit.h"
#include "plmc/Calibration/LinearParameters.h"

using namespace plmc;
using namespace plmc::test;

namespace {

TEST(NormFit, Columns) {
  std::srand(4);
  Matrix have = Matrix::Random(3000, 5);
  have.col(3).setConstant(7); // only shifted
  Matrix want = have;
  want.col(0) = have.col(0) * 1.3f;
  want.col(1) = have.col(1) * 0.9f + Vector::Constant(3000, 2);
  want.col(2) += Matrix::Random(3000, 1) * 0.01f;
  want.col(3).setConstant(4);
  want.col(4) *= -3; // no norm of the same model
  ColumnMap map = fitColumns(RowSource::of(have), RowSource::of(want));
  EXPECT_NEAR(map.scale[0], 1.3, 1e-5);
  EXPECT_NEAR(map.scale[1], 0.9, 1e-5);
  EXPECT_NEAR(map.shift[1], 2, 1e-5);
  EXPECT_NEAR(map.scale[2], 1, 1e-3);
  EXPECT_EQ(map.scale[3], 1);
  EXPECT_NEAR(map.shift[3], -3, 1e-5);
  EXPECT_EQ(map.scale[4], 0.5);
}

/// Runs a fit that changes nothing but norms, after the feed-forward layers
/// were made half as strong.
mlir::OwningOpRef<mlir::ModuleOp> weakened(llvm::StringRef file, bool norms) {
  auto module = parse(encoder(2));
  auto func = forwardOf(*module);
  auto fit = llvm::cantFail(LayerwiseFit::create(func, file));
  func.walk([&](plm::LinearOp op) {
    auto get = op.getWeight().getDefiningOp<plm::GetParameterOp>();
    if (get.getParameter().starts_with("wd"))
      setWeight(op, llvm::cantFail(weightOf(op, fit->symbolTable())) * 0.5f,
                fit->symbolTable());
  });
  fit->norms = norms;
  llvm::cantFail(fit->run([](FitLayer &) { return llvm::Error::success(); }));
  EXPECT_TRUE(mlir::succeeded(mlir::verify(*module)));
  return module;
}

/// The output's error on the calibration data: its mean by column, and all.
std::pair<double, double> errorOf(mlir::ModuleOp original, mlir::ModuleOp now,
                                  llvm::StringRef file) {
  CalibrationSet set = llvm::cantFail(CalibrationSet::read(file));
  auto rowsOf = [&](mlir::ModuleOp module) {
    auto func = forwardOf(module);
    auto batches = llvm::cantFail(makeBatches(func, set));
    mlir::Operation *end = func.getBody().front().getTerminator();
    StepwiseRun run(func, batches);
    llvm::cantFail(run.advanceTo(end, end->getOperand(0)));
    return llvm::cantFail(run.rows(end->getOperand(0)));
  };
  Matrix error = rowsOf(now) - rowsOf(original);
  return {error.colwise().mean().norm(), error.norm()};
}

TEST(NormFit, NormsMakeUpForLayers) {
  std::string file = calibrationFile("norm-fit");
  auto original = parse(encoder(2));
  auto without = weakened(file, false), with = weakened(file, true);
  auto before = errorOf(*original, *without, file);
  auto after = errorOf(*original, *with, file);
  EXPECT_LT(after.first, 1e-4);
  EXPECT_GT(before.first, 1e-2);
  EXPECT_LT(after.second, 0.95 * before.second);
  // Every norm has another gain now, and a shift, which it had not.
  int changed = 0;
  with->walk([&](plm::LayerNormOp norm) { changed += bool(norm.getBeta()); });
  EXPECT_EQ(changed, 3); // not the one before the first change
  llvm::sys::fs::remove(file);
}

/// What two norms read stays as it is.
TEST(NormFit, SharedGains) {
  std::string text = encoder(2);
  size_t at = text.find("get_parameter @f1");
  ASSERT_NE(at, std::string::npos);
  text[at + strlen("get_parameter @f")] = '0';
  auto module = parse(text);
  mlir::SymbolTable symbols(*module);
  int own = 0, all = 0;
  module->walk([&](plm::LayerNormOp norm) {
    own += hasOwnAffine(norm, symbols);
    ++all;
  });
  EXPECT_EQ(own, 2);
  EXPECT_EQ(all, 4);
}

} // namespace
