//===- ColumnWeights.cpp - What columns of a word table count -------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ColumnWeights.h"
#include "plmc/Calibration/LinearParameters.h"

using namespace mlir;
using namespace plmc::plm;

llvm::Expected<Eigen::RowVectorXf> plmc::columnWeights(const WordTable &table) {
  Eigen::RowVectorXf sum = Eigen::RowVectorXf::Zero(table.values.cols());
  for (EmbeddingOp lookup : table.lookups) {
    Value value = lookup.getResult();
    while (value.hasOneUse()) {
      auto add = dyn_cast<BinaryOp>(*value.getUsers().begin());
      if (!add || add.getKind() != BinaryKind::Add ||
          add.getType() != value.getType())
        break;
      value = add.getResult();
    }
    LayerNormOp norm;
    for (Operation *user : value.getUsers())
      if (auto one = dyn_cast<LayerNormOp>(user);
          one && one.getInput() == value)
        norm = one;
    if (!norm)
      return llvm::createStringError(
          "weighting=activation needs a layer norm behind " + table.symbol() +
          ", and there is none; give weighting=frequency");
    if (!norm.getGamma() || !plmc::isMadeOfParameters(norm.getGamma())) {
      sum.array() += 1;
      continue;
    }
    SymbolTable symbols(lookup->getParentOfType<ModuleOp>());
    auto gain = plmc::evaluate(norm.getGamma(), symbols);
    if (!gain)
      return gain.takeError();
    sum += Eigen::Map<const Eigen::RowVectorXf>(gain->as<float>(), sum.size())
               .cwiseAbs();
  }
  // By as much the norm's mean and deviation carry an error to the others.
  float least = sum.norm() / float(sum.size());
  if (!(least > 0) || !sum.allFinite())
    return Eigen::RowVectorXf(Eigen::RowVectorXf::Ones(sum.size()));
  return Eigen::RowVectorXf(sum.cwiseMax(least));
}
