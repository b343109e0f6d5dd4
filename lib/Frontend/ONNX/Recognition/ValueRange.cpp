//===- ValueRange.cpp - Bounds of numbers in a graph ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ValueRange.h"
#include "IndexValue.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace plmc::plm;

namespace plmc::recognition {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr NumberRange anything{-infinity, infinity};
constexpr NumberRange natural{0, infinity};
constexpr NumberRange truth{0, 1};
/// Beyond this an integer may have wrapped.
constexpr double trusted = 9e15;

NumberRange join(NumberRange a, NumberRange b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high)};
}

class Ranges {
public:
  NumberRange visit(Value value);

private:
  NumberRange compute(Value value);
  NumberRange stored(Value value);
  NumberRange unary(UnaryOp op);
  NumberRange binary(BinaryOp op);
  NumberRange reduce(ReduceOp op);

  llvm::DenseMap<Value, NumberRange> known;
  int depth = 0;
};

NumberRange Ranges::stored(Value value) {
  std::optional<HostTensor> tensor = weightValue(value);
  if (!tensor || !tensor->numElements())
    return anything;
  NumberRange range{infinity, -infinity};
  for (int64_t i = 0, e = tensor->numElements(); i < e; ++i) {
    double number = tensor->getDouble(i);
    if (std::isnan(number))
      return anything;
    range = join(range, {number, number});
  }
  return range;
}

NumberRange Ranges::unary(UnaryOp op) {
  NumberRange x = visit(op.getInput());
  switch (op.getKind()) {
  case UnaryKind::Neg:
    return {-x.high, -x.low};
  case UnaryKind::Abs:
    return natural;
  case UnaryKind::Not:
  case UnaryKind::IsNaN:
  case UnaryKind::IsInf:
    return truth;
  case UnaryKind::Floor:
  case UnaryKind::Ceil:
  case UnaryKind::Round:
    return {std::floor(x.low), std::ceil(x.high)};
  default:
    return anything;
  }
}

NumberRange Ranges::binary(BinaryOp op) {
  NumberRange a = visit(op.getLhs()), b = visit(op.getRhs());
  switch (op.getKind()) {
  case BinaryKind::Add:
    return {a.low + b.low, a.high + b.high};
  case BinaryKind::Sub:
    return {a.low - b.high, a.high - b.low};
  case BinaryKind::Mul:
    // 0 * infinity gives NaN, which `visit` takes for nothing known.
    if (a.low >= 0 && b.low >= 0)
      return {a.low * b.low, infinity};
    return {std::min({a.low * b.low, a.low * b.high, a.high * b.low,
                      a.high * b.high}),
            std::max({a.low * b.low, a.low * b.high, a.high * b.low,
                      a.high * b.high})};
  case BinaryKind::Div:
    return a.low >= 0 && b.low > 0 ? natural : anything;
  case BinaryKind::Mod:
    // The sign of the divisor for integers, of the dividend for floats.
    return b.low >= 0 && a.low >= 0 ? natural : anything;
  case BinaryKind::Min:
    return {std::min(a.low, b.low), std::min(a.high, b.high)};
  case BinaryKind::Max:
    return {std::max(a.low, b.low), std::max(a.high, b.high)};
  default:
    return typeOf(op.getResult()).getElementType().isInteger(1) ? truth
                                                                : anything;
  }
}

NumberRange Ranges::reduce(ReduceOp op) {
  NumberRange x = visit(op.getInput());
  switch (op.getKind()) {
  case ReduceKind::Max:
  case ReduceKind::Min:
  case ReduceKind::Mean:
    return x;
  case ReduceKind::Sum:
    return x.low >= 0 ? natural : anything;
  default:
    return anything;
  }
}

NumberRange Ranges::compute(Value value) {
  Operation *op = value.getDefiningOp();
  Type element = typeOf(value).getElementType();
  if (element.isInteger(1))
    return truth;
  if (!op)
    return isa<IntegerType>(element) ? natural : anything;
  if (isWeight(value))
    return stored(value);
  return llvm::TypeSwitch<Operation *, NumberRange>(op)
      .Case([&](UnaryOp unaryOp) { return unary(unaryOp); })
      .Case([&](BinaryOp binaryOp) { return binary(binaryOp); })
      .Case([&](ReduceOp reduceOp) { return reduce(reduceOp); })
      .Case([&](SelectOp select) {
        return join(visit(select.getOnTrue()), visit(select.getOnFalse()));
      })
      .Case([&](CastOp cast) {
        NumberRange x = visit(cast.getInput());
        auto from =
            dyn_cast<IntegerType>(typeOf(cast.getInput()).getElementType());
        auto to = dyn_cast<IntegerType>(element);
        // Ids fit 32 bits; anything narrower may wrap.
        if (to && to.getWidth() < 32 &&
            !(from && from.getWidth() <= to.getWidth()))
          return anything;
        return x;
      })
      .Case<ReshapeOp, TransposeOp, BroadcastOp, SliceOp, GatherOp,
            GatherElementsOp, GatherNDOp>(
          [&](Operation *view) { return visit(view->getOperand(0)); })
      .Case([&](ConcatOp concat) {
        NumberRange range{infinity, -infinity};
        for (Value input : concat.getInputs())
          range = join(range, visit(input));
        return range;
      })
      .Case([&](CumSumOp sum) {
        return visit(sum.getInput()).low >= 0 ? natural : anything;
      })
      .Case([&](IotaOp iota) {
        auto start = DimExpr::parse(iota.getStart());
        return start && isNonNegative(*start) && iota.getStep() >= 0 ? natural
                                                                     : anything;
      })
      .Case([&](ShapeValueOp shape) {
        for (Attribute text : shape.getExprs()) {
          auto expr = DimExpr::parse(cast<StringAttr>(text).getValue());
          if (!expr || !isNonNegative(*expr))
            return anything;
        }
        return natural;
      })
      .Case([&](ArgReduceOp) { return natural; })
      .Default([](Operation *) { return anything; });
}

NumberRange Ranges::visit(Value value) {
  auto found = known.find(value);
  if (found != known.end())
    return found->second;
  // Expressions of ids are small; a hostile file's need not be.
  if (depth > 64 || known.size() > 1024)
    return anything;
  ++depth;
  NumberRange range = compute(value);
  --depth;
  if (std::isnan(range.low) || range.low < -trusted)
    range.low = -infinity;
  if (std::isnan(range.high) || range.high > trusted)
    range.high = infinity;
  known[value] = range;
  return range;
}

} // namespace

NumberRange rangeOf(Value value) { return Ranges().visit(value); }

} // namespace plmc::recognition
