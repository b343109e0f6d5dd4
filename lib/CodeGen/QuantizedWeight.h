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

/// An 8-bit matrix parameter under a plm.dequantize by constants, to f32.
struct QuantizedWeight {
  plm::DequantizeOp op;
  plm::GetParameterOp parameter;
  /// Of the matrix that scales and zero points lie along; -1: one for all.
  int64_t axis = -1;

  static std::optional<QuantizedWeight> match(mlir::Value value);
  mlir::Type elementType() const;
  /// f32 values, `count` of them: one number is repeated. Fails if the bytes
  /// of a parameter are not there.
  llvm::Expected<std::vector<float>> scales(int64_t count) const;
  /// The same; empty when all are 0.
  llvm::Expected<std::vector<float>> zeroPoints(int64_t count) const;
};

/// True for a weight of plm.linear that the kernels can read: a parameter in
/// f32, or 8-bit with one scale or one for each column of the product.
bool isLinearWeight(mlir::Value weight, bool transposed);
/// True for a table of plm.embedding or plm.position_embedding that can be
/// read row by row.
bool isTable(mlir::Value table);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_QUANTIZEDWEIGHT_H
