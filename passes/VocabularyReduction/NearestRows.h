//===- NearestRows.h - A kept row for each row ------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_NEARESTROWS_H
#define PLMC_PASSES_VOCABULARYREDUCTION_NEARESTROWS_H

#include "plmc/Calibration/Gemm.h"

namespace plmc {

enum class RowDistance { Euclidean, Cosine };

/// For each row of `table` the place in `kept` (ids, sorted) of the row that is
/// nearest: its own, if it is kept; of equals the first.
llvm::Expected<std::vector<int32_t>> nearestRows(Gemm &gemm,
                                                 const Matrix &table,
                                                 llvm::ArrayRef<int32_t> kept,
                                                 RowDistance distance);

} // namespace plmc

#endif // PLMC_PASSES_VOCABULARYREDUCTION_NEARESTROWS_H
