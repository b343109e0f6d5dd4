//===- Scatter.cpp - Operations that write by index, or give indices ------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Indices.h"
#include "Tensors.h"
#include "plmc/Dialect/PLM/PLM.h"
#include <algorithm>
#include <cmath>

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::Twine;
using plmc::plm::ScatterKind;

namespace plmc::interp {

/// NaN wins, as in plm.binary.
static double combine(ScatterKind kind, double old, double update) {
  switch (kind) {
  case ScatterKind::Set:
    return update;
  case ScatterKind::Add:
    return old + update;
  case ScatterKind::Mul:
    return old * update;
  case ScatterKind::Max:
    return std::isnan(old) || old > update ? old : update;
  case ScatterKind::Min:
    return std::isnan(old) || old < update ? old : update;
  }
  llvm_unreachable("scatter kind");
}

/// Wrapping.
static int64_t combine(ScatterKind kind, int64_t old, int64_t update) {
  switch (kind) {
  case ScatterKind::Set:
    return update;
  case ScatterKind::Add:
    return uint64_t(old) + uint64_t(update);
  case ScatterKind::Mul:
    return uint64_t(old) * uint64_t(update);
  case ScatterKind::Max:
    return std::max(old, update);
  case ScatterKind::Min:
    return std::min(old, update);
  }
  llvm_unreachable("scatter kind");
}

/// Block i of `updates` meets the block of `data` that starts at element
/// offsets[i]; blocks have `block` elements.
static void scatterBlocks(HostTensor &data, const HostTensor &updates,
                          ArrayRef<int64_t> offsets, int64_t block,
                          ScatterKind kind) {
  if (kind == ScatterKind::Set) {
    size_t size = dtypeSize(data.dtype);
    const char *from = updates.data.data();
    for (int64_t offset : offsets) {
      std::copy_n(from, block * size, data.data.data() + offset * size);
      from += block * size;
    }
    return;
  }
  auto run = [&](auto values, const auto &news) {
    int64_t next = 0;
    for (int64_t offset : offsets)
      for (int64_t i = 0; i < block; ++i)
        values[offset + i] = combine(kind, values[offset + i], news[next++]);
    return values;
  };
  if (isFloat(data.dtype))
    storeDoubles(data, run(toDoubles(data), toDoubles(updates)));
  else
    storeInts(data, run(toInts(data), toInts(updates)));
}

/// What both scatters check; the result starts as a copy of the data.
static Expected<HostTensor> startScatter(const EvalContext &ctx,
                                         ScatterKind kind) {
  const HostTensor &data = ctx.operand(0), &updates = ctx.operand(2);
  Expected<HostTensor> result = ctx.allocateResultLike(data);
  if (!result)
    return result.takeError();
  if (Error err = checkIndices(ctx))
    return err;
  if (updates.dtype != data.dtype)
    return ctx.error("updates are " + dtypeName(updates.dtype) + ", data is " +
                     dtypeName(data.dtype));
  if (kind != ScatterKind::Set && data.dtype == DType::Bool)
    return ctx.error("truth values can only be set");
  if (Error err = ctx.checkResultShape(*result, data.shape))
    return err;
  result->data = data.data;
  return result;
}

static Expected<HostTensor> evaluateScatterND(const EvalContext &ctx) {
  ScatterKind kind = llvm::cast<plm::ScatterNDOp>(ctx.op).getKind();
  Expected<HostTensor> result = startScatter(ctx, kind);
  if (!result)
    return result.takeError();
  const HostTensor &data = ctx.operand(0), &indexTensor = ctx.operand(1),
                   &updates = ctx.operand(2);
  ArrayRef<int64_t> dims(data.shape), indexDims(indexTensor.shape);
  int64_t width = indexDims.empty() ? 0 : indexDims.back();
  if (width < 1 || width > data.rank())
    return ctx.error("index tuples of " + Twine(width) +
                     " do not fit data of rank " + Twine(data.rank()));
  SmallVector<int64_t, 4> shape(indexDims.drop_back());
  llvm::append_range(shape, dims.drop_front(width));
  if (ArrayRef<int64_t>(updates.shape) != ArrayRef<int64_t>(shape))
    return ctx.error("updates of shape " + shapeString(updates.shape) +
                     ", expected " + shapeString(shape));
  SmallVector<int64_t, 4> strides = stridesOf(dims);
  std::vector<int64_t> indices = toInts(indexTensor), offsets;
  for (size_t next = 0; next < indices.size(); next += width) {
    int64_t offset = 0;
    for (int64_t dim = 0; dim < width; ++dim) {
      Expected<int64_t> index = wrapIndex(ctx, indices[next + dim], dims[dim]);
      if (!index)
        return index.takeError();
      offset += *index * strides[dim];
    }
    offsets.push_back(offset);
  }
  scatterBlocks(*result, updates, offsets,
                countElements(dims.drop_front(width)), kind);
  return result;
}

static Expected<HostTensor> evaluateScatterElements(const EvalContext &ctx) {
  auto op = llvm::cast<plm::ScatterElementsOp>(ctx.op);
  int64_t axis = op.getAxis();
  Expected<HostTensor> result = startScatter(ctx, op.getKind());
  if (!result)
    return result.takeError();
  const HostTensor &data = ctx.operand(0), &indexTensor = ctx.operand(1),
                   &updates = ctx.operand(2);
  if (Error err = ctx.checkAxis(axis, data.rank()))
    return err;
  if (indexTensor.rank() != data.rank() || updates.shape != indexTensor.shape)
    return ctx.error("data of shape " + shapeString(data.shape) +
                     ", indices of shape " + shapeString(indexTensor.shape) +
                     " and updates of shape " + shapeString(updates.shape) +
                     " do not fit together");
  for (int64_t dim = 0; dim < data.rank(); ++dim)
    if (dim != axis && indexTensor.shape[dim] > data.shape[dim])
      return ctx.error("indices of shape " + shapeString(indexTensor.shape) +
                       " leave the data of shape " + shapeString(data.shape));
  // Walk the data with the axis held at 0 beside the indices.
  SmallVector<int64_t, 4> strides = stridesOf(data.shape);
  int64_t axisStride = strides[axis];
  strides[axis] = 0;
  std::vector<int64_t> offsets, indices = toInts(indexTensor);
  forEachOffset(indexTensor.shape, strides, 0,
                [&](int64_t offset) { offsets.push_back(offset); });
  for (size_t i = 0; i < indices.size(); ++i) {
    Expected<int64_t> index = wrapIndex(ctx, indices[i], data.shape[axis]);
    if (!index)
      return index.takeError();
    offsets[i] += *index * axisStride;
  }
  scatterBlocks(*result, updates, offsets, /*block=*/1, op.getKind());
  return result;
}

/// Position of the best of values[start + i * stride], i < size.
template <typename T>
static int64_t bestPosition(ArrayRef<T> values, int64_t start, int64_t size,
                            int64_t stride, bool max, bool last) {
  int64_t best = 0;
  for (int64_t i = 1; i < size; ++i) {
    T x = values[start + i * stride], known = values[start + best * stride];
    if ((max ? x > known : x < known) || (last && x == known))
      best = i;
  }
  return best;
}

static Expected<HostTensor> evaluateArgReduce(const EvalContext &ctx) {
  auto op = llvm::cast<plm::ArgReduceOp>(ctx.op);
  const HostTensor &input = ctx.operand(0);
  int64_t axis = op.getAxis();
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (Error err = ctx.checkAxis(axis, input.rank()))
    return err;
  SmallVector<int64_t, 4> shape(input.shape);
  int64_t size = shape[axis];
  if (op.getKeepdims())
    shape[axis] = 1;
  else
    shape.erase(shape.begin() + axis);
  if (Error err = ctx.checkResultShape(*result, shape))
    return err;
  if (size == 0 && result->numElements() > 0)
    return ctx.error("the index of the best of nothing");
  ArrayRef<int64_t> dims(input.shape);
  int64_t outer = countElements(dims.take_front(axis)),
          stride = countElements(dims.drop_front(axis + 1));
  bool max = op.getKind() == plm::ReduceKind::Max;
  auto run = [&](auto values) {
    ArrayRef<typename decltype(values)::value_type> all(values);
    for (int64_t i = 0; i < outer; ++i)
      for (int64_t j = 0; j < stride; ++j)
        result->setInt(i * stride + j,
                       bestPosition(all, i * size * stride + j, size, stride,
                                    max, op.getLast()));
  };
  if (isFloat(input.dtype))
    run(toDoubles(input));
  else
    run(toInts(input));
  return result;
}

void registerScatter(EvaluatorTable &table) {
  table["plm.scatter_nd"] = evaluateScatterND;
  table["plm.scatter_elements"] = evaluateScatterElements;
  table["plm.arg_reduce"] = evaluateArgReduce;
}

} // namespace plmc::interp
