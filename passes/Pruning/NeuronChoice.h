//===- NeuronChoice.h - Which inputs of a layer can go ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRUNING_NEURONCHOICE_H
#define PLMC_PASSES_PRUNING_NEURONCHOICE_H

#include "plmc/Calibration/Matrix.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace plmc {

struct NeuronChoice {
  std::vector<int64_t> kept; // ascending
  Matrix weight;             // [N, K], 0 in the columns that went
};

/// Hassibi and Stork, "Second order derivatives for network pruning: Optimal
/// Brain Surgeon", 1993, on the squared error of a linear layer's output, a
/// column of the weight at a time (as in Frantar and Alistarh, "Optimal Brain
/// Compression", 2022): the column goes for which |w_j|^2 / [H^-1]_jj is least,
/// and the others take over its part. Some at a time.
llvm::Expected<NeuronChoice> chooseNeurons(const Matrix &weight,
                                           const Matrix &hessian, int64_t keep,
                                           double damping);

} // namespace plmc

#endif // PLMC_PASSES_PRUNING_NEURONCHOICE_H
