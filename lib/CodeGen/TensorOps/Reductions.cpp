//===- Reductions.cpp - Tensor operations along axes ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../VectorMath.h"
#include "TensorOps.h"
#include <limits>

using namespace mlir;
using namespace plmc;

void TensorOpEmitter::reduce(plm::ReduceOp op, const Buffer &in,
                             const Buffer &out) {
  using K = plm::ReduceKind;
  K kind = op.getKind();
  Type type = in.element;
  bool isFloat = isa<FloatType>(type);
  SmallVector<Value> inStrides = strides(in), outStrides = strides(out);
  ArrayRef<int64_t> axes = op.getAxes();
  SmallVector<DimExpr> kept, reduced;
  DimExpr count(1);
  for (auto [index, size] : llvm::enumerate(in.dims)) {
    if (llvm::is_contained(axes, int64_t(index))) {
      reduced.push_back(size);
      count = count * size;
    } else {
      kept.push_back(size);
    }
  }
  auto constant = [&](double value) -> Value {
    if (isFloat)
      return arith::ConstantOp::create(b, b.loc, b.getFloatAttr(type, value));
    return arith::ConstantIntOp::create(b, b.loc, static_cast<int64_t>(value),
                                        type.getIntOrFloatBitWidth());
  };
  Value start;
  if (kind == K::Max || kind == K::Min) {
    double sign = kind == K::Max ? -1 : 1;
    if (isFloat)
      start = constant(sign * std::numeric_limits<double>::infinity());
    else {
      unsigned width = type.getIntOrFloatBitWidth();
      bool isUnsigned = type.isUnsignedInteger() || width == 1;
      APInt extreme = kind == K::Max
                          ? (isUnsigned ? APInt::getMinValue(width)
                                        : APInt::getSignedMinValue(width))
                          : (isUnsigned ? APInt::getMaxValue(width)
                                        : APInt::getSignedMaxValue(width));
      start = arith::ConstantOp::create(
          b, b.loc, b.getIntegerAttr(b.getIntegerType(width), extreme));
    }
  } else {
    start = constant(kind == K::Prod ? 1 : 0);
  }
  auto combine = [&](Value acc, Value x) -> Value {
    switch (kind) {
    case K::Max:
      return binary(op, plm::BinaryKind::Max, acc, x, type);
    case K::Min:
      return binary(op, plm::BinaryKind::Min, acc, x, type);
    case K::Prod:
      return binary(op, plm::BinaryKind::Mul, acc, x, type);
    case K::L1:
      x = unary(op, plm::UnaryKind::Abs, x, type);
      break;
    case K::L2:
    case K::SumSquare:
      x = binary(op, plm::BinaryKind::Mul, x, x, type);
      break;
    default:
      break;
    }
    if (!isFloat)
      return arith::AddIOp::create(b, b.loc, acc, x);
    // Free order, so that the sum is vectorised.
    return arith::AddFOp::create(b, b.loc, acc, x,
                                 arith::FastMathFlags::reassoc);
  };

  forEach(kept, [&](Indices where) {
    SmallVector<Value> at(in.rank());
    size_t next = 0;
    for (int64_t i = 0; i < in.rank(); ++i)
      if (!llvm::is_contained(axes, i))
        at[i] = where[next++];
    std::function<Value(size_t, Value)> nest = [&](size_t depth,
                                                   Value acc) -> Value {
      if (depth == reduced.size())
        return combine(acc, loadElement(in, inStrides, at));
      return b.loop(b.c(0), dim(reduced[depth]), 1, ValueRange{acc},
                    [&](Value index, ValueRange carried) {
                      at[axes[depth]] = index;
                      return SmallVector<Value>{nest(depth + 1, carried[0])};
                    })[0];
    };
    Value result = nest(0, start);
    if (kind == K::Mean) {
      Value number = dim(count);
      result = binary(op, plm::BinaryKind::Div, result,
                      cast(number, b.i64, type), type);
    } else if (kind == K::L2 && isFloat) {
      result = b.sqrt(result);
    }
    SmallVector<Value> outAt;
    next = 0;
    for (int64_t i = 0; i < in.rank(); ++i) {
      if (!llvm::is_contained(axes, i))
        outAt.push_back(where[next++]);
      else if (op.getKeepdims())
        outAt.push_back(b.c(0));
    }
    storeElement(out, outStrides, outAt, result);
  });
}

/// A row of neighbours, by vectors; what is left over by elements.
void TensorOpEmitter::softmaxRow(Value in, Value out, Value length) {
  int64_t lanes = b.target.lanes;
  Value whole = b.sub(length, b.rem(length, b.c(lanes)));
  Value lowest = b.splat(-std::numeric_limits<float>::infinity());
  // A NaN that is lost here comes back in the sum.
  Value most = b.loop(b.c(0), whole, lanes, ValueRange{lowest},
                      [&](Value i, ValueRange carried) {
                        Value x = b.load(b.vf32, b.at(in, i));
                        return SmallVector<Value>{b.fmax(carried[0], x)};
                      })[0];
  Value max = b.loop(whole, length, 1, ValueRange{b.reduceMax(most)},
                     [&](Value i, ValueRange carried) {
                       Value x = b.load(b.f32, b.at(in, i));
                       return SmallVector<Value>{b.fmax(carried[0], x)};
                     })[0];
  auto weights = [&](Value lo, Value hi, int64_t step, Value start) {
    Type type = start.getType();
    Value offset = step > 1 ? b.broadcast(max) : max;
    return b.loop(lo, hi, step, ValueRange{start},
                  [&](Value i, ValueRange carried) {
                    Value x = b.load(type, b.at(in, i));
                    Value p = emitExp(b, b.fsub(x, offset));
                    b.store(p, b.at(out, i));
                    return SmallVector<Value>{b.fadd(carried[0], p)};
                  })[0];
  };
  Value sums = weights(b.c(0), whole, lanes, b.splat(0));
  Value sum = weights(whole, length, 1, b.reduceAdd(sums));
  Value inverse = b.fdiv(b.f(1), sum);
  auto scale = [&](Value lo, Value hi, int64_t step, Value factor) {
    b.loop(lo, hi, step, [&](Value i) {
      Value at = b.at(out, i);
      b.store(b.fmul(b.load(factor.getType(), at), factor), at);
    });
  };
  scale(b.c(0), whole, lanes, b.broadcast(inverse));
  scale(whole, length, 1, inverse);
}

void TensorOpEmitter::softmax(plm::SoftmaxOp op, const Buffer &in,
                              const Buffer &out) {
  SmallVector<Value> inStrides = strides(in), outStrides = strides(out);
  int64_t axis = op.getAxis();
  SmallVector<DimExpr> outer(in.dims);
  outer[axis] = DimExpr(1);
  Value length = dim(in.dims[axis]);
  forEach(outer, [&](Indices where) {
    SmallVector<Value> at(where);
    at[axis] = b.c(0);
    Buffer source = in, target = out;
    source.address = address(in, inStrides, at);
    target.address = address(out, outStrides, at);
    if (axis + 1 == in.rank())
      return softmaxRow(source.address, target.address, length);
    Value inStride = inStrides[axis], outStride = outStrides[axis];
    Value lowest = b.f(-std::numeric_limits<float>::infinity());
    Value max = b.loop(b.c(0), length, 1, ValueRange{lowest},
                       [&](Value i, ValueRange carried) {
                         Value x = loadElement(source, {inStride}, {i});
                         return SmallVector<Value>{arith::MaximumFOp::create(
                             b, b.loc, carried[0], x)};
                       })[0];
    Value sum =
        b.loop(b.c(0), length, 1, ValueRange{b.f(0)},
               [&](Value i, ValueRange carried) {
                 Value x = loadElement(source, {inStride}, {i});
                 Value p = emitExp(b, b.fsub(x, max));
                 storeElement(target, {outStride}, {i}, p);
                 return SmallVector<Value>{arith::AddFOp::create(
                     b, b.loc, carried[0], p, arith::FastMathFlags::reassoc)};
               })[0];
    Value inverse = b.fdiv(b.f(1), sum);
    b.loop(b.c(0), length, 1, [&](Value i) {
      storeElement(target, {outStride}, {i},
                   b.fmul(loadElement(target, {outStride}, {i}), inverse));
    });
  });
}

void TensorOpEmitter::cumsum(plm::CumSumOp op, const Buffer &in,
                             const Buffer &out) {
  SmallVector<Value> inStrides = strides(in), outStrides = strides(out);
  int64_t axis = op.getAxis();
  SmallVector<DimExpr> outer(in.dims);
  outer[axis] = DimExpr(1);
  Value length = dim(in.dims[axis]);
  forEach(outer, [&](Indices where) {
    SmallVector<Value> at(where);
    b.loop(b.c(0), length, 1, ValueRange{zeroOf(in.element)},
           [&](Value i, ValueRange carried) {
             at[axis] = op.getReverse() ? b.sub(b.sub(length, b.c(1)), i) : i;
             Value x = loadElement(in, inStrides, at);
             Value sum =
                 binary(op, plm::BinaryKind::Add, carried[0], x, in.element);
             storeElement(out, outStrides, at,
                          op.getExclusive() ? Value(carried[0]) : sum);
             return SmallVector<Value>{sum};
           });
  });
}
