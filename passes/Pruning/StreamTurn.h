//===- StreamTurn.h - New coordinates for the stream ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRUNING_STREAMTURN_H
#define PLMC_PASSES_PRUNING_STREAMTURN_H

#include "ResidualStream.h"
#include "plmc/Calibration/LayerwiseFit.h"

namespace plmc {

/// y = g * n + b of a norm, with n as it is on the calibration data.
struct NormData {
  Vector gain, bias, mean;
  Matrix moments; // mean of n n^T
};

/// Gives some parts of the stream new coordinates.
class StreamTurn {
public:
  StreamTurn(const StreamUses &uses, LayerwiseFit &fit)
      : uses(uses), fit(fit), symbols(fit.symbolTable()) {}

  /// What the norms of the chosen parts give, on the calibration data.
  llvm::Error measure(mlir::func::FuncOp func, const std::vector<bool> &chosen);
  /// Of each chosen part, so many columns; `shared`: one for all of a width.
  llvm::Error findBases(llvm::ArrayRef<int64_t> widths,
                        const std::vector<bool> &chosen, bool shared);
  /// Rewrites the function. `fit` is told what its layers are to give.
  llvm::Error apply();
  int64_t matricesAdded() const { return int64_t(inserted.size()); }

private:
  using Basis = std::shared_ptr<const Matrix>;
  llvm::Error turnSource(mlir::Value source, const StreamPart &part,
                         Basis basis);
  llvm::Error turnNorm(plm::LayerNormOp norm, const Matrix &basis);
  llvm::Expected<mlir::Value> rowsTimes(mlir::Value rows, const Matrix &basis,
                                        llvm::StringRef name,
                                        mlir::OpBuilder &builder);
  plm::LinearOp insertLinear(mlir::OpBuilder &builder, mlir::Value input,
                             const Matrix &weight, const Vector &bias);
  /// y = W z + w of a norm's new coordinates z.
  std::pair<Matrix, Vector> readingOf(const NormData &data,
                                      const Matrix &basis) const;

  const StreamUses &uses;
  LayerwiseFit &fit;
  mlir::SymbolTable &symbols;
  llvm::DenseSet<mlir::Operation *> inserted;
  llvm::DenseMap<mlir::Operation *, NormData> norms;
  llvm::DenseMap<mlir::Operation *, Basis> basisOf; // by norm
  std::vector<Basis> bases;                         // by part; null: as it was
};

} // namespace plmc

#endif // PLMC_PASSES_PRUNING_STREAMTURN_H
