//===- LayerwiseNorms.cpp - Norms between layers that change --------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A norm is fitted when the first layer behind it is reached: both runs stop
// there anyway, and the layer is given what the norm then gives. Only norms
// that no layer reads directly, at the end of a model, need stops of their own.
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/LayerwiseFit.h"

using namespace mlir;
using namespace plmc;

/// The original's value of the norm that `op` is the first to read; null where
/// there is none to be fitted.
Value LayerwiseFit::normTarget(plm::LinearOp op) const {
  auto norm = normBefore.find(op);
  return norm == normBefore.end()
             ? Value()
             : counterpart.lookup(norm->second)->getResult(0);
}

/// Norms that may be fitted, by the first layer that reads them.
void LayerwiseFit::findNorms() {
  normBefore.clear();
  if (!norms)
    return;
  llvm::DenseSet<Operation *> known;
  for (plm::LinearOp op : asked) {
    auto norm = op.getInput().getDefiningOp<plm::LayerNormOp>();
    if (norm && known.insert(norm).second && mayFit(norm))
      normBefore[op] = norm;
  }
}

/// Whether the original has the same norm.
bool LayerwiseFit::mayFit(plm::LayerNormOp norm) {
  auto same = dyn_cast_or_null<plm::LayerNormOp>(counterpart.lookup(norm));
  return same && same.getType() == norm.getType() &&
         hasOwnAffine(norm, *symbols);
}

/// Both runs have computed the norm.
llvm::Error LayerwiseFit::fitNorm(plm::LayerNormOp norm) {
  Value target = counterpart.lookup(norm)->getResult(0);
  auto have = now->rowSource(norm.getResult());
  auto want = before->rowSource(target);
  if (!have || !want)
    return llvm::joinErrors(have.takeError(), want.takeError());
  ColumnMap map = fitColumns(*have, *want);
  before->release(target);
  // Where nothing has changed, nothing does; nor where nothing can be told.
  constexpr float little = 1e-5f;
  if (!map.scale.allFinite() || !map.shift.allFinite())
    return llvm::Error::success();
  if ((map.scale.array() - 1).abs().maxCoeff() < little &&
      map.shift.cwiseAbs().maxCoeff() < little)
    return llvm::Error::success();
  now->mapColumns(norm.getResult(), map);
  return mapAffine(norm, map, *symbols);
}

/// Those behind the last layer: of a model that ends with a norm.
llvm::Error LayerwiseFit::fitLastNorms() {
  if (!norms || asked.empty())
    return llvm::Error::success();
  SmallVector<plm::LayerNormOp> last;
  func.walk([&](plm::LayerNormOp norm) {
    Operation *original = counterpart.lookup(norm);
    if (asked.back()->isBeforeInBlock(norm) && mayFit(norm) &&
        !(originalNext && original->isBeforeInBlock(originalNext)))
      last.push_back(norm);
  });
  for (plm::LayerNormOp norm : last) {
    Operation *original = counterpart.lookup(norm);
    if (llvm::Error error =
            now->advanceTo(norm->getNextNode(), norm.getResult()))
      return error;
    if (llvm::Error error =
            before->advanceTo(original->getNextNode(), original->getResult(0)))
      return error;
    if (llvm::Error error = fitNorm(norm))
      return error;
    now->release(norm.getResult());
  }
  return llvm::Error::success();
}
