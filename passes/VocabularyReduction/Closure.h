//===- Closure.h - Pieces without which texts get lost ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_CLOSURE_H
#define PLMC_PASSES_VOCABULARYREDUCTION_CLOSURE_H

#include "plmc/Tokenizer/Tokenizer.h"
#include <map>

namespace plmc {

/// Pieces that must stay so that texts stay representable, and pieces that
/// others need.
class Closure {
public:
  /// `asciiOnly`: of characters beyond ASCII only the texts that were counted
  /// are looked after.
  static llvm::Expected<Closure> of(const Tokenizer &tokenizer, bool asciiOnly);

  /// Special pieces; single characters, in the middle of words too; bytes; and
  /// pieces that single characters cannot spell. Sorted.
  std::vector<int32_t> required;

  /// `id` and what a tokenizer of merges needs to come to it: the parts of
  /// every merge that makes it, and theirs.
  std::vector<int32_t> withParts(int32_t id) const;

private:
  std::map<int32_t, std::vector<int32_t>> parts; // BPE, by result
};

} // namespace plmc

#endif // PLMC_PASSES_VOCABULARYREDUCTION_CLOSURE_H
