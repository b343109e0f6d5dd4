//===- LayerwiseFit.h - Change layers one after another ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_LAYERWISEFIT_H
#define PLMC_CALIBRATION_LAYERWISEFIT_H

#include "mlir/IR/SymbolTable.h"
#include "plmc/Calibration/LinearFit.h"
#include "plmc/Calibration/StepwiseRun.h"
#include "plmc/Dialect/PLM/PLM.h"

namespace plmc {

/// A linear layer, and what calibration knows of it.
struct FitLayer {
  plm::LinearOp op;
  Matrix weight; // [N, K]
  Vector bias;
  LinearStatistics statistics;
};

/// Takes the linear layers of a model in the order in which they run, and gives
/// a pass for each what it computes now, with all changes so far, and what the
/// model computed when this object was made. So each layer can make up for the
/// errors of those before it.
///
/// What a layer is wanted to give is its own output in the original model; a
/// layer whose output is added to a residual is wanted to give the original's
/// sum, less the residual as it now is.
class LayerwiseFit {
public:
  /// `set` must outlive this. An error if its tokens do not suit the model.
  static llvm::Expected<std::unique_ptr<LayerwiseFit>>
  create(mlir::func::FuncOp func, const CalibrationSet &set);
  ~LayerwiseFit();

  /// Ops that stand in the function now, of which the original's values are
  /// known; a pass may drop the others. `change` may give the op other
  /// parameters, and change the columns of its input by keepColumns.
  llvm::Error run(llvm::function_ref<llvm::Error(FitLayer &)> change);

  /// For `change`: the input of the layer has been made narrower.
  void keepColumns(mlir::Value input, llvm::ArrayRef<int64_t> columns) {
    now->keepColumns(input, columns);
  }

  /// Layers whose inputs a product in int8 will round are fitted to rounded
  /// inputs.
  bool int8Inputs = true;
  /// Layers smaller than this are left alone.
  int64_t minElements = 4096;

private:
  struct Target {
    mlir::Value teacher;  // the wanted value, in the original
    mlir::Value residual; // in the model as it is, or null
  };
  LayerwiseFit() = default;
  Target targetOf(plm::LinearOp op);
  llvm::Expected<Matrix> wanted(plm::LinearOp op);
  llvm::Error fitGroup(llvm::ArrayRef<plm::LinearOp> group,
                       llvm::function_ref<llvm::Error(FitLayer &)> change);

  mlir::func::FuncOp func;
  std::optional<mlir::SymbolTable> symbols;
  mlir::OwningOpRef<mlir::ModuleOp> original;
  llvm::DenseMap<mlir::Operation *, mlir::Operation *> counterpart;
  std::vector<CalibrationBatch> batches;
  int64_t tokens = 0;
  std::unique_ptr<StepwiseRun> now, before;
  std::vector<plm::LinearOp> layers; // in order
  size_t reached = 0;                // targets of `before` that were asked for
  std::unique_ptr<Gemm> gemm;
};

} // namespace plmc

#endif // PLMC_CALIBRATION_LAYERWISEFIT_H
