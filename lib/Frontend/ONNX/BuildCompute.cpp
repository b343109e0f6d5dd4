//===- BuildCompute.cpp - Products, reductions, normalisations ------------===//
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

Tensor GraphBuilder::matmul(const Tensor &a, const Tensor &b) {
  if (!a || !b || hasFailed())
    return Tensor();
  if (a.rank() < 2 || b.rank() < 2)
    return fail("a matrix product of shapes " + shapeText(a.dims()) + " and " +
                shapeText(b.dims()));
  if (a.dtype() != b.dtype())
    return fail("the operands have different element types, " +
                dtypeName(a.dtype()) + " and " + dtypeName(b.dtype()));
  if (!requireEqual(a.dim(-1), b.dim(-2),
                    "the inner dimension of " + shapeText(a.dims()) + " x " +
                        shapeText(b.dims())))
    return Tensor();
  std::optional<Dims> dims =
      broadcastDims(a.dims().drop_back(2), b.dims().drop_back(2));
  if (!dims)
    return Tensor();
  dims->push_back(a.dim(-2));
  dims->push_back(b.dim(-1));
  std::optional<int64_t> work = (productOf(*dims) * a.dim(-1)).constant();
  return emit({a, b}, a.dtype(), *dims, work && *work <= (1 << 24),
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return MatmulOp::create(b, loc, type, v[0], v[1]);
              });
}

Tensor GraphBuilder::reduce(ReduceKind kind, const Tensor &x,
                            ArrayRef<int64_t> unordered, bool keepdims) {
  if (!x || hasFailed())
    return Tensor();
  SmallVector<int64_t> axes(unordered);
  llvm::sort(axes);
  for (auto [index, axis] : llvm::enumerate(axes)) {
    if (!checkAxis(axis, x.rank()))
      return Tensor();
    if (index && axes[index - 1] == axis)
      return fail("axis " + Twine(axis) + " is reduced twice");
  }
  if (axes.empty() && kind != ReduceKind::SumSquare && kind != ReduceKind::L1 &&
      kind != ReduceKind::L2)
    return x;
  if (x.get()->contents && axes.size() == size_t(x.rank()))
    if (std::optional<DimExpr> value = applyReduce(kind, *x.get()->contents))
      if (Tensor result = tensorFromContents(x.dtype(), {*value},
                                             !keepdims || x.rank() == 0))
        return result;
  Dims dims;
  for (int64_t i = 0; i < x.rank(); ++i) {
    if (!llvm::is_contained(axes, i))
      dims.push_back(x.dim(i));
    else if (keepdims)
      dims.push_back(DimExpr(1));
  }
  return emit(x, x.dtype(), dims, /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return ReduceOp::create(b, loc, type, kind, axes, keepdims,
                                        v[0]);
              });
}

Tensor GraphBuilder::softmax(const Tensor &x, int64_t axis) {
  if (!x || !checkAxis(axis, x.rank()))
    return Tensor();
  return emit(x, x.dtype(), x.dims(), /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return SoftmaxOp::create(b, loc, type, axis, v[0]);
              });
}

Tensor GraphBuilder::cumsum(const Tensor &x, int64_t axis, bool exclusive,
                            bool reverse) {
  if (!x || !checkAxis(axis, x.rank()))
    return Tensor();
  return emit(x, x.dtype(), x.dims(), /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return CumSumOp::create(b, loc, type, axis, exclusive, reverse,
                                        v[0]);
              });
}

Tensor GraphBuilder::layerNorm(const Tensor &x, const Tensor &gamma,
                               const Tensor &beta, double epsilon) {
  SmallVector<Tensor, 3> operands = {x, gamma};
  if (beta)
    operands.push_back(beta);
  return emit(operands, x.dtype(), x.dims(), /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return LayerNormOp::create(b, loc, type, v[0], v[1],
                                           v.size() > 2 ? v[2] : Value(),
                                           b.getF64FloatAttr(epsilon));
              });
}

} // namespace plmc::importer
