//===- TokenBatches.h - Token sequences as a model's inputs -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EVALUATION_TOKENBATCHES_H
#define PLMC_EVALUATION_TOKENBATCHES_H

#include "plmc/Calibration/CalibrationSet.h"
#include "plmc/Inputs/InputRoles.h"

namespace plmc {

/// Some sequences of similar length, padded to the longest.
struct TokenBatch {
  int64_t batch = 0, length = 0;
  std::vector<HostTensor> inputs; // in the model's order
  std::vector<uint8_t> keep;      // [batch * length], 0: padding
  std::vector<size_t> sequences;  // of each row, in the set
  int64_t used = 0;               // rows with a sequence; the others repeat one

  int64_t keptIn(int64_t row) const;
};

/// The whole set, about `tokensPerBatch` tokens at once. What an input is
/// follows from its role: words are the ids with the largest vocabulary; other
/// ids are token types or positions by their name. A model with a fixed batch
/// or length gets that; one without a mask no padding. Errors name the input
/// that cannot be made up, the sequence that is too long, or the id that is not
/// in the vocabulary.
llvm::Expected<std::vector<TokenBatch>>
makeTokenBatches(const InputRoles &roles, const CalibrationSet &set,
                 int64_t tokensPerBatch = 4096);

/// Errors as above for ids and lengths; none for inputs that cannot be made up.
llvm::Error checkTokens(const InputRoles &roles, const CalibrationSet &set);

} // namespace plmc

#endif // PLMC_EVALUATION_TOKENBATCHES_H
