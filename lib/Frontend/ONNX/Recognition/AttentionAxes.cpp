//===- AttentionAxes.cpp - Which axes are batch and heads -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionAxes.h"

using llvm::Expected;

namespace plmc::recognition {

/// The factors of `outer` before and behind the sequence in `origin`.
static std::pair<Factors, Factors> splitByOrigin(const FactorTable &table,
                                                 const Factors &outer,
                                                 const Factors &sequence,
                                                 const Layout &origin) {
  Factors before, after;
  bool passed = false;
  for (int factor : table.flatten(origin)) {
    passed |= llvm::is_contained(sequence, factor);
    if (llvm::is_contained(outer, factor))
      (passed ? after : before).push_back(factor);
  }
  return {before, after};
}

/// A constant or one dimension: nothing that has heads multiplied in.
static bool isPlain(const DimExpr &size) {
  return size.isConstant() ||
         (size.getTerms().size() == 1 && size.getTerms().begin()->second == 1);
}

Expected<AttentionAxes> chooseAttentionAxes(const FactorTable &table,
                                            const Layout &softmax,
                                            const Layout &queryOrigin,
                                            const Layout &keyOrigin) {
  AttentionAxes axes;
  size_t rank = softmax.size();
  axes.query = table.resolve(softmax[rank - 2]);
  axes.key = table.resolve(softmax[rank - 1]);
  Factors outer;
  for (size_t dim = 0; dim + 2 < rank; ++dim)
    outer.append(table.resolve(softmax[dim]));

  auto [before, after] = splitByOrigin(table, outer, axes.query, queryOrigin);
  if (after.empty())
    std::tie(before, after) = splitByOrigin(table, outer, axes.key, keyOrigin);
  // With everything behind the sequence ([sequence, batch, heads, features])
  // the origin does not tell batch from heads.
  bool told = !after.empty() && !(before.empty() && after.size() >= 2);
  if (told) {
    axes.batch = before;
    axes.heads = after;
  } else if (rank == 4) {
    axes.batch = table.resolve(softmax[0]);
    axes.heads = table.resolve(softmax[1]);
  } else if (!after.empty()) {
    axes.heads = {after.pop_back_val()};
    axes.batch = after;
  } else {
    DimExpr size = table.product(outer);
    if (!isPlain(size))
      return llvm::createStringError("heads and batch are one dimension that "
                                     "is never split (" +
                                     size.str() + ")");
    axes.batch = outer; // one head
  }
  DimExpr heads = table.product(axes.heads);
  if (!heads.isConstant())
    return llvm::createStringError("the number of heads is not constant (" +
                                   heads.str() + ")");
  return axes;
}

} // namespace plmc::recognition
