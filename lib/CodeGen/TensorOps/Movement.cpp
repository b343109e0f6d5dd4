//===- Movement.cpp - Tensor operations that move data ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorOps.h"

using namespace mlir;
using namespace plmc;

void TensorOpEmitter::transpose(plm::TransposeOp op, const Buffer &in,
                                const Buffer &out) {
  SmallVector<Value> inStrides = strides(in), outStrides = strides(out);
  SmallVector<Value> permuted;
  for (int64_t axis : op.getPermutation())
    permuted.push_back(inStrides[axis]);
  forEach(out.dims, [&](Indices indices) {
    storeElement(out, outStrides, indices, loadElement(in, permuted, indices));
  });
}

void TensorOpEmitter::slice(plm::SliceOp op, const Buffer &in,
                            const Buffer &out) {
  SmallVector<Value> inStrides = strides(in), outStrides = strides(out);
  Buffer window = in;
  SmallVector<Value> starts, steps;
  for (auto [start, step, stride] :
       llvm::zip(op.getStarts(), op.getSteps(), inStrides)) {
    starts.push_back(
        dim(*DimExpr::parse(llvm::cast<StringAttr>(start).getValue())));
    steps.push_back(b.mul(stride, step));
  }
  window.address = address(in, inStrides, starts);
  forEach(out.dims, [&](Indices indices) {
    storeElement(out, outStrides, indices, loadElement(window, steps, indices));
  });
}

void TensorOpEmitter::concat(plm::ConcatOp op, ArrayRef<Buffer> ins,
                             const Buffer &out) {
  SmallVector<Value> outStrides = strides(out);
  DimExpr position(0);
  for (const Buffer &in : ins) {
    SmallVector<Value> inStrides = strides(in);
    Buffer window = out;
    SmallVector<Value> corner(out.rank(), b.c(0));
    corner[op.getAxis()] = dim(position);
    window.address = address(out, outStrides, corner);
    forEach(in.dims, [&](Indices indices) {
      storeElement(window, outStrides, indices,
                   loadElement(in, inStrides, indices));
    });
    position = position + in.dims[op.getAxis()];
  }
}

void TensorOpEmitter::gather(Operation *op, int64_t axis, const Buffer &data,
                             const Buffer &indices, const Buffer &out,
                             bool allowNegative) {
  SmallVector<Value> dataStrides = strides(data),
                     indexStrides = strides(indices), outStrides = strides(out);
  Value extent = dim(data.dims[axis]);
  // Outer loops find the index once; the inner ones copy the slice.
  size_t lead = axis + indices.rank();
  SmallVector<DimExpr> outer(out.dims.begin(), out.dims.begin() + lead);
  SmallVector<DimExpr> inner(out.dims.begin() + lead, out.dims.end());
  forEach(outer, [&](Indices where) {
    SmallVector<Value> indexWhere(where.begin() + axis, where.end());
    Value index = cast(loadElement(indices, indexStrides, indexWhere),
                       indices.element, b.i64);
    if (!allowNegative) // make a negative index fail the check
      index = b.select(b.lt(index, b.c(0)), extent, index);
    index = checkedIndex(index, extent);
    SmallVector<Value> source(where.begin(), where.begin() + axis);
    source.push_back(index);
    source.append(inner.size(), b.c(0));
    Buffer from = data, to = out;
    from.address = address(data, dataStrides, source);
    SmallVector<Value> target(where.begin(), where.end());
    target.append(inner.size(), b.c(0));
    to.address = address(out, outStrides, target);
    forEach(
        inner,
        [&](Indices rest) {
          storeElement(
              to, ArrayRef<Value>(outStrides).drop_front(lead), rest,
              loadElement(from,
                          ArrayRef<Value>(dataStrides).drop_front(axis + 1),
                          rest));
        },
        /*shared=*/false);
  });
}

void TensorOpEmitter::gatherElements(plm::GatherElementsOp op,
                                     const Buffer &data, const Buffer &indices,
                                     const Buffer &out) {
  SmallVector<Value> dataStrides = strides(data),
                     indexStrides = strides(indices), outStrides = strides(out);
  Value extent = dim(data.dims[op.getAxis()]);
  forEach(out.dims, [&](Indices where) {
    Value index =
        cast(loadElement(indices, indexStrides, where), indices.element, b.i64);
    SmallVector<Value> source(where);
    source[op.getAxis()] = checkedIndex(index, extent);
    storeElement(out, outStrides, where,
                 loadElement(data, dataStrides, source));
  });
}

void TensorOpEmitter::gatherND(plm::GatherNDOp op, const Buffer &data,
                               const Buffer &indices, const Buffer &out) {
  SmallVector<Value> dataStrides = strides(data),
                     indexStrides = strides(indices), outStrides = strides(out);
  int64_t tuple = *indices.dims.back().constant();
  int64_t batchDims = op.getBatchDims();
  size_t lead = indices.rank() - 1;
  SmallVector<DimExpr> outer(out.dims.begin(), out.dims.begin() + lead);
  SmallVector<DimExpr> inner(out.dims.begin() + lead, out.dims.end());
  forEach(outer, [&](Indices where) {
    SmallVector<Value> source(where.begin(), where.begin() + batchDims);
    for (int64_t i = 0; i < tuple; ++i) {
      SmallVector<Value> indexWhere(where);
      indexWhere.push_back(b.c(i));
      Value index = cast(loadElement(indices, indexStrides, indexWhere),
                         indices.element, b.i64);
      source.push_back(checkedIndex(index, dim(data.dims[batchDims + i])));
    }
    size_t fixed = source.size();
    source.append(inner.size(), b.c(0));
    Buffer from = data, to = out;
    from.address = address(data, dataStrides, source);
    SmallVector<Value> target(where);
    target.append(inner.size(), b.c(0));
    to.address = address(out, outStrides, target);
    forEach(
        inner,
        [&](Indices rest) {
          storeElement(
              to, ArrayRef<Value>(outStrides).drop_front(lead), rest,
              loadElement(from, ArrayRef<Value>(dataStrides).drop_front(fixed),
                          rest));
        },
        /*shared=*/false);
  });
}

void TensorOpEmitter::positionEmbedding(plm::PositionEmbeddingOp op,
                                        const Buffer &table,
                                        const Buffer &out) {
  SmallVector<Value> tableStrides = strides(table), outStrides = strides(out);
  forEach(out.dims, [&](Indices where) {
    Value row = b.add(where[1], int64_t(op.getOffset()));
    storeElement(out, outStrides, where,
                 loadElement(table, tableStrides, {row, where[2]}));
  });
}

void TensorOpEmitter::codebookLookup(const Buffer &codes, const Buffer &books,
                                     const Buffer &out) {
  SmallVector<Value> codeStrides = strides(codes), bookStrides = strides(books),
                     outStrides = strides(out);
  Value entries = dim(books.dims[1]), size = dim(books.dims[2]);
  forEach(codes.dims, [&](Indices where) {
    Value code = checkedIndex(
        cast(loadElement(codes, codeStrides, where), codes.element, b.i64),
        entries);
    SmallVector<Value> target(where);
    Value first = b.mul(where.back(), size);
    b.loop(b.c(0), size, 1, [&](Value i) {
      target.back() = b.add(first, i);
      storeElement(out, outStrides, target,
                   loadElement(books, bookStrides, {where.back(), code, i}));
    });
  });
}

void TensorOpEmitter::shapeValue(plm::ShapeValueOp op, const Buffer &out) {
  SmallVector<Value> outStrides = strides(out);
  b.ifThen(b.eq(context.thread, b.c(0)), [&] {
    for (auto [index, expr] : llvm::enumerate(op.getExprs())) {
      Value value =
          dim(*DimExpr::parse(llvm::cast<StringAttr>(expr).getValue()));
      SmallVector<Value> where;
      if (out.rank())
        where.push_back(b.c(index));
      storeElement(out, outStrides, where, cast(value, b.i64, out.element));
    }
  });
}

void TensorOpEmitter::iota(plm::IotaOp op, const Buffer &out) {
  SmallVector<Value> outStrides = strides(out);
  Value start = dim(*DimExpr::parse(op.getStart()));
  forEach(out.dims, [&](Indices where) {
    Value value = b.add(start, b.mul(where[0], int64_t(op.getStep())));
    storeElement(out, outStrides, where, cast(value, b.i64, out.element));
  });
}
