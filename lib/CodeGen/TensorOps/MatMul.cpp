//===- MatMul.cpp - Products of two tensors ---------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Products that no recogniser has claimed: both operands are computed, so there
// is nothing to pack. In f32 a register tile of 4 rows x 2 vectors of columns
// reads rows of the right operand as they lie, which reaches 80 to 90 % of what
// packed panels would as soon as there are some rows. (One row at a time,
// adding scaled rows of the right operand to it in memory, was a tenth of
// that.)
//
// Threads share blocks of rows of all matrices of the batch.
//
//===----------------------------------------------------------------------===//

#include "TensorOps.h"

using namespace mlir;
using namespace plmc;

namespace {
constexpr int64_t tileRows = 4, tileVectors = 2;
}

SmallVector<Value> TensorOpEmitter::matmulStrides(const Buffer &operand,
                                                  int64_t rank) {
  SmallVector<Value> own = strides(operand);
  SmallVector<Value> all(rank - 2, b.c(0));
  for (int64_t i = 0; i < operand.rank() - 2; ++i)
    if (!operand.dims[i].isConstant(1))
      all[rank - operand.rank() + i] = own[i];
  all.push_back(own[operand.rank() - 2]);
  all.push_back(own[operand.rank() - 1]);
  return all;
}

/// One tile: `rows` rows from `left` on, `vectors` vectors of columns of
/// `right` and `out`, of which the mask, if there is one, says which exist.
void TensorOpEmitter::matmulTile(int64_t rows, int64_t vectors, Value left,
                                 Value leftStride, Value right,
                                 Value rightStride, Value out, Value outStride,
                                 Value k, Value mask) {
  int64_t lanes = b.target.lanes;
  auto loadColumns = [&](Value at, int64_t v) -> Value {
    at = b.offset(at, v * lanes * 4);
    if (!mask)
      return b.load(b.vf32, at);
    return LLVM::MaskedLoadOp::create(b, b.loc, b.vf32, at, mask, b.splat(0),
                                      b.getI32IntegerAttr(4));
  };
  SmallVector<Value> zeros(rows * vectors, b.splat(0));
  SmallVector<Value> sums =
      b.loop(b.c(0), k, 1, zeros, [&](Value i, ValueRange carried) {
        SmallVector<Value> acc(carried), columns;
        Value row = b.at(right, b.mul(i, rightStride));
        for (int64_t v = 0; v < vectors; ++v)
          columns.push_back(loadColumns(row, v));
        for (int64_t r = 0; r < rows; ++r) {
          Value at = b.at(left, b.add(b.mul(leftStride, r), i));
          Value x = b.broadcast(b.load(b.f32, at));
          for (int64_t v = 0; v < vectors; ++v)
            acc[r * vectors + v] = b.fma(x, columns[v], acc[r * vectors + v]);
        }
        return acc;
      });
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < vectors; ++v) {
      Value at = b.offset(b.at(out, b.mul(outStride, r)), v * lanes * 4);
      Value sum = sums[r * vectors + v];
      if (mask)
        LLVM::MaskedStoreOp::create(b, b.loc, sum, at, mask, 4);
      else
        b.store(sum, at);
    }
}

void TensorOpEmitter::matmulF32(const Buffer &lhs, const Buffer &rhs,
                                const Buffer &out) {
  int64_t rank = out.rank(), lanes = b.target.lanes;
  int64_t width = tileVectors * lanes;
  SmallVector<Value> outStrides = strides(out);
  SmallVector<Value> lhsStrides = matmulStrides(lhs, rank),
                     rhsStrides = matmulStrides(rhs, rank);
  Value m = dim(out.dims[rank - 2]), n = dim(out.dims[rank - 1]),
        k = dim(lhs.dims.back());
  Value rowBlocks = b.ceilDiv(m, tileRows), tasks = rowBlocks;
  SmallVector<Value> batch;
  for (int64_t i = 0; i < rank - 2; ++i) {
    batch.push_back(dim(out.dims[i]));
    tasks = b.mul(tasks, batch.back());
  }
  Value lo = b.div(b.mul(tasks, context.thread), context.threads);
  Value hi = b.div(b.mul(tasks, b.add(context.thread, 1)), context.threads);
  auto numbers = llvm::to_vector(llvm::seq<int64_t>(0, lanes));
  auto ofLanes = VectorType::get({lanes}, b.i64);
  Value lane = arith::ConstantOp::create(
      b, b.loc, DenseElementsAttr::get(ofLanes, ArrayRef<int64_t>(numbers)));
  b.loop(lo, hi, 1, [&](Value task) {
    Value row = b.mul(b.rem(task, rowBlocks), tileRows);
    Value rest = b.div(task, rowBlocks);
    SmallVector<Value> at(rank);
    for (int64_t i = rank - 3; i >= 0; --i) {
      at[i] = b.rem(rest, batch[i]);
      rest = b.div(rest, batch[i]);
    }
    at[rank - 2] = row;
    at[rank - 1] = b.c(0);
    Value left = address(lhs, lhsStrides, at),
          to = address(out, outStrides, at);
    at[rank - 2] = b.c(0);
    Value right = address(rhs, rhsStrides, at);
    Value leftStride = lhsStrides[rank - 2], rightStride = rhsStrides[rank - 2],
          outStride = outStrides[rank - 2];
    auto allColumns = [&](int64_t rows, Value left, Value to) {
      Value whole = b.mul(b.div(n, b.c(width)), width);
      b.loop(b.c(0), whole, width, [&](Value j) {
        matmulTile(rows, tileVectors, left, leftStride, b.at(right, j),
                   rightStride, b.at(to, j), outStride, k, Value());
      });
      b.loop(whole, n, lanes, [&](Value j) {
        Value remaining =
            vector::BroadcastOp::create(b, b.loc, ofLanes, b.sub(n, j));
        Value mask = arith::CmpIOp::create(b, b.loc, arith::CmpIPredicate::slt,
                                           lane, remaining);
        matmulTile(rows, 1, left, leftStride, b.at(right, j), rightStride,
                   b.at(to, j), outStride, k, mask);
      });
    };
    b.ifThenElse(
        b.lt(m, b.add(row, tileRows)),
        [&] {
          b.loop(b.c(0), b.sub(m, row), 1, [&](Value r) {
            allColumns(1, b.at(left, b.mul(r, leftStride)),
                       b.at(to, b.mul(r, outStride)));
          });
        },
        [&] { allColumns(tileRows, left, to); });
  });
}

void TensorOpEmitter::matmul(const Buffer &lhs, const Buffer &rhs,
                             const Buffer &out) {
  if (out.element.isF32())
    return matmulF32(lhs, rhs, out);
  // Row by row of the result, adding scaled rows of rhs: the inner loop is
  // contiguous in both.
  int64_t rank = out.rank();
  SmallVector<Value> outStrides = strides(out);
  SmallVector<Value> lhsStrides = matmulStrides(lhs, rank),
                     rhsStrides = matmulStrides(rhs, rank);
  SmallVector<DimExpr> outer(out.dims.begin(), out.dims.end() - 1);
  Value k = dim(lhs.dims.back()), n = dim(out.dims.back());
  Type type = out.element;
  bool isFloat = isa<FloatType>(type);
  forEach(outer, [&](Indices where) {
    SmallVector<Value> at(where);
    at.push_back(b.c(0));
    Buffer row = out;
    row.address = address(out, outStrides, at);
    Value one = b.c(1);
    b.loop(b.c(0), n, 1,
           [&](Value j) { storeElement(row, {one}, {j}, zeroOf(type)); });
    b.loop(b.c(0), k, 1, [&](Value i) {
      SmallVector<Value> lhsAt(where);
      lhsAt.push_back(i);
      Value scale = loadElement(lhs, lhsStrides, lhsAt);
      SmallVector<Value> rhsAt(where.begin(), where.end() - 1);
      rhsAt.push_back(i);
      rhsAt.push_back(b.c(0));
      Buffer source = rhs;
      source.address = address(rhs, rhsStrides, rhsAt);
      b.loop(b.c(0), n, 1, [&](Value j) {
        Value x = loadElement(source, {one}, {j});
        Value sum = loadElement(row, {one}, {j});
        sum = isFloat ? b.fma(scale, x, sum)
                      : Value(arith::AddIOp::create(
                            b, b.loc, sum,
                            arith::MulIOp::create(b, b.loc, scale, x)));
        storeElement(row, {one}, {j}, sum);
      });
    });
  });
}
