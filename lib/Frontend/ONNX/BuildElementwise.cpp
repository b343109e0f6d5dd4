//===- BuildElementwise.cpp - Elementwise operations ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphBuilder.h"
#include "ShapeArithmetic.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::importer {

std::optional<Dims> GraphBuilder::broadcastDims(ArrayRef<DimExpr> a,
                                                ArrayRef<DimExpr> b) {
  Dims result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) {
    DimExpr left = i < a.size() ? a[a.size() - 1 - i] : DimExpr(1);
    DimExpr right = i < b.size() ? b[b.size() - 1 - i] : DimExpr(1);
    DimExpr &dim = result[result.size() - 1 - i];
    if (left.isConstant(1) || right.isConstant(1)) {
      dim = left.isConstant(1) ? right : left;
      continue;
    }
    if (!requireEqual(left, right,
                      "shapes " + shapeText(a) + " and " + shapeText(b)))
      return std::nullopt;
    dim = left;
  }
  return result;
}

Tensor GraphBuilder::unary(UnaryKind kind, const Tensor &x) {
  if (!x || hasFailed())
    return Tensor();
  if (!x.literal())
    if (Tensor known = contentsUnary(kind, x))
      return known;
  bool isPredicate = kind == UnaryKind::IsNaN || kind == UnaryKind::IsInf;
  bool isLogic = kind == UnaryKind::Not;
  if (isPredicate && !isFloat(x.dtype()))
    return fail("the operand has element type " + dtypeName(x.dtype()) +
                ", expected a float type");
  if (isLogic != (x.dtype() == DType::Bool))
    return fail("the operand has element type " + dtypeName(x.dtype()));
  return emit(x, isPredicate ? DType::Bool : x.dtype(), x.dims(),
              /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return UnaryOp::create(b, loc, type, kind, v[0]);
              });
}

Tensor GraphBuilder::binary(BinaryKind kind, const Tensor &a, const Tensor &b) {
  if (!a || !b || hasFailed())
    return Tensor();
  if (a.dtype() != b.dtype())
    return fail("the operands have different element types, " +
                dtypeName(a.dtype()) + " and " + dtypeName(b.dtype()));
  bool isLogic = kind == BinaryKind::And || kind == BinaryKind::Or ||
                 kind == BinaryKind::Xor;
  bool isEquality = kind == BinaryKind::Eq || kind == BinaryKind::Ne;
  if (!isEquality && isLogic != (a.dtype() == DType::Bool))
    return fail("the operands have element type " + dtypeName(a.dtype()));
  if (!a.literal() || !b.literal())
    if (Tensor known = contentsBinary(kind, a, b))
      return known;
  std::optional<Dims> dims = broadcastDims(a.dims(), b.dims());
  if (!dims)
    return Tensor();
  return emit({a, b}, kind >= BinaryKind::Eq ? DType::Bool : a.dtype(), *dims,
              /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return BinaryOp::create(b, loc, type, kind, v[0], v[1]);
              });
}

Tensor GraphBuilder::select(const Tensor &condition, const Tensor &a,
                            const Tensor &b) {
  if (!condition || !a || !b || hasFailed())
    return Tensor();
  if (condition.dtype() != DType::Bool)
    return fail("the condition has element type " +
                dtypeName(condition.dtype()) + ", expected bool");
  if (a.dtype() != b.dtype())
    return fail("the operands have different element types, " +
                dtypeName(a.dtype()) + " and " + dtypeName(b.dtype()));
  if (!condition.literal() || !a.literal() || !b.literal())
    if (Tensor known = contentsSelect(condition, a, b))
      return known;
  std::optional<Dims> dims = broadcastDims(a.dims(), b.dims());
  if (dims)
    dims = broadcastDims(condition.dims(), *dims);
  if (!dims)
    return Tensor();
  return emit({condition, a, b}, a.dtype(), *dims, /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return SelectOp::create(b, loc, type, v[0], v[1], v[2]);
              });
}

Tensor GraphBuilder::cast(const Tensor &x, DType to) {
  if (!x || hasFailed() || x.dtype() == to)
    return x;
  if (!x.literal())
    if (Tensor known = contentsCast(x, to))
      return known;
  return emit(x, to, x.dims(), /*mayFold=*/!isQuantizedWeight(x.literal()),
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return CastOp::create(b, loc, type, v[0]);
              });
}

Tensor GraphBuilder::activation(ActivationKind kind, const Tensor &x) {
  return emit(x, x.dtype(), x.dims(), /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return ActivationOp::create(b, loc, type, kind, v[0]);
              });
}

} // namespace plmc::importer
