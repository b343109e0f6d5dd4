//===- Shape.cpp - Operations that move elements --------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Registry.h"
#include "Tensors.h"
#include "plmc/Dialect/PLM/PLM.h"
#include <cstring>

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::Twine;

namespace plmc::interp {

static Expected<HostTensor> evaluateReshape(const EvalContext &ctx) {
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResultLike(ctx.operand(0));
  if (!result)
    return result.takeError();
  if (result->data.size() != input.data.size())
    return ctx.error("cannot reshape " + shapeString(input.shape) + " to " +
                     shapeString(result->shape));
  result->data = input.data;
  return result;
}

static Expected<HostTensor> evaluateTranspose(const EvalContext &ctx) {
  const HostTensor &input = ctx.operand(0);
  ArrayRef<int64_t> permutation =
      llvm::cast<plm::TransposeOp>(ctx.op).getPermutation();
  Expected<HostTensor> result = ctx.allocateResultLike(ctx.operand(0));
  if (!result)
    return result.takeError();
  int64_t rank = input.rank();
  SmallVector<int64_t, 4> own = stridesOf(input.shape), shape, strides;
  SmallVector<bool> seen(rank, false);
  for (int64_t dim : permutation) {
    if (dim < 0 || dim >= rank || seen[dim])
      return ctx.error("not a permutation of the input's dimensions");
    seen[dim] = true;
    shape.push_back(input.shape[dim]);
    strides.push_back(own[dim]);
  }
  if (Error err = ctx.checkResultShape(*result, shape))
    return err;
  copyStrided(*result, input, strides, 0);
  return result;
}

static Expected<HostTensor> evaluateBroadcast(const EvalContext &ctx) {
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResultLike(ctx.operand(0));
  if (!result)
    return result.takeError();
  auto strides = broadcastStrides(input.shape, result->shape);
  if (!strides)
    return ctx.error("cannot broadcast " + shapeString(input.shape) + " to " +
                     shapeString(result->shape));
  copyStrided(*result, input, *strides, 0);
  return result;
}

static Expected<HostTensor> evaluateConcat(const EvalContext &ctx) {
  int64_t axis = llvm::cast<plm::ConcatOp>(ctx.op).getAxis();
  if (ctx.operands.empty())
    return ctx.error("needs an input");
  Expected<HostTensor> result = ctx.allocateResultLike(ctx.operand(0));
  if (!result)
    return result.takeError();
  SmallVector<int64_t, 4> shape(ctx.operand(0).shape);
  if (Error err = ctx.checkAxis(axis, shape.size()))
    return err;
  shape[axis] = 0;
  for (const HostTensor *input : ctx.operands) {
    if (input->dtype != result->dtype)
      return ctx.error("inputs differ in element type");
    SmallVector<int64_t, 4> expected = shape;
    if (input->rank() == static_cast<int64_t>(shape.size()))
      expected[axis] = input->shape[axis];
    if (input->shape != expected)
      return ctx.error("input of shape " + shapeString(input->shape) +
                       " does not fit the others beside axis " + Twine(axis));
    shape[axis] += input->shape[axis];
  }
  if (Error err = ctx.checkResultShape(*result, shape))
    return err;
  ArrayRef<int64_t> dims(shape);
  int64_t outer = countElements(dims.take_front(axis));
  size_t inner =
      countElements(dims.drop_front(axis + 1)) * dtypeSize(result->dtype);
  char *out = result->data.data();
  for (int64_t i = 0; i < outer; ++i)
    for (const HostTensor *input : ctx.operands) {
      size_t block = input->shape[axis] * inner;
      out = std::copy_n(input->data.data() + i * block, block, out);
    }
  return result;
}

static Expected<HostTensor> evaluateSlice(const EvalContext &ctx) {
  auto op = llvm::cast<plm::SliceOp>(ctx.op);
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResultLike(ctx.operand(0));
  if (!result)
    return result.takeError();
  int64_t rank = input.rank();
  ArrayRef<int64_t> steps = op.getSteps();
  if (result->rank() != rank || static_cast<int64_t>(steps.size()) != rank ||
      static_cast<int64_t>(op.getStarts().size()) != rank)
    return ctx.error("starts, steps and result must have the input's rank");
  SmallVector<int64_t, 4> strides = stridesOf(input.shape);
  int64_t offset = 0;
  for (int64_t dim = 0; dim < rank; ++dim) {
    auto text = llvm::dyn_cast<mlir::StringAttr>(op.getStarts()[dim]);
    Expected<int64_t> start = ctx.evaluate(text ? text.getValue() : "");
    if (!start)
      return start.takeError();
    if (result->shape[dim] == 0)
      continue;
    int64_t reach, last, size = input.shape[dim];
    if (llvm::MulOverflow(result->shape[dim] - 1, steps[dim], reach) ||
        llvm::AddOverflow(*start, reach, last) || *start < 0 ||
        *start >= size || last < 0 || last >= size)
      return ctx.error("dimension " + Twine(dim) + ": " +
                       Twine(result->shape[dim]) + " elements from " +
                       Twine(*start) + " in steps of " + Twine(steps[dim]) +
                       " leave the " + Twine(size) + " there are");
    offset += *start * strides[dim];
    // A single element has no step, whose product could overflow.
    strides[dim] = result->shape[dim] == 1 ? 0 : strides[dim] * steps[dim];
  }
  copyStrided(*result, input, strides, offset);
  return result;
}

static Expected<HostTensor> evaluateIota(const EvalContext &ctx) {
  auto op = llvm::cast<plm::IotaOp>(ctx.op);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  Expected<int64_t> start = ctx.evaluate(op.getStart());
  if (!start)
    return start.takeError();
  std::vector<int64_t> values(result->numElements());
  uint64_t step = op.getStep(), next = *start;
  for (int64_t &value : values) {
    value = next;
    next += step;
  }
  storeInts(*result, values);
  return result;
}

static Expected<HostTensor> evaluateShapeValue(const EvalContext &ctx) {
  auto exprs = llvm::cast<plm::ShapeValueOp>(ctx.op).getExprs();
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  std::vector<int64_t> values;
  for (mlir::Attribute attr : exprs) {
    auto text = llvm::dyn_cast<mlir::StringAttr>(attr);
    Expected<int64_t> value = ctx.evaluate(text ? text.getValue() : "");
    if (!value)
      return value.takeError();
    values.push_back(*value);
  }
  if (static_cast<int64_t>(values.size()) != result->numElements())
    return ctx.error("has " + Twine(values.size()) +
                     " expressions for a result of shape " +
                     shapeString(result->shape));
  storeInts(*result, values);
  return result;
}

void registerShape(EvaluatorTable &table) {
  table["plm.reshape"] = evaluateReshape;
  table["plm.transpose"] = evaluateTranspose;
  table["plm.broadcast"] = evaluateBroadcast;
  table["plm.concat"] = evaluateConcat;
  table["plm.slice"] = evaluateSlice;
  table["plm.iota"] = evaluateIota;
  table["plm.shape_value"] = evaluateShapeValue;
}

} // namespace plmc::interp
