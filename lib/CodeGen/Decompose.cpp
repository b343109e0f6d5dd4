//===- Decompose.cpp - Transformer ops as tensor operations -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decompose.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include <limits>

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;

namespace {

/// Builds tensor operations with inferred result types.
struct TensorBuilder : OpBuilder {
  Location loc;
  explicit TensorBuilder(Operation *op) : OpBuilder(op), loc(op->getLoc()) {}

  static RankedTensorType type(Value value) {
    return cast<RankedTensorType>(value.getType());
  }
  static SmallVector<DimExpr> dims(Value value) { return getDims(type(value)); }

  Value constant(Type element, double value) {
    auto scalar = RankedTensorType::get({}, element);
    Attribute attr = isa<FloatType>(element)
                         ? Attribute(getFloatAttr(element, value))
                         : Attribute(getIntegerAttr(element, int64_t(value)));
    return ConstantOp::create(*this, loc, scalar,
                              DenseElementsAttr::get(scalar, attr));
  }
  Value reshape(Value value, ArrayRef<DimExpr> shape) {
    return ReshapeOp::create(
        *this, loc, makeTensorType(shape, type(value).getElementType()), value);
  }
  Value transpose(Value value, ArrayRef<int64_t> permutation) {
    SmallVector<DimExpr> in = dims(value), out;
    for (int64_t axis : permutation)
      out.push_back(in[axis]);
    return TransposeOp::create(
        *this, loc, makeTensorType(out, type(value).getElementType()),
        getDenseI64ArrayAttr(permutation), value);
  }
  /// `like` has the result's shape.
  Value binary(BinaryKind kind, Value lhs, Value rhs, Value like) {
    return BinaryOp::create(*this, loc, like.getType(),
                            BinaryKindAttr::get(getContext(), kind), lhs, rhs);
  }
  Value select(Value condition, Value onTrue, Value onFalse, Value like) {
    return SelectOp::create(*this, loc, like.getType(), condition, onTrue,
                            onFalse);
  }
  Value matmul(Value lhs, Value rhs) {
    SmallVector<DimExpr> shape = dims(lhs);
    shape.back() = dims(rhs).back();
    return MatmulOp::create(*this, loc,
                            makeTensorType(shape, type(lhs).getElementType()),
                            lhs, rhs);
  }
  Value unary(UnaryKind kind, Value value) {
    return UnaryOp::create(*this, loc, value.getType(),
                           UnaryKindAttr::get(getContext(), kind), value);
  }
  /// Mean over the last dimension, which becomes 1.
  Value rowMean(Value value) {
    SmallVector<DimExpr> shape = dims(value);
    int64_t axis = shape.size() - 1;
    shape.back() = DimExpr(1);
    return ReduceOp::create(*this, loc,
                            makeTensorType(shape, type(value).getElementType()),
                            ReduceKindAttr::get(getContext(), ReduceKind::Mean),
                            getDenseI64ArrayAttr({axis}), getUnitAttr(), value);
  }
  Value reduce(ReduceKind kind, Value value, int64_t axis) {
    SmallVector<DimExpr> shape = dims(value);
    shape.erase(shape.begin() + axis);
    return ReduceOp::create(*this, loc,
                            makeTensorType(shape, type(value).getElementType()),
                            ReduceKindAttr::get(getContext(), kind),
                            getDenseI64ArrayAttr({axis}), UnitAttr(), value);
  }
  /// A keep mask of any element type as i1.
  Value keep(Value mask) {
    if (type(mask).getElementType().isInteger(1))
      return mask;
    auto flags = makeTensorType(dims(mask), getI1Type());
    return BinaryOp::create(*this, loc, flags,
                            BinaryKindAttr::get(getContext(), BinaryKind::Ne),
                            mask, constant(type(mask).getElementType(), 0));
  }
};

} // namespace

void plmc::maskToBias(AttentionOp op) {
  if (!op.getMask())
    return;
  if (op.getMaskInBias()) {
    op.getMaskMutable().clear();
    return op.setMaskInBias(false);
  }
  TensorBuilder b(op);
  Type element = b.type(op.getQuery()).getElementType();
  SmallVector<DimExpr> mask = b.dims(op.getMask());
  SmallVector<DimExpr> shape{mask[0], DimExpr(1), DimExpr(1), mask[1]};
  Value keep = b.reshape(b.keep(op.getMask()), shape);
  auto dense = [&](ArrayRef<DimExpr> dims) {
    return makeTensorType(dims, element);
  };
  if (op.getBias()) {
    // Each dimension that either has.
    for (auto [dim, other] : llvm::zip(shape, b.dims(op.getBias())))
      if (dim.isConstant(1))
        dim = other;
  }
  Value kept = op.getBias() ? op.getBias() : b.constant(element, 0);
  Value bias = SelectOp::create(
      b, b.loc, dense(shape), keep, kept,
      b.constant(element, -std::numeric_limits<double>::infinity()));
  op.getMaskMutable().clear();
  op.getBiasMutable().assign(bias);
}

void plmc::decompose(AttentionOp op) {
  TensorBuilder b(op);
  Type element = b.type(op.getQuery()).getElementType();
  int64_t heads = op.getNumHeads();
  auto split = [&](Value value, ArrayRef<int64_t> permutation) {
    SmallVector<DimExpr> shape = b.dims(value);
    int64_t width = *shape.back().constant();
    shape.back() = DimExpr(heads);
    shape.push_back(DimExpr(width / heads));
    return b.transpose(b.reshape(value, shape), permutation);
  };
  Value query = split(op.getQuery(), {0, 2, 1, 3});
  Value key = split(op.getKey(), {0, 2, 3, 1});
  Value value = split(op.getValue(), {0, 2, 1, 3});
  Value scores = b.matmul(query, key);
  scores =
      b.binary(BinaryKind::Mul, scores,
               b.constant(element, op.getScale().convertToDouble()), scores);
  maskToBias(op);
  if (op.getBias())
    scores = b.binary(BinaryKind::Add, scores, op.getBias(), scores);
  Value weights = SoftmaxOp::create(b, b.loc, scores.getType(),
                                    b.getI64IntegerAttr(3), scores);
  if (op.getBias()) { // a row of -inf is NaN now, and gives 0
    Value empty = UnaryOp::create(
        b, b.loc, makeTensorType(b.dims(weights), b.getI1Type()),
        UnaryKindAttr::get(b.getContext(), UnaryKind::IsNaN), weights);
    weights = b.select(empty, b.constant(element, 0), weights, weights);
  }
  Value merged = b.transpose(b.matmul(weights, value), {0, 2, 1, 3});
  op.replaceAllUsesWith(b.reshape(merged, getDims(op.getType())));
  op.erase();
}

void plmc::decompose(LinearOp op) {
  TensorBuilder b(op);
  Value input = op.getInput(), weight = op.getWeight();
  if (op.getTransposed())
    weight = b.transpose(weight, {1, 0});
  SmallVector<DimExpr> shape = b.dims(input);
  if (shape.size() == 1) // a vector is a row
    input = b.reshape(input, {DimExpr(1), shape[0]});
  Value result = b.matmul(input, weight);
  if (shape.size() == 1)
    result = b.reshape(result, {b.dims(result).back()});
  if (op.getBias())
    result = b.binary(BinaryKind::Add, result, op.getBias(), result);
  op.replaceAllUsesWith(result);
  op.erase();
}

void plmc::decompose(LayerNormOp op) {
  TensorBuilder b(op);
  Value x = op.getInput();
  Type element = b.type(x).getElementType();
  Value centred = b.binary(BinaryKind::Sub, x, b.rowMean(x), x);
  Value variance =
      b.rowMean(b.binary(BinaryKind::Mul, centred, centred, centred));
  Value shifted = b.binary(
      BinaryKind::Add, variance,
      b.constant(element, op.getEpsilon().convertToDouble()), variance);
  Value scale = b.unary(UnaryKind::Rsqrt, shifted);
  Value result = b.binary(BinaryKind::Mul, centred, scale, centred);
  result = b.binary(BinaryKind::Mul, result, op.getGamma(), result);
  if (op.getBeta())
    result = b.binary(BinaryKind::Add, result, op.getBeta(), result);
  op.replaceAllUsesWith(result);
  op.erase();
}

void plmc::decompose(PoolOp op) {
  TensorBuilder b(op);
  Value input = op.getInput();
  Type element = b.type(input).getElementType();
  SmallVector<DimExpr> dims = b.dims(input);
  Value result;
  if (op.getKind() == PoolKind::First) {
    SmallVector<DimExpr> window{dims[0], 1, dims[2]};
    Value first = SliceOp::create(b, b.loc, makeTensorType(window, element),
                                  b.getStrArrayAttr({"0", "0", "0"}),
                                  b.getDenseI64ArrayAttr({1, 1, 1}), input);
    result = b.reshape(first, {dims[0], dims[2]});
  } else if (!op.getMask()) {
    result = b.reduce(op.getKind() == PoolKind::Mean ? ReduceKind::Mean
                                                     : ReduceKind::Max,
                      input, 1);
  } else {
    Value keep = b.reshape(b.keep(op.getMask()), {dims[0], dims[1], 1});
    if (op.getKind() == PoolKind::Max) {
      result =
          b.reduce(ReduceKind::Max,
                   b.select(keep, input, b.constant(element, -1e9), input), 1);
    } else {
      Value weights =
          CastOp::create(b, b.loc, makeTensorType(b.dims(keep), element), keep);
      Value sum =
          b.reduce(ReduceKind::Sum,
                   b.select(keep, input, b.constant(element, 0), input), 1);
      Value count = b.reduce(ReduceKind::Sum, weights, 1);
      count = b.binary(BinaryKind::Max, count,
                       b.constant(element, op.getEpsilon().convertToDouble()),
                       count);
      result = b.binary(BinaryKind::Div, sum, count, sum);
    }
  }
  op.replaceAllUsesWith(result);
  op.erase();
}
