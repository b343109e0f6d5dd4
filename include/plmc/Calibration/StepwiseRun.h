//===- StepwiseRun.h - A function run part by part --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_STEPWISERUN_H
#define PLMC_CALIBRATION_STEPWISERUN_H

#include "plmc/Calibration/CalibrationSet.h"
#include "plmc/Calibration/NormFit.h"
#include "plmc/Calibration/RowSource.h"
#include "llvm/ADT/DenseMap.h"

namespace plmc {

/// Runs a function on a calibration set up to an op, and on to the next when
/// asked. What lies between two stops is compiled when it is reached: a pass
/// that changes a weight there before sees, from there on, what the changed
/// model computes. Values stay on the host while an op ahead reads them.
class StepwiseRun {
public:
  /// `batches` must outlive this.
  StepwiseRun(mlir::func::FuncOp func,
              llvm::ArrayRef<CalibrationBatch> batches);

  /// Runs what stands before `op` and has not run. `wanted` values that it
  /// computes are kept, too, until `release`, as often as they are named.
  llvm::Error advanceTo(mlir::Operation *op,
                        llvm::ArrayRef<mlir::Value> wanted = {});
  void release(mlir::Value value);
  /// A pass has made a value that was computed narrower: only these columns of
  /// it are left.
  void keepColumns(mlir::Value value, llvm::ArrayRef<int64_t> columns);
  /// A pass has changed what a value that was computed is, column by column.
  void mapColumns(mlir::Value value, const ColumnMap &map);

  /// A value that has been computed, [.., width], as [tokens, width]: without
  /// the rows of padding if it has a row for each position.
  llvm::Expected<Matrix> rows(mlir::Value value) const;
  /// The same, read where the value lies, which must stay as it is.
  llvm::Expected<RowSource> rowSource(mlir::Value value) const;

  /// `rows`, and `release`: the value goes as its rows come.
  llvm::Expected<Matrix> takeRows(mlir::Value value);

  /// Parts of little work are interpreted: compiling them would take longer.
  bool interpretSmall = true;

private:
  bool isSmall(llvm::ArrayRef<mlir::Operation *> ops) const;
  bool isAhead(mlir::Operation *op) const;
  bool isReadAhead(mlir::Value value) const;
  llvm::DenseSet<mlir::Value> valuesRead() const;
  mlir::func::FuncOp func;
  llvm::ArrayRef<CalibrationBatch> batches;
  mlir::Operation *next; // the first op that has not run
  llvm::DenseMap<mlir::Value, std::vector<HostTensor>> values; // by batch
  llvm::DenseMap<mlir::Value, int> kept; // how often it will be asked for
};

} // namespace plmc

#endif // PLMC_CALIBRATION_STEPWISERUN_H
