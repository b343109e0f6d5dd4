//===- GPTQ.h - Rounding that makes up for itself ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_QUANTIZATION_GPTQ_H
#define PLMC_PASSES_QUANTIZATION_GPTQ_H

#include "WeightGrid.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace plmc {

/// A weight [N, K] on grids: one for each output, or for each `block` inputs of
/// each output.
struct RoundedWeight {
  std::vector<int8_t> codes;   // [N, K]
  std::vector<GridLine> lines; // [N, blocks]
  int64_t blocks = 1;
  Matrix values; // [N, K], what codes and lines stand for
};

/// Every weight to the nearest value of its grid.
RoundedWeight roundToNearest(const Matrix &weight, int64_t block,
                             const GridShape &shape);

/// Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative
/// Pre-trained Transformers", 2023: input by input, those of the largest
/// variance first; what rounding one costs the outputs is made up for by those
/// that follow. `hessian` [K, K] of the centred inputs. Grids are chosen
/// before, so that the order does not matter to them.
llvm::Expected<RoundedWeight> roundByGPTQ(const Matrix &weight,
                                          const Matrix &hessian, int64_t block,
                                          const GridShape &shape,
                                          double damping);

} // namespace plmc

#endif // PLMC_PASSES_QUANTIZATION_GPTQ_H
