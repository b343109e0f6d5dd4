//===- CompareIndices.cpp - Comparisons with one outcome ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "IndexValue.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::recognition {

/// Bounds of a value over its positions; nullopt when a step's sign is open.
static std::optional<std::pair<DimExpr, DimExpr>>
rangeOf(const IndexValue &value, llvm::ArrayRef<DimExpr> dims) {
  DimExpr low = value.base, high = value.base;
  for (auto [step, dim] : llvm::zip_equal(value.steps, dims)) {
    DimExpr reach = step * (dim - DimExpr(1));
    if (isNonNegative(step))
      high = high + reach;
    else if (isNonNegative(step * DimExpr(-1)))
      low = low + reach;
    else
      return std::nullopt;
  }
  return std::pair(low, high);
}

std::optional<bool> decideComparison(BinaryOp op) {
  if (op.getKind() < BinaryKind::Eq)
    return std::nullopt;
  std::optional<IndexValue> lhs = analyzeIndex(op.getLhs());
  std::optional<IndexValue> rhs = analyzeIndex(op.getRhs());
  if (!lhs || !rhs)
    return std::nullopt;
  Dims dims = dimsOf(op.getResult());
  IndexValue difference{lhs->base - rhs->base, alignedSteps(*lhs, dims.size())};
  for (auto [step, other] :
       llvm::zip(difference.steps, alignedSteps(*rhs, dims.size())))
    step = step - other;
  auto range = rangeOf(difference, dims);
  if (!range)
    return std::nullopt;
  const DimExpr &low = range->first, &high = range->second;
  auto atLeast = [&](int64_t value) {
    return isNonNegative(low - DimExpr(value));
  };
  auto atMost = [&](int64_t value) {
    return isNonNegative(DimExpr(value) - high);
  };
  auto decide = [](bool yes, bool no) {
    return yes || no ? std::optional<bool>(yes) : std::nullopt;
  };
  switch (op.getKind()) {
  case BinaryKind::Ge:
    return decide(atLeast(0), atMost(-1));
  case BinaryKind::Gt:
    return decide(atLeast(1), atMost(0));
  case BinaryKind::Le:
    return decide(atMost(0), atLeast(1));
  case BinaryKind::Lt:
    return decide(atMost(-1), atLeast(0));
  case BinaryKind::Eq:
    return decide(atLeast(0) && atMost(0), atLeast(1) || atMost(-1));
  case BinaryKind::Ne:
    return decide(atLeast(1) || atMost(-1), atLeast(0) && atMost(0));
  default:
    return std::nullopt;
  }
}

} // namespace plmc::recognition
