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

} // namespace plmc::importer
