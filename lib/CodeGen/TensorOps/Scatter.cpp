//===- Scatter.cpp - Tensor operations that write by index ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two updates may name one place, and the later one counts: the first thread
// makes the copy and writes all updates in order. Encoders scatter into masks
// and position tables, once a run.
//
// A bad index is reported and its update left out. So is an update whose other
// dimensions leave the data: symbolic sizes are only known here.
//
//===----------------------------------------------------------------------===//

#include "TensorOps.h"

using namespace mlir;
using namespace plmc;

static plm::BinaryKind binaryOf(plm::ScatterKind kind) {
  switch (kind) {
  case plm::ScatterKind::Add:
    return plm::BinaryKind::Add;
  case plm::ScatterKind::Mul:
    return plm::BinaryKind::Mul;
  case plm::ScatterKind::Max:
    return plm::BinaryKind::Max;
  default:
    return plm::BinaryKind::Min;
  }
}

void TensorOpEmitter::copyWhole(const Buffer &from, const Buffer &to) {
  DimExpr bytes(storageBytes(from.element));
  for (const DimExpr &size : from.dims)
    bytes = bytes * size;
  LLVM::MemcpyOp::create(b, b.loc, to.address, from.address, dim(bytes),
                         /*isVolatile=*/false);
}

/// Element `at` of out becomes, or is combined with, `value`.
void TensorOpEmitter::update(Operation *op, plm::ScatterKind kind,
                             const Buffer &out, ArrayRef<Value> outStrides,
                             Indices at, Value value) {
  if (kind != plm::ScatterKind::Set)
    value = binary(op, binaryOf(kind), loadElement(out, outStrides, at), value,
                   out.element);
  storeElement(out, outStrides, at, value);
}

/// index + extent if negative; `good` is cleared when that is outside.
Value TensorOpEmitter::wrappedIndex(Value index, Value extent, Value &good) {
  Value wrapped = b.select(b.lt(index, b.c(0)), b.add(index, extent), index);
  Value inside = arith::CmpIOp::create(b, b.loc, arith::CmpIPredicate::ult,
                                       wrapped, extent);
  good = good ? arith::AndIOp::create(b, b.loc, good, inside) : inside;
  return wrapped;
}

void TensorOpEmitter::ifGood(Value good, llvm::function_ref<void()> body) {
  b.ifThenElse(good, body,
               [&] { b.store(context.errorCode, context.errorAddress); });
}

bool TensorOpEmitter::scatterND(plm::ScatterNDOp op, const Buffer &data,
                                const Buffer &indices, const Buffer &updates,
                                const Buffer &out) {
  if (op.getKind() != plm::ScatterKind::Set && out.element.isInteger(1))
    return false;
  SmallVector<Value> indexStrides = strides(indices),
                     updateStrides = strides(updates),
                     outStrides = strides(out);
  int64_t tuple = *indices.dims.back().constant();
  size_t lead = indices.rank() - 1;
  ArrayRef<DimExpr> all(updates.dims);
  b.ifThen(b.eq(context.thread, b.c(0)), [&] {
    copyWhole(data, out);
    forEach(
        all.take_front(lead),
        [&](Indices where) {
          SmallVector<Value> target;
          Value good;
          for (int64_t i = 0; i < tuple; ++i) {
            SmallVector<Value> at(where);
            at.push_back(b.c(i));
            Value index = cast(loadElement(indices, indexStrides, at),
                               indices.element, b.i64);
            target.push_back(wrappedIndex(index, dim(out.dims[i]), good));
          }
          ifGood(good, [&] {
            forEach(
                all.drop_front(lead),
                [&](Indices rest) {
                  SmallVector<Value> from(where), to(target);
                  from.append(rest.begin(), rest.end());
                  to.append(rest.begin(), rest.end());
                  update(op, op.getKind(), out, outStrides, to,
                         loadElement(updates, updateStrides, from));
                },
                /*shared=*/false);
          });
        },
        /*shared=*/false);
  });
  return true;
}

bool TensorOpEmitter::scatterElements(plm::ScatterElementsOp op,
                                      const Buffer &data, const Buffer &indices,
                                      const Buffer &updates,
                                      const Buffer &out) {
  if (op.getKind() != plm::ScatterKind::Set && out.element.isInteger(1))
    return false;
  SmallVector<Value> indexStrides = strides(indices),
                     updateStrides = strides(updates),
                     outStrides = strides(out);
  size_t axis = op.getAxis();
  b.ifThen(b.eq(context.thread, b.c(0)), [&] {
    copyWhole(data, out);
    forEach(
        indices.dims,
        [&](Indices where) {
          SmallVector<Value> target(where);
          Value good;
          target[axis] =
              wrappedIndex(cast(loadElement(indices, indexStrides, where),
                                indices.element, b.i64),
                           dim(out.dims[axis]), good);
          for (size_t i = 0; i < target.size(); ++i)
            if (i != axis && out.dims[i] != indices.dims[i])
              wrappedIndex(where[i], dim(out.dims[i]), good);
          ifGood(good, [&] {
            update(op, op.getKind(), out, outStrides, target,
                   loadElement(updates, updateStrides, where));
          });
        },
        /*shared=*/false);
  });
  return true;
}

void TensorOpEmitter::argReduce(plm::ArgReduceOp op, const Buffer &in,
                                const Buffer &out) {
  SmallVector<Value> inStrides = strides(in), outStrides = strides(out);
  int64_t axis = op.getAxis();
  SmallVector<DimExpr> outer(in.dims);
  outer[axis] = DimExpr(1);
  Value length = dim(in.dims[axis]);
  bool max = op.getKind() == plm::ReduceKind::Max;
  plm::BinaryKind better =
      max ? (op.getLast() ? plm::BinaryKind::Ge : plm::BinaryKind::Gt)
          : (op.getLast() ? plm::BinaryKind::Le : plm::BinaryKind::Lt);
  forEach(outer, [&](Indices where) {
    SmallVector<Value> at(where);
    at[axis] = b.c(0);
    // Element 0 is only there if there is any.
    Value some = b.lt(b.c(0), length);
    SmallVector<Value> outAt(where);
    if (!op.getKeepdims())
      outAt.erase(outAt.begin() + axis);
    b.ifThen(some, [&] {
      Value first = loadElement(in, inStrides, at);
      SmallVector<Value> best =
          b.loop(b.c(1), length, 1, ValueRange{first, b.c(0)},
                 [&](Value i, ValueRange carried) {
                   at[axis] = i;
                   Value x = loadElement(in, inStrides, at);
                   Value wins = binary(op, better, x, carried[0], in.element);
                   return SmallVector<Value>{b.select(wins, x, carried[0]),
                                             b.select(wins, i, carried[1])};
                 });
      storeElement(out, outStrides, outAt, best[1]);
    });
    b.ifThen(arith::XOrIOp::create(
                 b, b.loc, some, arith::ConstantIntOp::create(b, b.loc, 1, 1)),
             [&] {
               b.store(context.errorCode, context.errorAddress);
               storeElement(out, outStrides, outAt, b.c(0));
             });
  });
}
