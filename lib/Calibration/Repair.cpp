//===- Repair.cpp - Fit a layer to what it gave ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/Repair.h"
#include "plmc/Calibration/LinearParameters.h"

using namespace plmc;

llvm::Error plmc::repair(FitLayer &layer, double ridge,
                         mlir::SymbolTable &symbols) {
  if (ridge < 0)
    return llvm::Error::success();
  if (layer.isSettled) {
    setBias(layer.op, layer.bias + layer.statistics.residualMean, symbols);
    return llvm::Error::success();
  }
  auto fitted = fitWeight(layer.weight, layer.statistics, ridge);
  if (!fitted)
    return fitted.takeError();
  setBias(layer.op,
          layer.bias + biasChange(layer.weight, *fitted, layer.statistics),
          symbols);
  setWeight(layer.op, *fitted, symbols);
  return llvm::Error::success();
}
