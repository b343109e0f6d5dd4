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
#include <string>
#include <vector>

namespace plmc {

/// Normalisation, then the recognisers in their order: what `plmc compress`
/// runs after import.
void buildRecognitionPipeline(mlir::OpPassManager &pm);

/// Registers plm-recognize-* and the pipeline `plm-recognize` for plmc-opt.
void registerRecognitionPasses();

/// A tensor operation that no recogniser claimed.
struct UnrecognizedOp {
  std::string node;   // name of the ONNX node, from the location
  std::string op;     // e.g. "plm.matmul"
  std::string reason; // why the recogniser stopped
};
/// In program order. Cheap glue around recognised parts (reshapes of inputs,
/// shape values) is not listed.
std::vector<UnrecognizedOp> findUnrecognized(mlir::ModuleOp module);

} // namespace plmc

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_H
