//===- Passes.h - What the recognition passes share -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_PASSES_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_PASSES_H

#include "Match.h"
#include "mlir/Pass/Pass.h"

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace plmc::recognition {

/// Constant folding and elementwise identities.
void populateElementwisePatterns(mlir::RewritePatternSet &patterns);
/// Reshapes, transposes, broadcasts and where they stand.
void populateViewPatterns(mlir::RewritePatternSet &patterns);
/// Biases join the linear layer before them.
void populateLinearPatterns(mlir::RewritePatternSet &patterns);

/// Arithmetic on 8-bit parameters becomes plm.dequantize.
void populateQuantizedWeightPatterns(mlir::RewritePatternSet &patterns);

/// Replaces the L2 normalisation that this reduction over the last dimension
/// is part of, in whatever spelling; false when there is none.
bool recognizeL2Normalize(plm::ReduceOp anchor);

/// Erases pure operations that nothing uses, last to first.
void eraseDeadOps(mlir::ModuleOp module);

} // namespace plmc::recognition

namespace plmc {
#define GEN_PASS_DECL
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_PASSES_H
