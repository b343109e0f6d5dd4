//===- QuantizedWeight.h - Weights that are stored as 8 bits ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_QUANTIZEDWEIGHT_H
#define PLMC_LIB_CODEGEN_QUANTIZEDWEIGHT_H

#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Support/HostTensor.h"

namespace plmc {

/// An 8-bit (or narrower) matrix parameter under a plm.dequantize by constants,
/// to f32.
struct QuantizedWeight {
  plm::DequantizeOp op;
  plm::GetParameterOp parameter;
  /// Of the matrix that scales and zero points lie along; -1: one for all.
  int64_t axis = -1;
  int64_t block = 0; // elements of a column that share a scale; 0: all
  int64_t bits = 8;  // that the values need

  static std::optional<QuantizedWeight> match(mlir::Value value);
  /// The same; scales may also belong to blocks.
  static std::optional<QuantizedWeight> matchBlocks(mlir::Value value);
  /// Values of 4 bits or fewer with a scale for each row, or for each block of
  /// each row; no zero points.
  static std::optional<QuantizedWeight> matchCodes(mlir::Value value);
  mlir::Type elementType() const;
  /// f32 values, `count` of them: one number is repeated. Fails if the bytes
  /// of a parameter are not there.
  llvm::Expected<std::vector<float>> scales(int64_t count) const;
  /// The same; empty when all are 0.
  llvm::Expected<std::vector<float>> zeroPoints(int64_t count) const;
};

/// True if the weight of the product is one that the kernels can read: a
/// parameter in f32, or 8-bit with one scale or one for each column of the
/// product; in int8 also with scales of blocks.
bool hasStoredWeight(plm::LinearOp linear);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_QUANTIZEDWEIGHT_H
