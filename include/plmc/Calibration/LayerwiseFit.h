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
  /// Later layers that read the same weight: they get what `op` is given. The
  /// statistics are of all of them then.
  llvm::SmallVector<plm::LinearOp> others;
  /// The weight was settled at an earlier layer: only the bias may change.
  bool isSettled = false;
};

/// Takes the linear layers of a model in the order in which they run, and gives
/// a pass for each what it computes now, with all changes so far, and what the
/// model computed when this object was made. So each layer can make up for the
/// errors of those before it.
///
/// What a layer is wanted to give is its own output in the original model; a
/// layer whose output is added to a residual is wanted to give the original's
/// sum, less the residual as it now is.
///
/// Norms between the layers get the gain and the shift by which they are
/// nearest to what they gave in the original, if `norms` says so.
///
/// A weight that several layers read is changed when the first of them is
/// reached, by the sum of all their statistics. Those of the later layers are
/// from a walk before, of the model as it was then.
class LayerwiseFit {
public:
  /// With the file of a pass's option `calibration`, which must be given. An
  /// error if its tokens do not suit the model.
  static llvm::Expected<std::unique_ptr<LayerwiseFit>>
  create(mlir::func::FuncOp func, llvm::StringRef calibration);
  ~LayerwiseFit();

  /// Layers of equal shapes, in the order in which they run, that are to read
  /// one weight from now on. It starts as the mean of theirs.
  void share(llvm::ArrayRef<plm::LinearOp> layers);

  /// Ops that stand in the function now, of which the original's values are
  /// known; a pass may drop the others. `change` may give the op other
  /// parameters, and change the columns of its input by keepColumns. May be
  /// called again.
  llvm::Error run(llvm::function_ref<llvm::Error(FitLayer &)> change);

  /// For `change`: the input of the layer has been made narrower.
  void keepColumns(mlir::Value input, llvm::ArrayRef<int64_t> columns) {
    now->keepColumns(input, columns);
  }

  /// Layers whose inputs a product in int8 will round are fitted to rounded
  /// inputs.
  bool int8Inputs = true;
  /// Layers smaller than this are left alone.
  static constexpr int64_t leastElements = 4096;
  int64_t minElements = leastElements;
  /// Norms are fitted, too. Those are left alone whose gain another norm reads,
  /// too, or whose width is not the original's. Not for a pass that gives norms
  /// other coordinates.
  bool norms = false;

  /// Before `run`: `op`, which a pass has put in, is wanted to give what
  /// `original`, an op of the function as it was, gave.
  void standFor(plm::LinearOp op, mlir::Operation *original) {
    counterpart[op] = counterpart.lookup(original);
  }

  /// Before `run`: of what `op` (a layer, or the sum that reads one) gave only
  /// the product with `projection` [width, columns] is wanted.
  void project(mlir::Operation *op, std::shared_ptr<const Matrix> projection) {
    projections[op] = std::move(projection);
  }

  /// For `change`: of the outputs of a layer only these are left.
  void keepOutputs(plm::LinearOp op, llvm::ArrayRef<int64_t> columns);

  /// Of the module. Parameters are to be added by it.
  mlir::SymbolTable &symbolTable() { return *symbols; }
  llvm::ArrayRef<CalibrationBatch> calibration() const { return batches; }
  Gemm &products() { return *gemm; }

private:
  struct Target {
    mlir::Value teacher;      // the wanted value, in the original
    mlir::Value residual;     // in the model as it is, or null
    const Matrix *projection; // of the teacher, or null
  };
  /// What the later readers of a weight add to the statistics of the first:
  /// sums over them.
  struct Later {
    Matrix hessian, cross;
  };
  LayerwiseFit() = default;
  Target targetOf(plm::LinearOp op);
  llvm::Expected<RowSource> wanted(plm::LinearOp op);
  llvm::Error advanceOriginal(plm::LinearOp op);
  mlir::Value normTarget(plm::LinearOp op) const;
  void findNorms();
  bool mayFit(plm::LayerNormOp norm);
  llvm::Error fitNorm(plm::LayerNormOp norm);
  llvm::Error fitLastNorms();
  void findLayers();
  /// Visits some layers, in order, with their statistics as they are.
  llvm::Error walk(std::vector<plm::LinearOp> visited,
                   llvm::function_ref<llvm::Error(FitLayer &)> visit);
  llvm::Error fitGroup(llvm::ArrayRef<plm::LinearOp> group,
                       llvm::function_ref<llvm::Error(FitLayer &)> visit);
  void discardIfNew(plm::GetParameterOp get);
  llvm::Error record(FitLayer &layer);
  llvm::Error addLater(FitLayer &layer);

  mlir::func::FuncOp func;
  std::optional<mlir::SymbolTable> symbols;
  mlir::OwningOpRef<mlir::ModuleOp> original;
  mlir::func::FuncOp originalFunc;
  llvm::DenseMap<mlir::Operation *, mlir::Operation *> counterpart;
  std::vector<CalibrationBatch> batches;
  int64_t tokens = 0;
  std::unique_ptr<StepwiseRun> now, before;
  std::vector<plm::LinearOp> asked; // those of a walk, in order
  size_t reached = 0;               // targets of `before` that were computed
  mlir::Operation *originalNext = nullptr; // the first op `before` has not run
  llvm::DenseMap<mlir::Operation *, plm::LayerNormOp>
      normBefore; // by the first layer that reads it
  std::unique_ptr<Gemm> gemm;

  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<int64_t>> outputsKept;
  llvm::DenseMap<mlir::Operation *, std::shared_ptr<const Matrix>> projections;
  std::vector<plm::LinearOp> layers; // that may change, in order
  std::vector<llvm::SmallVector<plm::LinearOp>> shared;
  /// By layer: the first that has its weight, or itself.
  llvm::DenseMap<mlir::Operation *, mlir::Operation *> firstReader;
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<plm::LinearOp>>
      laterReaders; // by first
  llvm::DenseMap<mlir::Operation *, Later> later;
};

} // namespace plmc

#endif // PLMC_CALIBRATION_LAYERWISEFIT_H
