//===- BuildIndexed.cpp - Operations that read and write by index ---------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphBuilder.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::importer {

/// Constant indices are checked at import: no input could make them right.
/// Index i belongs to the dimension extents[i % extents.size()].
bool GraphBuilder::checkConstantIndices(const Tensor &indices,
                                        ArrayRef<DimExpr> extents) {
  if (hasFailed())
    return false;
  LiteralPtr literal = indices.literal();
  if (!literal || isFloat(literal->dtype) || extents.empty() ||
      literal->numElements() > (1 << 20))
    return true;
  HostTensor host = literal->toHost();
  for (int64_t i = 0; i < host.numElements(); ++i) {
    std::optional<int64_t> extent = extents[i % extents.size()].constant();
    int64_t index = host.getInt(i);
    if (extent && (index < -*extent || index >= *extent)) {
      fail("index " + Twine(index) + " is outside a dimension of size " +
           Twine(*extent));
      return false;
    }
  }
  return true;
}

/// Indices along one axis: in the other dimensions they must lie within the
/// data.
bool GraphBuilder::checkElementIndices(const Tensor &data,
                                       const Tensor &indices, int64_t axis) {
  if (!data || !indices || !checkAxis(axis, data.rank()))
    return false;
  if (data.rank() != indices.rank()) {
    fail("data has rank " + Twine(data.rank()) + ", indices have rank " +
         Twine(indices.rank()));
    return false;
  }
  for (int64_t i = 0; i < data.rank(); ++i)
    if (i != axis)
      requireLessEqual(indices.dim(i), data.dim(i),
                       "indices of shape " + shapeText(indices.dims()) +
                           " leave data of shape " + shapeText(data.dims()) +
                           " (" + nodeName + ")");
  return checkConstantIndices(indices, data.dim(axis));
}

Tensor GraphBuilder::gatherElements(const Tensor &data, const Tensor &indices,
                                    int64_t axis) {
  if (!checkElementIndices(data, indices, axis))
    return Tensor();
  return emit({data, indices}, data.dtype(), indices.dims(), /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return GatherElementsOp::create(b, loc, type, axis, v[0], v[1]);
              });
}

Tensor GraphBuilder::gatherND(const Tensor &data, const Tensor &indices,
                              int64_t batchDims) {
  if (!data || !indices || hasFailed())
    return Tensor();
  std::optional<int64_t> tuple =
      indices.rank() ? indices.dim(-1).constant() : std::nullopt;
  if (!tuple || *tuple < 1 || batchDims < 0 || batchDims >= indices.rank() ||
      *tuple > data.rank() - batchDims)
    return fail("indices of shape " + shapeText(indices.dims()) +
                " do not address data of shape " + shapeText(data.dims()));
  for (int64_t i = 0; i < batchDims; ++i)
    if (!requireEqual(data.dim(i), indices.dim(i), "the batch dimensions"))
      return Tensor();
  if (!checkConstantIndices(indices, data.dims().slice(batchDims, *tuple)))
    return Tensor();
  Dims dims(indices.dims().begin(), indices.dims().end() - 1);
  dims.append(data.dims().begin() + batchDims + *tuple, data.dims().end());
  return emit({data, indices}, data.dtype(), dims, /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return GatherNDOp::create(b, loc, type, batchDims, v[0], v[1]);
              });
}

Tensor GraphBuilder::scatterND(ScatterKind kind, const Tensor &data,
                               const Tensor &indices, const Tensor &updates) {
  if (!data || !indices || !updates || hasFailed())
    return Tensor();
  std::optional<int64_t> tuple =
      indices.rank() ? indices.dim(-1).constant() : std::nullopt;
  if (!tuple || *tuple < 1 || *tuple > data.rank())
    return fail("indices of shape " + shapeText(indices.dims()) +
                " do not address data of shape " + shapeText(data.dims()));
  if (data.dtype() != updates.dtype())
    return fail("the data is " + dtypeName(data.dtype()) +
                ", the updates are " + dtypeName(updates.dtype()));
  Dims expected(indices.dims().begin(), indices.dims().end() - 1);
  expected.append(data.dims().begin() + *tuple, data.dims().end());
  if (int64_t(expected.size()) != updates.rank())
    return fail("updates of shape " + shapeText(updates.dims()) +
                ", expected " + shapeText(expected));
  for (auto [have, want] : llvm::zip(updates.dims(), expected))
    if (!requireEqual(have, want, "the updates of a scatter"))
      return Tensor();
  if (!checkConstantIndices(indices, data.dims().take_front(*tuple)))
    return Tensor();
  return emit({data, indices, updates}, data.dtype(), data.dims(),
              /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return ScatterNDOp::create(b, loc, type, kind, v[0], v[1],
                                           v[2]);
              });
}

Tensor GraphBuilder::scatterElements(ScatterKind kind, const Tensor &data,
                                     const Tensor &indices,
                                     const Tensor &updates, int64_t axis) {
  if (!updates || !checkElementIndices(data, indices, axis))
    return Tensor();
  if (data.dtype() != updates.dtype())
    return fail("the data is " + dtypeName(data.dtype()) +
                ", the updates are " + dtypeName(updates.dtype()));
  if (indices.rank() != updates.rank())
    return fail("indices have rank " + Twine(indices.rank()) +
                ", updates have rank " + Twine(updates.rank()));
  for (auto [have, want] : llvm::zip(updates.dims(), indices.dims()))
    if (!requireEqual(have, want, "the updates of a scatter"))
      return Tensor();
  return emit({data, indices, updates}, data.dtype(), data.dims(),
              /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return ScatterElementsOp::create(b, loc, type, kind, axis, v[0],
                                                 v[1], v[2]);
              });
}

Tensor GraphBuilder::argReduce(ReduceKind kind, const Tensor &x, int64_t axis,
                               bool keepdims, bool last) {
  if (!x || !checkAxis(axis, x.rank()))
    return Tensor();
  Dims dims(x.dims().begin(), x.dims().end());
  if (dims[axis].isConstant(0))
    return fail("the index of the best of no elements");
  if (keepdims)
    dims[axis] = DimExpr(1);
  else
    dims.erase(dims.begin() + axis);
  return emit(x, DType::I64, dims, /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return ArgReduceOp::create(b, loc, type, kind, axis, keepdims,
                                           last, v[0]);
              });
}

} // namespace plmc::importer
