//===- ColumnChoice.h - Which inputs of a layer can go ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRUNING_COLUMNCHOICE_H
#define PLMC_PASSES_PRUNING_COLUMNCHOICE_H

#include "plmc/Calibration/Matrix.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace plmc {

struct ColumnChoice {
  std::vector<int64_t> kept;   // columns, ascending
  Matrix weight;               // [N, K], 0 in the columns that went
  std::vector<double> damages; // of the blocks that went, in that order
};

/// What a layer loses with a block of its inputs. `weight` and `inverse` (of
/// the damped Hessian) hold the columns of the blocks that are `left` only, as
/// they are when the others are gone; a score of another kind, as one from
/// gradients, needs no more than their numbers.
using BlockScore = llvm::function_ref<std::vector<double>(
    const Matrix &weight, const Matrix &inverse, llvm::ArrayRef<int64_t> left)>;

/// Blocks of `size` neighbouring columns (a neuron: 1; a head: its width) go
/// until `keep` of them are left: always those of the least score, and the
/// others take over their part. Without a score, by Hassibi and Stork, "Second
/// order derivatives for network pruning: Optimal Brain Surgeon", 1993, on the
/// squared error of the layer's output, a block at a time (as in Frantar and
/// Alistarh, "Optimal Brain Compression", 2022): tr(W_P (H^-1_PP)^-1 W_P^T),
/// which for one column is |w_j|^2 / [H^-1]_jj. Of many, 1/64 at a time.
llvm::Expected<ColumnChoice> chooseColumns(const Matrix &weight,
                                           const Matrix &hessian, int64_t keep,
                                           double damping, int64_t size = 1,
                                           BlockScore score = {});

} // namespace plmc

#endif // PLMC_PASSES_PRUNING_COLUMNCHOICE_H
