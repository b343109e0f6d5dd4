//===- BuildQuantize.cpp - quantize and dequantize ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphBuilder.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::importer {

bool isQuantizedWeight(const LiteralPtr &literal) {
  return literal &&
         (literal->dtype == DType::I8 || literal->dtype == DType::U8) &&
         llvm::count_if(literal->shape, [](int64_t n) { return n > 1; }) >= 2;
}

/// A scale or zero point as plm wants it: a scalar, or one a slice of `axis`.
static Tensor affineOperand(GraphBuilder &b, const Tensor &operand,
                            const DimExpr &along, llvm::StringRef what) {
  if (!operand || operand.rank() == 0)
    return operand;
  if (operand.numElements() == 1)
    return b.reshape(operand, {});
  if (operand.rank() != 1)
    return b.unsupported("blocked quantization: the " + what + " has rank " +
                         llvm::Twine(operand.rank()) +
                         ", plmc takes one a tensor or one a channel");
  return b.requireEqual(operand.dim(0), along,
                        "the " + what + " and the axis it lies along")
             ? operand
             : Tensor();
}

Tensor GraphBuilder::affine(const Tensor &x, Tensor scale, Tensor zeroPoint,
                            int64_t axis, DType resultType, bool quantizes) {
  if (!x || !scale || hasFailed())
    return Tensor();
  bool hasZero = bool(zeroPoint);
  if (axis < 0)
    axis += x.rank();
  DimExpr along = axis >= 0 && axis < x.rank() ? x.dim(axis) : DimExpr(1);
  scale = affineOperand(*this, scale, along, "scale");
  zeroPoint = affineOperand(*this, zeroPoint, along, "zero point");
  if (!scale || (hasZero && !zeroPoint))
    return Tensor();
  // One number for all slices may meet one a slice.
  if (hasZero && scale.rank() != zeroPoint.rank()) {
    Tensor &scalar = scale.rank() ? zeroPoint : scale;
    scalar = broadcastTo(scalar, {along});
  }
  if (scale.rank() && !checkAxis(axis, x.rank()))
    return Tensor();
  axis = scale.rank() ? axis : 0;
  SmallVector<Tensor, 3> operands = {x, scale};
  if (hasZero)
    operands.push_back(zeroPoint);
  bool isWeight = !quantizes && isQuantizedWeight(x.literal());
  return emit(
      operands, resultType, x.dims(), /*mayFold=*/!isWeight,
      [&](OpBuilder &b, Location loc, RankedTensorType type,
          ValueRange v) -> Operation * {
        Value zero = v.size() > 2 ? v[2] : Value();
        if (quantizes)
          return QuantizeOp::create(b, loc, type, v[0], v[1], zero, axis);
        return DequantizeOp::create(b, loc, type, v[0], v[1], zero, axis);
      });
}

Tensor GraphBuilder::quantize(const Tensor &x, const Tensor &scale,
                              const Tensor &zeroPoint, int64_t axis,
                              DType resultType) {
  return affine(x, scale, zeroPoint, axis, resultType, /*quantizes=*/true);
}

Tensor GraphBuilder::dequantize(const Tensor &x, const Tensor &scale,
                                const Tensor &zeroPoint, int64_t axis) {
  return affine(x, scale, zeroPoint, axis, scale.dtype(),
                /*quantizes=*/false);
}

Tensor GraphBuilder::dequantizeBlocks(const Tensor &x, const Tensor &scale,
                                      const Tensor &zeroPoint, int64_t axis,
                                      int64_t block) {
  if (!x || !scale || hasFailed())
    return Tensor();
  if (axis < 0)
    axis += x.rank();
  if (!checkAxis(axis, x.rank()))
    return Tensor();
  if (block < 1)
    return fail("block_size is " + llvm::Twine(block));
  for (const Tensor *operand : {&scale, &zeroPoint}) {
    if (!*operand)
      continue;
    bool fits = operand->rank() == x.rank();
    for (int64_t i = 0; fits && i < x.rank(); ++i) {
      int64_t size = *x.dim(i).constant();
      if (i == axis)
        size = llvm::divideCeil(size, block);
      fits = operand->dim(i).isConstant(size);
    }
    if (!fits)
      return fail("the scales or zero points have not the shape of the blocks");
  }
  if (zeroPoint && zeroPoint.dtype() != x.dtype())
    return fail("the zero points have another element type than the values");
  // Read as [outer, along the axis, inner].
  HostTensor values = x.literal()->toHost(), scales = scale.literal()->toHost();
  HostTensor zeros = zeroPoint ? zeroPoint.literal()->toHost() : HostTensor();
  HostTensor result(scale.dtype(), values.shape);
  int64_t inner = 1, along = values.shape[axis];
  for (int64_t size : llvm::drop_begin(values.shape, axis + 1))
    inner *= size;
  int64_t blocks = llvm::divideCeil(along, block);
  for (int64_t i = 0; i < values.numElements(); ++i) {
    int64_t line = i / inner, outer = line / along;
    int64_t at = (outer * blocks + line % along / block) * inner + i % inner;
    double zero = zeroPoint ? zeros.getDouble(at) : 0;
    result.setDouble(i, (values.getDouble(i) - zero) * scales.getDouble(at));
  }
  return tensorFromLiteral(makeLiteral(std::move(result), x.literal()->name));
}

} // namespace plmc::importer
