//===- Layout.cpp - Where an axis lives in a tensor -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Layout.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::recognition {

Factors FactorTable::create(const DimExpr &size) {
  if (size.isConstant(1))
    return {};
  nodes.push_back({size});
  return {int(nodes.size()) - 1};
}

Layout FactorTable::fresh(llvm::ArrayRef<DimExpr> dims) {
  Layout layout;
  for (const DimExpr &dim : dims)
    layout.push_back(create(dim));
  return layout;
}

Factors FactorTable::resolve(llvm::ArrayRef<int> factors) const {
  Factors result;
  for (int factor : factors) {
    const Node &node = nodes[factor];
    if (node.first < 0)
      result.push_back(factor);
    else
      result.append(resolve({node.first, node.second}));
  }
  return result;
}

Layout FactorTable::resolve(const Layout &layout) const {
  Layout result;
  for (const Factors &factors : layout)
    result.push_back(resolve(factors));
  return result;
}

Factors FactorTable::flatten(const Layout &layout) const {
  Factors result;
  for (const Factors &factors : layout)
    result.append(resolve(factors));
  return result;
}

DimExpr FactorTable::product(llvm::ArrayRef<int> factors) const {
  DimExpr result(1);
  for (int factor : factors)
    result = result * size(factor);
  return result;
}

std::optional<Layout> FactorTable::regroup(const Layout &layout,
                                           llvm::ArrayRef<DimExpr> dims) {
  Factors queue = flatten(layout);
  std::reverse(queue.begin(), queue.end()); // a stack: next factor at the back
  Layout result;
  for (const DimExpr &dim : dims) {
    Factors taken;
    DimExpr left = dim;
    while (!left.isConstant(1)) {
      if (queue.empty())
        return std::nullopt;
      int factor = queue.pop_back_val();
      DimExpr have = size(factor);
      if (std::optional<DimExpr> rest = left.divideExactly(have)) {
        taken.push_back(factor);
        left = *rest;
        continue;
      }
      std::optional<DimExpr> rest = have.divideExactly(left);
      if (!rest)
        return std::nullopt;
      int first = create(left)[0], second = create(*rest)[0];
      nodes[factor].first = first;
      nodes[factor].second = second;
      taken.push_back(first);
      queue.push_back(second);
      left = DimExpr(1);
    }
    result.push_back(taken);
  }
  if (!queue.empty())
    return std::nullopt;
  return result;
}

std::optional<Layout> FactorTable::operandLayout(Operation *op,
                                                 const Layout &result) {
  if (auto reshape = dyn_cast_if_present<ReshapeOp>(op))
    return regroup(result, dimsOf(reshape.getInput()));
  auto transpose = dyn_cast_if_present<TransposeOp>(op);
  if (!transpose)
    return std::nullopt;
  Layout operand(result.size());
  for (auto [index, axis] : llvm::enumerate(transpose.getPermutation()))
    operand[axis] = result[index];
  return operand;
}

std::optional<Layout> FactorTable::resultLayout(Operation *op,
                                                const Layout &operand) {
  if (auto reshape = dyn_cast_if_present<ReshapeOp>(op))
    return regroup(operand, dimsOf(reshape.getResult()));
  auto transpose = dyn_cast_if_present<TransposeOp>(op);
  if (!transpose)
    return std::nullopt;
  Layout result;
  for (int64_t axis : transpose.getPermutation())
    result.push_back(operand[axis]);
  return result;
}

/// Cuts `from` into runs that stay together in `to`.
static llvm::SmallVector<llvm::ArrayRef<int>> runs(llvm::ArrayRef<int> from,
                                                   llvm::ArrayRef<int> to) {
  llvm::SmallVector<llvm::ArrayRef<int>> result;
  for (size_t begin = 0, end; begin < from.size(); begin = end) {
    const int *at = llvm::find(to, from[begin]);
    for (end = begin + 1; end < from.size(); ++end)
      if (at + (end - begin) == to.end() || at[end - begin] != from[end])
        break;
    result.push_back(from.slice(begin, end - begin));
  }
  return result;
}

Value buildView(OpBuilder &builder, Location loc, Value source,
                const FactorTable &table, llvm::ArrayRef<int> from,
                llvm::ArrayRef<int> to, llvm::ArrayRef<DimExpr> dims) {
  if (from == to)
    return reshapeTo(builder, loc, source, dims);
  llvm::SmallVector<llvm::ArrayRef<int>> pieces = runs(from, to);
  Dims split, moved;
  llvm::SmallVector<int64_t> permutation;
  for (llvm::ArrayRef<int> piece : pieces)
    split.push_back(table.product(piece));
  for (int factor : to)
    for (auto [index, piece] : llvm::enumerate(pieces))
      if (piece.front() == factor) {
        permutation.push_back(index);
        moved.push_back(split[index]);
      }
  Value view = reshapeTo(builder, loc, source, split);
  view = TransposeOp::create(
      builder, loc, makeTensorType(moved, typeOf(source).getElementType()),
      permutation, view);
  return reshapeTo(builder, loc, view, dims);
}

} // namespace plmc::recognition
