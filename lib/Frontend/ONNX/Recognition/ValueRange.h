//===- ValueRange.h - Bounds of numbers in a graph --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// May these ids be negative? ONNX counts a negative index from the end;
// plm.embedding refuses it. So computed ids (RoBERTa counts the tokens that are
// no padding) become an embedding only if no run makes them negative. Interval
// arithmetic over the expression answers that, under one assumption that holds
// for every model of ours: integers that come in (ids, masks, token types) are
// not negative. Where a caller breaks it, the run is refused, never wrong.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_VALUERANGE_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_VALUERANGE_H

#include "Match.h"

namespace plmc::recognition {

/// Every element is in [low, high]; infinite where nothing is known.
struct NumberRange {
  double low, high;
};

/// Of the elements of a tensor of numbers or booleans; never NaN.
NumberRange rangeOf(mlir::Value value);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_VALUERANGE_H
