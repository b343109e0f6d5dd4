//===- IndexValue.cpp - Integers that are affine in their position --------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexValue.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::recognition {
namespace {

using Result = std::optional<IndexValue>;

bool isInteger(Value value) {
  auto type = dyn_cast<IntegerType>(typeOf(value).getElementType());
  return type && type.getWidth() > 1;
}

class Analysis {
public:
  Result visit(Value value);

private:
  Result table(Value value);
  Result binary(BinaryOp op);
  Result reshape(ReshapeOp op);
  Result broadcast(BroadcastOp op);
  Result slice(SliceOp op);
  Result gather(GatherOp op);
  Result gatherElements(GatherElementsOp op);

  int depth = 0, visits = 0;
};

Result uniform(DimExpr base, int64_t rank) {
  return IndexValue{std::move(base), Dims(rank)};
}

/// A stored table: read, and checked against the steps that its first
/// elements suggest.
Result Analysis::table(Value value) {
  std::optional<HostTensor> tensor = weightValue(value);
  if (!tensor || !tensor->numElements())
    return std::nullopt;
  int64_t rank = tensor->rank();
  llvm::SmallVector<int64_t> steps(rank), strides(rank);
  int64_t stride = 1;
  for (int64_t dim = rank; dim-- > 0; stride *= tensor->shape[dim]) {
    strides[dim] = stride;
    if (tensor->shape[dim] > 1 &&
        __builtin_sub_overflow(tensor->getInt(stride), tensor->getInt(0),
                               &steps[dim]))
      return std::nullopt;
  }
  for (int64_t i = 0, e = tensor->numElements(); i < e; ++i) {
    int64_t expected = tensor->getInt(0);
    for (int64_t dim = 0; dim < rank; ++dim) {
      int64_t offset;
      if (__builtin_mul_overflow(
              steps[dim], i / strides[dim] % tensor->shape[dim], &offset) ||
          __builtin_add_overflow(expected, offset, &expected))
        return std::nullopt;
    }
    if (tensor->getInt(i) != expected)
      return std::nullopt;
  }
  IndexValue result{DimExpr(tensor->getInt(0)), {}};
  for (int64_t step : steps)
    result.steps.push_back(DimExpr(step));
  return result;
}

Result Analysis::binary(BinaryOp op) {
  int64_t rank = typeOf(op.getResult()).getRank();
  Result lhs = visit(op.getLhs()), rhs = visit(op.getRhs());
  if (!lhs || !rhs)
    return std::nullopt;
  IndexValue a{lhs->base, alignedSteps(*lhs, rank)};
  IndexValue b{rhs->base, alignedSteps(*rhs, rank)};
  IndexValue result = a;
  switch (op.getKind()) {
  case BinaryKind::Add:
    result.base = a.base + b.base;
    for (auto [step, other] : llvm::zip(result.steps, b.steps))
      step = step + other;
    return result;
  case BinaryKind::Sub:
    result.base = a.base - b.base;
    for (auto [step, other] : llvm::zip(result.steps, b.steps))
      step = step - other;
    return result;
  case BinaryKind::Mul:
    if (a.isUniform())
      std::swap(a, b);
    if (!b.isUniform())
      return std::nullopt;
    result.base = a.base * b.base;
    for (auto [step, other] : llvm::zip(result.steps, a.steps))
      step = other * b.base;
    return result;
  default:
    return std::nullopt;
  }
}

/// Dimensions of size 1 come and go; anything else only for uniform values.
Result Analysis::reshape(ReshapeOp op) {
  Result input = visit(op.getInput());
  if (!input)
    return std::nullopt;
  Dims from = dimsOf(op.getInput()), to = dimsOf(op.getResult());
  if (input->isUniform())
    return uniform(input->base, to.size());
  IndexValue result{input->base, Dims(to.size())};
  size_t at = 0;
  for (auto [index, dim] : llvm::enumerate(to)) {
    if (dim.isConstant(1))
      continue;
    while (at < from.size() && from[at].isConstant(1))
      ++at;
    if (at == from.size() || from[at] != dim)
      return std::nullopt;
    result.steps[index] = input->steps[at++];
  }
  return result;
}

Result Analysis::broadcast(BroadcastOp op) {
  Result input = visit(op.getInput());
  if (!input)
    return std::nullopt;
  Dims from = dimsOf(op.getInput());
  for (auto [step, dim] : llvm::zip(input->steps, from))
    if (dim.isConstant(1))
      step = DimExpr(0);
  int64_t rank = typeOf(op.getResult()).getRank();
  return IndexValue{input->base, alignedSteps(*input, rank)};
}

Result Analysis::slice(SliceOp op) {
  Result result = visit(op.getInput());
  if (!result)
    return std::nullopt;
  for (auto [index, start] : llvm::enumerate(op.getStarts())) {
    auto from = DimExpr::parse(cast<StringAttr>(start).getValue());
    if (!from)
      return std::nullopt;
    result->base = result->base + result->steps[index] * *from;
    result->steps[index] = result->steps[index] * DimExpr(op.getSteps()[index]);
  }
  return result;
}

/// Where negative indices count from the end, the value is another one.
bool mayIndex(const IndexValue &index) {
  return isNonNegative(index.base) && llvm::all_of(index.steps, isNonNegative);
}

Result Analysis::gather(GatherOp op) {
  Result data = visit(op.getData());
  if (!data)
    return std::nullopt;
  int64_t axis = op.getAxis(), rank = typeOf(op.getIndices()).getRank();
  DimExpr scale = data->steps[axis];
  Result index =
      scale.isConstant(0) ? uniform(DimExpr(0), rank) : visit(op.getIndices());
  if (!index || (!scale.isConstant(0) && !mayIndex(*index)))
    return std::nullopt;
  IndexValue result{data->base + scale * index->base, {}};
  result.steps.append(data->steps.begin(), data->steps.begin() + axis);
  for (const DimExpr &step : index->steps)
    result.steps.push_back(scale * step);
  result.steps.append(data->steps.begin() + axis + 1, data->steps.end());
  return result;
}

Result Analysis::gatherElements(GatherElementsOp op) {
  Result data = visit(op.getData());
  if (!data)
    return std::nullopt;
  int64_t axis = op.getAxis();
  DimExpr scale = data->steps[axis];
  data->steps[axis] = DimExpr(0);
  if (scale.isConstant(0))
    return data;
  Result index = visit(op.getIndices());
  if (!index || !mayIndex(*index))
    return std::nullopt;
  data->base = data->base + scale * index->base;
  for (auto [step, other] : llvm::zip(data->steps, index->steps))
    step = step + scale * other;
  return data;
}

Result Analysis::visit(Value value) {
  // Chains of shape arithmetic are short; a hostile file's need not be.
  if (depth > 64 || ++visits > 2048 || !isInteger(value) ||
      !value.getDefiningOp())
    return std::nullopt;
  ++depth;
  int64_t rank = typeOf(value).getRank();
  Result result =
      llvm::TypeSwitch<Operation *, Result>(value.getDefiningOp())
          .Case<GetParameterOp, ConstantOp>([&](auto) { return table(value); })
          .Case([&](IotaOp op) -> Result {
            auto start = DimExpr::parse(op.getStart());
            if (!start)
              return std::nullopt;
            return IndexValue{*start, {DimExpr(op.getStep())}};
          })
          .Case([&](ShapeValueOp op) -> Result {
            if (op.getExprs().size() != 1)
              return std::nullopt;
            auto expr =
                DimExpr::parse(cast<StringAttr>(op.getExprs()[0]).getValue());
            if (!expr)
              return std::nullopt;
            return uniform(*expr, rank);
          })
          .Case([&](CastOp op) -> Result {
            if (typeOf(value).getElementTypeBitWidth() < 32)
              return std::nullopt; // may wrap
            return visit(op.getInput());
          })
          .Case([&](BinaryOp op) { return binary(op); })
          .Case([&](ReshapeOp op) { return reshape(op); })
          .Case([&](BroadcastOp op) { return broadcast(op); })
          .Case([&](SliceOp op) { return slice(op); })
          .Case([&](GatherOp op) { return gather(op); })
          .Case([&](GatherElementsOp op) { return gatherElements(op); })
          .Case([&](TransposeOp op) -> Result {
            Result input = visit(op.getInput());
            if (!input)
              return std::nullopt;
            IndexValue result{input->base, {}};
            for (int64_t axis : op.getPermutation())
              result.steps.push_back(input->steps[axis]);
            return result;
          })
          .Default([](Operation *) { return std::nullopt; });
  --depth;
  if (result && (result->base.hasOverflow() ||
                 llvm::any_of(result->steps, [](const DimExpr &step) {
                   return step.hasOverflow();
                 })))
    return std::nullopt;
  return result;
}

} // namespace

Dims alignedSteps(const IndexValue &value, int64_t rank) {
  Dims steps(rank - value.steps.size());
  steps.append(value.steps.begin(), value.steps.end());
  return steps;
}

Result analyzeIndex(Value value) { return Analysis().visit(value); }

bool isNonNegative(const DimExpr &expr) {
  // With every symbol s = 1 + t, t >= 0: enough that no coefficient is
  // negative then.
  DimExpr shifted = expr.substitute([](llvm::StringRef name) {
    return std::optional<DimExpr>(DimExpr::symbol(name) + DimExpr(1));
  });
  return !shifted.hasOverflow() &&
         llvm::all_of(shifted.getTerms(),
                      [](const auto &term) { return term.second >= 0; });
}

} // namespace plmc::recognition
