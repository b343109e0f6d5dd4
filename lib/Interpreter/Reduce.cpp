//===- Reduce.cpp - reduce, softmax, cumsum -------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Registry.h"
#include "Tensors.h"
#include "plmc/Dialect/PLM/PLM.h"
#include <cmath>
#include <limits>

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::Twine;
using plmc::plm::ReduceKind;

namespace plmc::interp {

//===----------------------------------------------------------------------===//
// reduce
//===----------------------------------------------------------------------===//

static double reduceStart(ReduceKind kind) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  switch (kind) {
  case ReduceKind::Max:
    return -infinity;
  case ReduceKind::Min:
    return infinity;
  case ReduceKind::Prod:
    return 1;
  default:
    return 0;
  }
}

static double reduceStep(ReduceKind kind, double total, double x) {
  switch (kind) {
  case ReduceKind::Sum:
  case ReduceKind::Mean:
    return total + x;
  case ReduceKind::Max: // NaN wins
    return std::isnan(total) || total > x ? total : x;
  case ReduceKind::Min:
    return std::isnan(total) || total < x ? total : x;
  case ReduceKind::Prod:
    return total * x;
  case ReduceKind::L1:
    return total + std::fabs(x);
  case ReduceKind::L2:
  case ReduceKind::SumSquare:
    return total + x * x;
  }
  llvm_unreachable("reduce kind");
}

/// Wrapping; L2 is taken as the sum of squares.
static int64_t reduceStep(ReduceKind kind, int64_t total, int64_t x) {
  uint64_t a = total, b = x;
  switch (kind) {
  case ReduceKind::Sum:
  case ReduceKind::Mean:
    return a + b;
  case ReduceKind::Max:
    return std::max(total, x);
  case ReduceKind::Min:
    return std::min(total, x);
  case ReduceKind::Prod:
    return a * b;
  case ReduceKind::L1:
    return a + (x < 0 ? -b : b);
  case ReduceKind::L2:
  case ReduceKind::SumSquare:
    return a + b * b;
  }
  llvm_unreachable("reduce kind");
}

/// Folds the elements of each group; element i belongs to group groups[i].
template <typename T>
static std::vector<T> reduceGroups(ReduceKind kind, T start, int64_t numGroups,
                                   const std::vector<T> &values,
                                   const std::vector<int64_t> &groups) {
  std::vector<T> totals(numGroups, start);
  for (size_t i = 0; i < values.size(); ++i)
    totals[groups[i]] = reduceStep(kind, totals[groups[i]], values[i]);
  return totals;
}

static Expected<HostTensor> evaluateReduce(const EvalContext &ctx) {
  auto op = llvm::cast<plm::ReduceOp>(ctx.op);
  ReduceKind kind = op.getKind();
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  SmallVector<bool> reduced(input.rank(), false);
  int64_t groupSize = 1;
  for (int64_t axis : op.getAxes()) {
    if (Error err = ctx.checkAxis(axis, input.rank()))
      return err;
    if (!reduced[axis])
      groupSize *= input.shape[axis];
    reduced[axis] = true;
  }
  SmallVector<int64_t, 4> shape, kept(input.shape);
  for (int64_t dim = 0; dim < input.rank(); ++dim) {
    if (reduced[dim])
      kept[dim] = 1;
    if (!reduced[dim] || op.getKeepdims())
      shape.push_back(kept[dim]);
  }
  if (Error err = ctx.checkResultShape(*result, shape))
    return err;
  int64_t numGroups = result->numElements();
  std::vector<int64_t> groups;
  groups.reserve(input.numElements());
  forEachOffset(input.shape, *broadcastStrides(kept, input.shape), 0,
                [&](int64_t group) { groups.push_back(group); });

  if (isFloat(input.dtype)) {
    auto totals = reduceGroups(kind, reduceStart(kind), numGroups,
                               toDoubles(input), groups);
    for (double &total : totals) {
      if (kind == ReduceKind::Mean)
        total /= groupSize;
      else if (kind == ReduceKind::L2)
        total = std::sqrt(total);
    }
    storeDoubles(*result, totals);
    return result;
  }
  int64_t start = kind == ReduceKind::Max    ? minInt(input.dtype)
                  : kind == ReduceKind::Min  ? maxInt(input.dtype)
                  : kind == ReduceKind::Prod ? 1
                                             : 0;
  auto totals = reduceGroups(kind, start, numGroups, toInts(input), groups);
  if (kind == ReduceKind::Mean && groupSize == 0 && numGroups > 0)
    return ctx.error("mean of no integers");
  for (int64_t &total : totals) {
    if (kind == ReduceKind::Mean)
      total /= groupSize;
    else if (kind == ReduceKind::L2)
      total = std::sqrt(static_cast<double>(total));
  }
  storeInts(*result, totals);
  return result;
}

//===----------------------------------------------------------------------===//
// softmax, cumsum: along one axis
//===----------------------------------------------------------------------===//

/// How a tensor divides along an axis: element `i` of the line that starts at
/// `outer * size * stride + inner` lies i * stride further.
struct AxisView {
  int64_t outer, size, stride;

  AxisView(ArrayRef<int64_t> shape, int64_t axis)
      : outer(countElements(shape.take_front(axis))), size(shape[axis]),
        stride(countElements(shape.drop_front(axis + 1))) {}

  template <typename Visitor> void forEachLine(Visitor visit) const {
    for (int64_t i = 0; i < outer; ++i)
      for (int64_t j = 0; j < stride; ++j)
        visit(i * size * stride + j);
  }
};

static Expected<HostTensor> evaluateSoftmax(const EvalContext &ctx) {
  int64_t axis = llvm::cast<plm::SoftmaxOp>(ctx.op).getAxis();
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (Error err = ctx.checkAxis(axis, input.rank()))
    return err;
  if (Error err = ctx.checkResultShape(*result, input.shape))
    return err;
  std::vector<double> values = toDoubles(input);
  AxisView view(input.shape, axis);
  view.forEachLine([&](int64_t start) {
    double greatest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t i = 0; i < view.size; ++i)
      greatest = std::fmax(greatest, values[start + i * view.stride]);
    // A line of -inf alone gives exp(-inf + inf) = NaN, as ONNX says.
    for (int64_t i = 0; i < view.size; ++i) {
      double &value = values[start + i * view.stride];
      sum += value = std::exp(value - greatest);
    }
    for (int64_t i = 0; i < view.size; ++i)
      values[start + i * view.stride] /= sum;
  });
  storeDoubles(*result, values);
  return result;
}

static double plus(double a, double b) { return a + b; }
static int64_t plus(int64_t a, int64_t b) {
  return static_cast<uint64_t>(a) + static_cast<uint64_t>(b);
}

template <typename T>
static void runningSum(std::vector<T> &values, const AxisView &view,
                       bool exclusive, bool reverse) {
  view.forEachLine([&](int64_t start) {
    T sum = 0;
    for (int64_t i = 0; i < view.size; ++i) {
      int64_t position = reverse ? view.size - 1 - i : i;
      T &value = values[start + position * view.stride];
      T next = plus(sum, value);
      value = exclusive ? sum : next;
      sum = next;
    }
  });
}

static Expected<HostTensor> evaluateCumSum(const EvalContext &ctx) {
  auto op = llvm::cast<plm::CumSumOp>(ctx.op);
  int64_t axis = op.getAxis();
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (Error err = ctx.checkAxis(axis, input.rank()))
    return err;
  if (Error err = ctx.checkResultShape(*result, input.shape))
    return err;
  AxisView view(input.shape, axis);
  if (isFloat(input.dtype)) {
    std::vector<double> values = toDoubles(input);
    runningSum(values, view, op.getExclusive(), op.getReverse());
    storeDoubles(*result, values);
  } else {
    std::vector<int64_t> values = toInts(input);
    runningSum(values, view, op.getExclusive(), op.getReverse());
    storeInts(*result, values);
  }
  return result;
}

void registerReduce(EvaluatorTable &table) {
  table["plm.reduce"] = evaluateReduce;
  table["plm.softmax"] = evaluateSoftmax;
  table["plm.cumsum"] = evaluateCumSum;
}

} // namespace plmc::interp
