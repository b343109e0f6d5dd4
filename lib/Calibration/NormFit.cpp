//===- NormFit.cpp - Gains and shifts of norms by least squares -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/NormFit.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Support/CopiedBlob.h"

using namespace mlir;
using namespace plmc;

ColumnMap plmc::fitColumns(const RowSource &have, const RowSource &want) {
  using Sums = Eigen::ArrayXd;
  Sums x = Sums::Zero(have.cols), y = x, xx = x, xy = x;
  constexpr int64_t blockRows = 1024;
  for (int64_t first = 0; first < have.rows; first += blockRows) {
    int64_t count = std::min(blockRows, have.rows - first);
    Eigen::ArrayXXd a = have.read(first, count).cast<double>().array();
    Eigen::ArrayXXd b = want.read(first, count).cast<double>().array();
    x += a.colwise().sum().transpose();
    y += b.colwise().sum().transpose();
    xx += a.square().colwise().sum().transpose();
    xy += (a * b).colwise().sum().transpose();
  }
  auto rows = double(have.rows);
  Sums variance = (xx - x * x / rows).max(0);
  Sums scale = (variance > 1e-9 * xx + 1e-30)
                   .select((xy - x * y / rows) / variance.max(1e-30),
                           Sums::Ones(x.size()))
                   .max(0.5)
                   .min(2);
  Sums shift = (y - scale * x) / rows;
  return {scale.cast<float>().matrix(), shift.cast<float>().matrix()};
}

/// Whether it is none, or a parameter that nothing else reads.
static bool isOwnOrNone(Value value, SymbolTable &symbols) {
  if (!value)
    return true;
  auto get = value.getDefiningOp<plm::GetParameterOp>();
  if (!get || !get.getType().getElementType().isF32() || !get->hasOneUse())
    return false;
  auto parameter = symbols.lookup<plm::ParameterOp>(get.getParameter());
  auto uses = SymbolTable::getSymbolUses(parameter, symbols.getOp());
  return uses && std::distance(uses->begin(), uses->end()) == 1;
}

bool plmc::hasOwnAffine(plm::LayerNormOp norm, SymbolTable &symbols) {
  return isOwnOrNone(norm.getGamma(), symbols) &&
         isOwnOrNone(norm.getBeta(), symbols);
}

llvm::Error plmc::mapAffine(plm::LayerNormOp norm, const ColumnMap &map,
                            SymbolTable &symbols) {
  int64_t width = map.scale.size();
  auto valuesOf = [&](Value value, float none) -> llvm::Expected<Vector> {
    if (!value)
      return Vector(Vector::Constant(width, none));
    auto tensor = evaluate(value, symbols);
    if (!tensor)
      return tensor.takeError();
    return Vector(Eigen::Map<const Vector>(tensor->as<float>(), width));
  };
  auto gain = valuesOf(norm.getGamma(), 1), shift = valuesOf(norm.getBeta(), 0);
  if (!gain || !shift)
    return llvm::joinErrors(gain.takeError(), shift.takeError());
  OpBuilder builder(norm);
  auto set = [&](MutableOperandRange operand, StringRef name,
                 const Vector &values) {
    if (!operand.empty())
      name =
          operand[0].get().getDefiningOp<plm::GetParameterOp>().getParameter();
    operand.assign(
        addParameter(builder, symbols, name,
                     RankedTensorType::get({width}, builder.getF32Type()),
                     copiedBlob(ArrayRef(values.data(), values.size()))));
  };
  set(norm.getGammaMutable(), "norm.gain", gain->cwiseProduct(map.scale));
  set(norm.getBetaMutable(), "norm.shift",
      shift->cwiseProduct(map.scale) + map.shift);
  return llvm::Error::success();
}
