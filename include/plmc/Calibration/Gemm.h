//===- Gemm.h - Large products on the host ----------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_GEMM_H
#define PLMC_CALIBRATION_GEMM_H

#include "mlir/IR/MLIRContext.h"
#include "plmc/Calibration/RowSource.h"
#include "plmc/Execution/LoadedModel.h"

namespace plmc {

/// Products of matrices by code that plmc emits for this machine: plmc itself
/// is built for any x86-64, and X^T X over some ten thousand tokens is most of
/// the arithmetic of a calibrated pass.
class Gemm {
public:
  static llvm::Expected<std::unique_ptr<Gemm>> create(mlir::MLIRContext *);
  /// a^T b, of as many rows.
  llvm::Expected<Matrix> transposedTimes(const RowSource &a,
                                         const RowSource &b);
  /// a^T a.
  llvm::Expected<Matrix> gram(const RowSource &a);
  /// a b. Small ones need no code.
  llvm::Expected<Matrix> times(const Matrix &a, const Matrix &b);

private:
  llvm::Error compile();

  mlir::MLIRContext *mlirContext = nullptr;
  std::unique_ptr<LoadedModel> model; // compiled by the first large product
  std::unique_ptr<LoadedModel::Context> context;
};

} // namespace plmc

#endif // PLMC_CALIBRATION_GEMM_H
