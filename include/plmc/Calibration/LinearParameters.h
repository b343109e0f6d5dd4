//===- LinearParameters.h - Weights of plm.linear on the host ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_LINEARPARAMETERS_H
#define PLMC_CALIBRATION_LINEARPARAMETERS_H

#include "mlir/IR/SymbolTable.h"
#include "plmc/Calibration/Matrix.h"
#include "plmc/Dialect/PLM/PLM.h"

namespace plmc {

/// The f32 parameter that is the weight, if no other op reads it; null else.
plm::ParameterOp ownWeight(plm::LinearOp op, mlir::SymbolTable &symbols);

/// W as [N, K], whichever way it is stored; b, zeros where there is none. The
/// weight must be an f32 parameter whose bytes are there.
llvm::Expected<Matrix> weightOf(plm::LinearOp op, mlir::SymbolTable &symbols);
llvm::Expected<Vector> biasOf(plm::LinearOp op);

/// Gives the op new parameters. The old ones stay, used or not.
void setWeight(plm::LinearOp op, const Matrix &weight,
               mlir::SymbolTable &symbols);
void setBias(plm::LinearOp op, const Vector &bias, mlir::SymbolTable &symbols);

/// A new parameter beside `before`, and its value read at `builder`.
mlir::Value addParameter(mlir::OpBuilder &builder, mlir::SymbolTable &symbols,
                         const llvm::Twine &name, mlir::RankedTensorType type,
                         mlir::AsmResourceBlob blob);

/// Drops reads and parameters that nothing uses.
void eraseUnusedParameters(mlir::ModuleOp module);

} // namespace plmc

#endif // PLMC_CALIBRATION_LINEARPARAMETERS_H
