//===- L2Normalize.cpp - x / max(|x|, epsilon) ----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Passes.h"
#include "RowFunction.h"
#include <cmath>

using namespace mlir;
using namespace plmc::plm;

namespace plmc::recognition {

static bool isL2(const RowFunction &function, double epsilon) {
  if (!function.parameters().empty())
    return false;
  for (const Row &x :
       {randomRow(function.width(), 1, 1),
        randomRow(function.width(), 2, 50, 9),
        randomRow(function.width(), 3,
                  (epsilon > 0 ? epsilon : 1e-6) / function.width()),
        Row(function.width(), 0.0)}) {
    double square = 0;
    for (double v : x)
      square += v * v;
    // 0 / 0 is NaN on both sides.
    if (epsilon == 0 && square == 0)
      continue;
    Row expected = x;
    for (double &v : expected)
      v /= std::max(std::sqrt(square), epsilon);
    if (!(rowDifference(function.evaluate(x), expected) < 1e-8))
      return false;
  }
  return true;
}

bool recognizeL2Normalize(ReduceOp anchor) {
  Value input = anchor.getInput();
  llvm::SmallVector<Value> inputs{input};
  inputs.append(inputCandidates(input, 2));
  llvm::SmallVector<Value> results =
      resultCandidates(anchor.getResult(), dimsOf(input), 6);
  for (Value result : llvm::reverse(results))
    for (Value candidate : inputs) {
      std::optional<RowFunction> function =
          RowFunction::build(result, candidate);
      if (!function || result.use_empty())
        continue;
      llvm::SmallVector<double> epsilons;
      for (double scalar : function->scalars())
        if (scalar > 0 && scalar < 1)
          epsilons.append({scalar, std::sqrt(scalar)});
      epsilons.push_back(0);
      for (double epsilon : epsilons) {
        if (!isL2(*function, epsilon))
          continue;
        OpBuilder builder(result.getDefiningOp());
        result.replaceAllUsesWith(
            L2NormalizeOp::create(builder, result.getLoc(), result.getType(),
                                  candidate, builder.getF64FloatAttr(epsilon)));
        return true;
      }
    }
  return false;
}

} // namespace plmc::recognition
