//===- Normalize.cpp - plm-normalize --------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Passes.h"
#include "mlir/IR/Iterators.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace plmc {
#define GEN_PASS_DEF_NORMALIZEPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;

void recognition::eraseDeadOps(ModuleOp module) {
  // Users come after what they use, so one sweep from the end finds all.
  module.walk<WalkOrder::PostOrder, ReverseIterator>([](Operation *op) {
    if (isOpTriviallyDead(op))
      op->erase();
  });
}

namespace {

struct Normalize : public plmc::impl::NormalizePassBase<Normalize> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    recognition::populateElementwisePatterns(patterns);
    recognition::populateViewPatterns(patterns);
    recognition::populateLinearPatterns(patterns);
    GreedyRewriteConfig config;
    config.setMaxIterations(64);
    // Not converging leaves valid IR that is merely less normal.
    (void)applyPatternsGreedily(getOperation(), std::move(patterns), config);
  }
};

} // namespace
