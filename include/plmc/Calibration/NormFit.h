//===- NormFit.h - Gains and shifts of norms by least squares ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A layer norm's output is y = g n + b, and g and b are a number each for a
// column: where n has changed, those that are best can be told, column by
// column, from what y was. With as many tokens as columns have numbers (two)
// many times over, nothing is overfitted, and no ridge is needed.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_NORMFIT_H
#define PLMC_CALIBRATION_NORMFIT_H

#include "mlir/IR/SymbolTable.h"
#include "plmc/Calibration/RowSource.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/Support/Error.h"

namespace plmc {

/// y becomes scale * y + shift, column by column.
struct ColumnMap {
  Vector scale, shift;
};

/// What brings `have` nearest to `want`, both [tokens, width]. A column that is
/// constant is shifted only. Scales lie within [1/2, 2]: what is farther from
/// what a model was is chance.
ColumnMap fitColumns(const RowSource &have, const RowSource &want);

/// Whether the norm's gain and shift, if it has any, can change without another
/// norm's.
bool hasOwnAffine(plm::LayerNormOp norm, mlir::SymbolTable &symbols);

/// Gives the norm parameters by which its output is mapped; also a gain and a
/// shift where it had none.
llvm::Error mapAffine(plm::LayerNormOp norm, const ColumnMap &map,
                      mlir::SymbolTable &symbols);

} // namespace plmc

#endif // PLMC_CALIBRATION_NORMFIT_H
