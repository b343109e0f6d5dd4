//===- Pipeline.cpp - The recognition pipeline ----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "plmc/Frontend/ONNX/Recognition.h"

namespace plmc {
#define GEN_PASS_REGISTRATION
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

void plmc::buildRecognitionPipeline(mlir::OpPassManager &pm) {
  pm.addPass(createPromoteFloatsPass());
  pm.addPass(createNormalizePass());
  pm.addPass(mlir::createCSEPass());
  pm.addPass(createRecognizeQuantizedPass());
  pm.addPass(mlir::createCSEPass());
  // Norms and activations first: they need no other part, and their products
  // of small numbers would only be in the way.
  pm.addPass(createRecognizeLayerNormPass());
  pm.addPass(createRecognizeActivationPass());
  pm.addPass(createRecognizeLinearPass());
  // With linear recognised, reshapes sink through it.
  pm.addPass(createNormalizePass());
  pm.addPass(createSplitLinearPass());
  pm.addPass(createRecognizeAttentionPass());
  pm.addPass(createRecognizeEmbeddingPass());
  pm.addPass(createRecognizePoolingPass());
  // The views that recognition put around its ops cancel out now.
  pm.addPass(createNormalizePass());
  pm.addPass(createSettleParametersPass());
  pm.addPass(mlir::createCSEPass());
}

void plmc::registerRecognitionPasses() {
  registerPLMCRecognitionPasses();
  mlir::PassPipelineRegistration<>(
      "plm-recognize", "normalise, then recognise transformer operations",
      [](mlir::OpPassManager &pm) { buildRecognitionPipeline(pm); });
}
