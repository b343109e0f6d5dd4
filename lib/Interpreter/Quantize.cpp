//===- Quantize.cpp - quantize, dequantize --------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Unlike the other ops, the quotient x / scale is rounded to the input's type
// before it is rounded to an integer: that is what every runtime does, and
// where a quotient lies within a rounding error of k + 1/2 the two orders give
// integers that differ by one.
//
//===----------------------------------------------------------------------===//

#include "Registry.h"
#include "Tensors.h"
#include "plmc/Dialect/PLM/PLM.h"
#include <cmath>

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::Twine;

namespace plmc::interp {

namespace {
/// Scale and zero point of each element.
struct Affine {
  std::vector<double> scale, zeroPoint;
  int64_t inner = 1, count = 1; // elements that share one; how many there are
  int64_t block = 1, size = 1;  // neighbours along an axis of that size

  int64_t channel(int64_t element) const {
    if (size == 1)
      return element / inner % count;
    int64_t outer = element / inner / size;
    int64_t index = element / inner % size / block;
    return (outer * llvm::divideCeil(size, block) + index) * inner +
           element % inner;
  }
};
} // namespace

/// One scale for every `block` neighbours along the axis.
static Error setBlocks(const EvalContext &ctx, Affine &affine, int64_t axis,
                       int64_t block) {
  const HostTensor &input = ctx.operand(0), &scale = ctx.operand(1);
  if (Error err = ctx.checkAxis(axis, input.rank()))
    return err;
  SmallVector<int64_t, 4> expected(input.shape);
  expected[axis] = llvm::divideCeil(expected[axis], block);
  if (ArrayRef<int64_t>(scale.shape) != ArrayRef<int64_t>(expected))
    return ctx.error("scales of shape " + shapeString(scale.shape) +
                     " do not fit blocks of " + Twine(block));
  affine.inner =
      countElements(ArrayRef<int64_t>(input.shape).drop_front(axis + 1));
  affine.size = input.shape[axis];
  affine.block = block;
  return Error::success();
}

static Expected<Affine> affineOf(const EvalContext &ctx, int64_t axis,
                                 int64_t block = 0) {
  const HostTensor &input = ctx.operand(0), &scale = ctx.operand(1);
  Affine affine;
  affine.scale = toDoubles(scale);
  if (block > 0) {
    if (Error err = setBlocks(ctx, affine, axis, block))
      return std::move(err);
  } else if (scale.rank() > 1)
    return ctx.error("the scale has rank " + Twine(scale.rank()) +
                     ", expected 0 or 1");
  if (scale.rank() == 1) {
    if (Error err = ctx.checkAxis(axis, input.rank()))
      return std::move(err);
    if (scale.shape[0] != input.shape[axis])
      return ctx.error("there are " + Twine(scale.shape[0]) +
                       " scales for an axis of size " +
                       Twine(input.shape[axis]));
    affine.inner =
        countElements(ArrayRef<int64_t>(input.shape).drop_front(axis + 1));
    affine.count = scale.shape[0];
  }
  if (ctx.operands.size() < 3) {
    affine.zeroPoint.assign(affine.scale.size(), 0);
    return affine;
  }
  if (ctx.operand(2).shape != scale.shape)
    return ctx.error("scale has shape " + shapeString(scale.shape) +
                     ", the zero point " + shapeString(ctx.operand(2).shape));
  affine.zeroPoint = toDoubles(ctx.operand(2));
  return affine;
}

static Expected<HostTensor> evaluateQuantize(const EvalContext &ctx) {
  auto op = llvm::cast<plm::QuantizeOp>(ctx.op);
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (Error err = ctx.checkResultShape(*result, input.shape))
    return err;
  Expected<Affine> affine = affineOf(ctx, op.getAxis());
  if (!affine)
    return affine.takeError();
  std::vector<double> values = toDoubles(input);
  for (auto [index, value] : llvm::enumerate(values)) {
    int64_t channel = affine->channel(index);
    double scale = affine->scale[channel];
    double quotient = input.dtype == DType::F64
                          ? value / scale
                          : double(float(value) / float(scale));
    // nearbyint: half to even in the default rounding mode.
    value = std::nearbyint(quotient) + affine->zeroPoint[channel];
  }
  storeDoubles(*result, values); // saturates
  return result;
}

static Expected<HostTensor> evaluateDequantize(const EvalContext &ctx) {
  auto op = llvm::cast<plm::DequantizeOp>(ctx.op);
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (Error err = ctx.checkResultShape(*result, input.shape))
    return err;
  Expected<Affine> affine = affineOf(ctx, op.getAxis(), op.getBlockSize());
  if (!affine)
    return affine.takeError();
  std::vector<double> values = toDoubles(input);
  for (auto [index, value] : llvm::enumerate(values)) {
    int64_t channel = affine->channel(index);
    value = (value - affine->zeroPoint[channel]) * affine->scale[channel];
  }
  storeDoubles(*result, values);
  return result;
}

void registerQuantize(EvaluatorTable &table) {
  table["plm.quantize"] = evaluateQuantize;
  table["plm.dequantize"] = evaluateDequantize;
}

} // namespace plmc::interp
