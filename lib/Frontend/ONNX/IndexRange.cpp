//===- IndexRange.cpp - Between what bounds computed indices lie ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexRange.h"
#include "DimSymbols.h"
#include "plmc/Dialect/PLM/PLM.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::importer {

/// The bounds of a sum or product occur only if its operands vary along
/// different dimensions, as positions of different axes do.
static bool varyApart(Value a, Value b) {
  SmallVector<DimExpr> left = getDims(cast<RankedTensorType>(a.getType()));
  SmallVector<DimExpr> right = getDims(cast<RankedTensorType>(b.getType()));
  for (size_t i = 1; i <= std::min(left.size(), right.size()); ++i)
    if (!left[left.size() - i].isConstant(1) &&
        !right[right.size() - i].isConstant(1))
      return false;
  return true;
}

static std::optional<IndexRange> rangeOf(Value value, unsigned steps) {
  Operation *op = value.getDefiningOp();
  if (!op || !steps)
    return std::nullopt;
  if (isa<ReshapeOp, BroadcastOp, TransposeOp, CastOp>(op)) {
    auto type = cast<RankedTensorType>(value.getType()).getElementType();
    if (!type.isSignlessInteger(64) && !type.isSignlessInteger(32))
      return std::nullopt;
    return rangeOf(op->getOperand(0), steps - 1);
  }
  if (auto iota = dyn_cast<IotaOp>(op)) {
    std::optional<DimExpr> start = DimExpr::parse(iota.getStart());
    DimExpr length = getDims(cast<RankedTensorType>(value.getType()))[0];
    if (!start || iota.getStep() != 1)
      return std::nullopt;
    return IndexRange{*start, *start + length - DimExpr(1)};
  }
  if (auto shape = dyn_cast<ShapeValueOp>(op)) {
    if (shape.getExprs().size() != 1)
      return std::nullopt;
    auto expr =
        DimExpr::parse(cast<StringAttr>(shape.getExprs()[0]).getValue());
    if (!expr)
      return std::nullopt;
    return IndexRange{*expr, *expr};
  }
  if (auto constant = dyn_cast<ConstantOp>(op)) {
    auto dense = dyn_cast<DenseIntElementsAttr>(constant.getValue());
    if (!dense || !dense.isSplat() || !dense.getNumElements())
      return std::nullopt;
    DimExpr element(dense.getSplatValue<APInt>().getSExtValue());
    return IndexRange{element, element};
  }
  auto binary = dyn_cast<BinaryOp>(op);
  if (!binary || !varyApart(binary.getLhs(), binary.getRhs()))
    return std::nullopt;
  std::optional<IndexRange> a = rangeOf(binary.getLhs(), steps / 2);
  std::optional<IndexRange> b = rangeOf(binary.getRhs(), steps / 2);
  if (!a || !b)
    return std::nullopt;
  IndexRange result;
  if (binary.getKind() == BinaryKind::Add)
    result = {a->low + b->low, a->high + b->high};
  else if (binary.getKind() == BinaryKind::Mul && provenLessEqual(0, a->low) &&
           provenLessEqual(0, b->low))
    result = {a->low * b->low, a->high * b->high};
  else
    return std::nullopt;
  if (!isManageable(result.low) || !isManageable(result.high))
    return std::nullopt;
  return result;
}

std::optional<IndexRange> indexRange(Value value) {
  return rangeOf(value, /*steps=*/256);
}

} // namespace plmc::importer
