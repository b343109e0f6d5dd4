//===- Recognition.h - Tensor operations to transformer ops -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/ArrayRef.h"
#include <string>
#include <vector>

namespace plmc {

/// Normalisation, then the recognisers in their order: what `plmc compress`
/// runs after import.
void buildRecognitionPipeline(mlir::OpPassManager &pm);

/// The first pass of the pipeline: f16, bf16 and f64 models compute in f32.
std::unique_ptr<mlir::Pass> createPromoteFloatsPass();

/// Registers plm-recognize-* and the pipeline `plm-recognize` for plmc-opt.
void registerRecognitionPasses();

/// What a recogniser would have made of it.
enum class UnrecognizedKind {
  Attention,
  Norm,
  Embedding,
  Linear,
  Activation,
  Pooling
};

/// A tensor operation that a recogniser should have claimed.
struct UnrecognizedOp {
  std::string node;   // name of the ONNX node, from the location
  std::string op;     // e.g. "plm.matmul"
  std::string reason; // why the recogniser stopped
  UnrecognizedKind kind;
};
/// In program order. What is generic by right (masks, relative positions,
/// rotary angles, gates, data movement) is not listed.
std::vector<UnrecognizedOp> findUnrecognized(mlir::ModuleOp module);
/// How many blocks of this kind are among them; an attention, of which the
/// softmax and the products are listed, is one.
int64_t countUnrecognized(llvm::ArrayRef<UnrecognizedOp> left,
                          UnrecognizedKind kind);

} // namespace plmc

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_H
