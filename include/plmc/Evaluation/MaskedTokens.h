//===- MaskedTokens.h - What a masked language model is asked ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A masked language model is trained to tell tokens that it cannot see. What it
// is asked must not be drawn at random, as two models are to be compared: of
// each text the 4th, 11th, 18th, ... token is hidden, one of seven as in
// training (15 %), and all of these at once, so that a text is run once.
// Special and unknown tokens do not count: they are easy or cannot be told. A
// text of less than four tokens has none.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EVALUATION_MASKEDTOKENS_H
#define PLMC_EVALUATION_MASKEDTOKENS_H

#include "plmc/Calibration/CalibrationSet.h"
#include "plmc/Support/HostTensor.h"
#include "plmc/Tokenizer/Tokenizer.h"

namespace plmc {

struct MaskedToken {
  size_t sequence;
  int64_t position;
  int64_t id; // what stood there
};

/// Hides tokens of all sequences, and says which. An error if the tokenizer has
/// no token to hide them with, or no sequence is long enough.
llvm::Expected<std::vector<MaskedToken>> maskTokens(CalibrationSet &set,
                                                    const Tokenizer &tokenizer);

/// The logarithm of the softmax of logits [..., C] at `row` of the others,
/// flattened, for one of the C; NaN where it is none.
double logProbability(const HostTensor &logits, int64_t row, int64_t id);

} // namespace plmc

#endif // PLMC_EVALUATION_MASKEDTOKENS_H
