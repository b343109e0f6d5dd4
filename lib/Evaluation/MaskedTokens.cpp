//===- MaskedTokens.cpp - What a masked language model is asked -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/MaskedTokens.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

namespace plmc {

constexpr int64_t every = 7, first = 3;

llvm::Expected<std::vector<MaskedToken>>
maskTokens(CalibrationSet &set, const Tokenizer &tokenizer) {
  std::optional<int32_t> mask = tokenizer.maskId();
  if (!mask)
    return llvm::createStringError(
        "the tokenizer has no token that hides others ([MASK] or <mask>), as "
        "perplexity needs");
  auto special = tokenizer.specialIds();
  if (!special)
    return special.takeError();
  std::vector<MaskedToken> masked;
  for (auto [sequence, ids] : llvm::enumerate(set.sequences)) {
    int64_t count = 0;
    for (auto [position, id] : llvm::enumerate(ids)) {
      if (llvm::binary_search(*special, id))
        continue;
      if (count++ % every != first)
        continue;
      masked.push_back({sequence, int64_t(position), id});
      id = *mask;
    }
  }
  if (masked.empty())
    return llvm::createStringError("no text has the " + llvm::Twine(first + 1) +
                                   " tokens of which one can be hidden");
  return masked;
}

double logProbability(const HostTensor &logits, int64_t row, int64_t id) {
  int64_t width = logits.shape.back();
  if (id < 0 || id >= width)
    return std::nan("");
  int64_t begin = row * width;
  double most = -HUGE_VAL, sum = 0;
  for (int64_t i = 0; i < width; ++i)
    most = std::max(most, logits.getDouble(begin + i));
  for (int64_t i = 0; i < width; ++i)
    sum += std::exp(logits.getDouble(begin + i) - most);
  return logits.getDouble(begin + id) - most - std::log(sum);
}

} // namespace plmc
