//===- IndexValue.h - Integers that are affine in their position --*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Position ids, token types and the index arithmetic of masks are integers
// that no input influences: a slice of a stored 0..511, a Range, a Gather of
// zeros, all of them expanded, reshaped and cast. In every such graph that
// means something to us, element i0,i1,... equals
//
//     base + c0*i0 + c1*i1 + ...
//
// with `base` and `c` polynomials over the model's dimensions. This analysis
// finds that form or gives up; stored tables are read and checked element by
// element. It decides what an embedding's ids are (0..S-1, a constant, or
// neither), and whether a comparison of positions has one outcome.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_INDEXVALUE_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_INDEXVALUE_H

#include "Match.h"

namespace plmc::recognition {

struct IndexValue {
  DimExpr base;
  Dims steps; // one a dimension; 0 where the value does not depend on it

  bool isUniform() const {
    return llvm::all_of(steps,
                        [](const DimExpr &step) { return step.isConstant(0); });
  }
};

std::optional<IndexValue> analyzeIndex(mlir::Value value);

/// The steps of an operand along the dimensions of a broadcast result.
Dims alignedSteps(const IndexValue &value, int64_t rank);

/// True when the polynomial is >= 0 for all dimensions >= 1. Sufficient, not
/// necessary: false means "not proven".
bool isNonNegative(const DimExpr &expr);

/// The outcome of comparing the two, when it is the same at every position
/// and for all dimensions >= 1.
std::optional<bool> decideComparison(plm::BinaryOp op);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_INDEXVALUE_H
