//===- RowMath.h - Arithmetic on rows ---------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Double precision, for RowFunction.h and what it is compared with.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_ROWMATH_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_ROWMATH_H

#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Interpreter/Scalar.h"
#include <vector>

namespace plmc::recognition {

/// One number a row (size 1) or one an element (size of the row).
using Row = std::vector<double>;

/// NaN for kinds that no pattern of ours contains.
double reduceRow(plm::ReduceKind kind, const Row &row);

/// Deterministic pseudo-random rows: numbers of the given spread around
/// `shift`.
Row randomRow(int64_t width, unsigned seed, double spread, double shift = 0);
/// max |a - b| relative to max |b| (1 if that is 0); infinity when sizes
/// differ or anything is NaN.
double rowDifference(const Row &a, const Row &b);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_ROWMATH_H
