//===- LinearParameters.h - Weights of plm.linear on the host ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_LINEARPARAMETERS_H
#define PLMC_CALIBRATION_LINEARPARAMETERS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "plmc/Calibration/Matrix.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Support/HostTensor.h"

namespace plmc {

/// The f32 parameter that is the weight of all of these and of nothing else;
/// null if there is none. `ownWeight`: of one layer.
plm::ParameterOp weightReadBy(llvm::ArrayRef<plm::LinearOp> ops,
                              mlir::SymbolTable &symbols);
plm::ParameterOp ownWeight(plm::LinearOp op, mlir::SymbolTable &symbols);

/// The linear layers by the f32 parameter that they read as their weight, in
/// the order of the first of each, and of the function. Left out are weights
/// that anything else reads, too, or that are read in two ways.
std::vector<llvm::SmallVector<plm::LinearOp>>
layersByWeight(mlir::func::FuncOp func);

/// A value that is made of parameters alone: where it is read it can be made
/// again.
bool isMadeOfParameters(mlir::Value value);
/// Such a value. The bytes of the parameters must be there.
llvm::Expected<HostTensor> evaluate(mlir::Value value,
                                    mlir::SymbolTable &symbols);

/// W as [N, K], whichever way it is stored; b, zeros where there is none. The
/// weight is made of parameters whose bytes are there.
llvm::Expected<Matrix> weightOf(plm::LinearOp op, mlir::SymbolTable &symbols);
llvm::Expected<Vector> biasOf(plm::LinearOp op);

/// Gives the op new parameters. The old ones stay, used or not.
void setWeight(plm::LinearOp op, const Matrix &weight,
               mlir::SymbolTable &symbols);
void setBias(plm::LinearOp op, const Vector &bias, mlir::SymbolTable &symbols);

/// Later layers get the weight that `op` has, and its precision.
void shareWeight(plm::LinearOp op, llvm::ArrayRef<plm::LinearOp> others);

/// A new parameter beside `before`, and its value read at `builder`.
mlir::Value addParameter(mlir::OpBuilder &builder, mlir::SymbolTable &symbols,
                         const llvm::Twine &name, mlir::RankedTensorType type,
                         mlir::AsmResourceBlob blob);

/// Drops reads and parameters that nothing uses.
void eraseUnusedParameters(mlir::ModuleOp module);

/// What passes that change weights do around it: `body` gets @forward, its
/// error is reported at the module, and parameters that nothing reads any more
/// go. `what` is to be done, for the error where there is no @forward.
llvm::LogicalResult
changeForward(mlir::ModuleOp module, llvm::StringRef what,
              llvm::function_ref<llvm::Error(mlir::func::FuncOp)> body);

} // namespace plmc

#endif // PLMC_CALIBRATION_LINEARPARAMETERS_H
