//===- Gather.cpp - Operations that read by index -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Indices.h"
#include "Tensors.h"
#include "plmc/Dialect/PLM/PLM.h"
#include <algorithm>

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::Twine;

namespace plmc::interp {

static Expected<HostTensor> evaluateGather(const EvalContext &ctx) {
  int64_t axis = llvm::cast<plm::GatherOp>(ctx.op).getAxis();
  const HostTensor &data = ctx.operand(0);
  ArrayRef<int64_t> dims(data.shape);
  Expected<HostTensor> result = ctx.allocateResultLike(ctx.operand(0));
  if (!result)
    return result.takeError();
  if (Error err = checkIndices(ctx))
    return err;
  if (Error err = ctx.checkAxis(axis, data.rank()))
    return err;
  SmallVector<int64_t, 4> shape(dims.take_front(axis));
  llvm::append_range(shape, ctx.operand(1).shape);
  llvm::append_range(shape, dims.drop_front(axis + 1));
  if (Error err = ctx.checkResultShape(*result, shape))
    return err;
  std::vector<int64_t> indices = toInts(ctx.operand(1));
  for (int64_t &index : indices) {
    Expected<int64_t> wrapped = wrapIndex(ctx, index, dims[axis]);
    if (!wrapped)
      return wrapped.takeError();
    index = *wrapped;
  }
  int64_t outer = countElements(dims.take_front(axis));
  size_t block =
      countElements(dims.drop_front(axis + 1)) * dtypeSize(data.dtype);
  char *out = result->data.data();
  for (int64_t i = 0; i < outer; ++i)
    for (int64_t index : indices)
      out = std::copy_n(data.data.data() + (i * dims[axis] + index) * block,
                        block, out);
  return result;
}

static Expected<HostTensor> evaluateGatherElements(const EvalContext &ctx) {
  int64_t axis = llvm::cast<plm::GatherElementsOp>(ctx.op).getAxis();
  const HostTensor &data = ctx.operand(0), &indexTensor = ctx.operand(1);
  Expected<HostTensor> result = ctx.allocateResultLike(ctx.operand(0));
  if (!result)
    return result.takeError();
  if (Error err = checkIndices(ctx))
    return err;
  if (Error err = ctx.checkAxis(axis, data.rank()))
    return err;
  if (Error err = ctx.checkResultShape(*result, indexTensor.shape))
    return err;
  if (indexTensor.rank() != data.rank())
    return ctx.error("indices must have the rank of the data");
  for (int64_t dim = 0; dim < data.rank(); ++dim)
    if (dim != axis && indexTensor.shape[dim] > data.shape[dim])
      return ctx.error("indices of shape " + shapeString(indexTensor.shape) +
                       " leave the data of shape " + shapeString(data.shape));
  // Walk the data with the axis held at 0 beside the indices.
  SmallVector<int64_t, 4> strides = stridesOf(data.shape);
  int64_t axisStride = strides[axis];
  strides[axis] = 0;
  std::vector<int64_t> offsets;
  forEachOffset(indexTensor.shape, strides, 0,
                [&](int64_t offset) { offsets.push_back(offset); });
  size_t size = dtypeSize(data.dtype);
  std::vector<int64_t> indices = toInts(indexTensor);
  char *out = result->data.data();
  for (size_t i = 0; i < indices.size(); ++i) {
    Expected<int64_t> index = wrapIndex(ctx, indices[i], data.shape[axis]);
    if (!index)
      return index.takeError();
    out = std::copy_n(data.data.data() +
                          (offsets[i] + *index * axisStride) * size,
                      size, out);
  }
  return result;
}

static Expected<HostTensor> evaluateGatherND(const EvalContext &ctx) {
  int64_t batchDims = llvm::cast<plm::GatherNDOp>(ctx.op).getBatchDims();
  const HostTensor &data = ctx.operand(0), &indexTensor = ctx.operand(1);
  ArrayRef<int64_t> dims(data.shape), indexDims(indexTensor.shape);
  Expected<HostTensor> result = ctx.allocateResultLike(ctx.operand(0));
  if (!result)
    return result.takeError();
  if (Error err = checkIndices(ctx))
    return err;
  if (batchDims < 0 || batchDims >= indexTensor.rank() ||
      batchDims >= data.rank())
    return ctx.error("batch_dims " + Twine(batchDims) + " is out of range");
  int64_t width = indexDims.back();
  if (width < 1 || width > data.rank() - batchDims)
    return ctx.error("index tuples of " + Twine(width) +
                     " do not fit data of "
                     "rank " +
                     Twine(data.rank()));
  if (indexDims.take_front(batchDims) != dims.take_front(batchDims))
    return ctx.error("batch dimensions of data " + shapeString(dims) +
                     " and indices " + shapeString(indexDims) + " differ");
  SmallVector<int64_t, 4> shape(indexDims.drop_back());
  llvm::append_range(shape, dims.drop_front(batchDims + width));
  if (Error err = ctx.checkResultShape(*result, shape))
    return err;
  SmallVector<int64_t, 4> strides = stridesOf(dims);
  int64_t batches = countElements(dims.take_front(batchDims));
  int64_t batchSize = countElements(dims.drop_front(batchDims));
  int64_t tuples = countElements(indexDims.drop_front(batchDims).drop_back());
  size_t size = dtypeSize(data.dtype);
  size_t block = countElements(dims.drop_front(batchDims + width)) * size;
  std::vector<int64_t> indices = toInts(indexTensor);
  const int64_t *next = indices.data();
  char *out = result->data.data();
  for (int64_t batch = 0; batch < batches; ++batch)
    for (int64_t tuple = 0; tuple < tuples; ++tuple) {
      int64_t offset = batch * batchSize;
      for (int64_t dim = batchDims; dim < batchDims + width; ++dim) {
        Expected<int64_t> index = wrapIndex(ctx, *next++, dims[dim]);
        if (!index)
          return index.takeError();
        offset += *index * strides[dim];
      }
      out = std::copy_n(data.data.data() + offset * size, block, out);
    }
  return result;
}

static Expected<HostTensor> evaluateEmbedding(const EvalContext &ctx) {
  const HostTensor &ids = ctx.operand(0), &table = ctx.operand(1);
  Expected<HostTensor> result = ctx.allocateResultLike(ctx.operand(1));
  if (!result)
    return result.takeError();
  if (isFloat(ids.dtype) || ids.dtype == DType::Bool)
    return ctx.error("ids must be integers");
  if (table.rank() != 2)
    return ctx.error("the table must have rank 2");
  SmallVector<int64_t, 4> shape(ids.shape);
  shape.push_back(table.shape[1]);
  if (Error err = ctx.checkResultShape(*result, shape))
    return err;
  size_t row = table.shape[1] * dtypeSize(table.dtype);
  char *out = result->data.data();
  for (int64_t id : toInts(ids)) {
    if (id < 0 || id >= table.shape[0])
      return ctx.error("id " + Twine(id) + " is not in [0, " +
                       Twine(table.shape[0]) + ")");
    out = std::copy_n(table.data.data() + id * row, row, out);
  }
  return result;
}

static Expected<HostTensor> evaluatePositionEmbedding(const EvalContext &ctx) {
  int64_t offset = llvm::cast<plm::PositionEmbeddingOp>(ctx.op).getOffset();
  const HostTensor &table = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResultLike(ctx.operand(0));
  if (!result)
    return result.takeError();
  if (table.rank() != 2 || result->rank() != 3)
    return ctx.error("needs a table of rank 2 and a result of rank 3");
  int64_t length = result->shape[1];
  if (Error err = ctx.checkResultShape(*result, {1, length, table.shape[1]}))
    return err;
  // length <= rows first: offset + length could overflow.
  if (offset < 0 || length > table.shape[0] || offset > table.shape[0] - length)
    return ctx.error("length " + Twine(length) + " from position " +
                     Twine(offset) + " leaves the table of " +
                     Twine(table.shape[0]) + " positions");
  size_t row = table.shape[1] * dtypeSize(table.dtype);
  std::copy_n(table.data.data() + offset * row, length * row,
              result->data.data());
  return result;
}

static Expected<HostTensor> evaluateCodebookLookup(const EvalContext &ctx) {
  const HostTensor &codes = ctx.operand(0), &books = ctx.operand(1);
  Expected<HostTensor> result = ctx.allocateResultLike(books);
  if (!result)
    return result.takeError();
  if (codes.dtype != DType::U8 || books.rank() != 3 || codes.rank() == 0 ||
      codes.shape.back() != books.shape[0])
    return ctx.error("codes of shape " + shapeString(codes.shape) +
                     " do not fit codebooks of shape " +
                     shapeString(books.shape));
  int64_t parts = books.shape[0], entries = books.shape[1];
  SmallVector<int64_t, 4> shape(codes.shape);
  shape.back() = parts * books.shape[2];
  if (Error err = ctx.checkResultShape(*result, shape))
    return err;
  size_t entry = books.shape[2] * dtypeSize(books.dtype);
  char *out = result->data.data();
  for (auto [index, code] : llvm::enumerate(toInts(codes))) {
    if (code >= entries)
      return ctx.error("code " + Twine(code) + " is not in [0, " +
                       Twine(entries) + ")");
    int64_t from = int64_t(index) % parts * entries + code;
    out = std::copy_n(books.data.data() + from * entry, entry, out);
  }
  return result;
}

void registerGather(EvaluatorTable &table) {
  table["plm.gather"] = evaluateGather;
  table["plm.gather_elements"] = evaluateGatherElements;
  table["plm.gather_nd"] = evaluateGatherND;
  table["plm.embedding"] = evaluateEmbedding;
  table["plm.position_embedding"] = evaluatePositionEmbedding;
  table["plm.codebook_lookup"] = evaluateCodebookLookup;
}

} // namespace plmc::interp
