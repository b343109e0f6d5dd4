//===- PieceChoice.h - Which pieces stay ------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_PIECECHOICE_H
#define PLMC_PASSES_VOCABULARYREDUCTION_PIECECHOICE_H

#include "plmc/Tokenizer/Tokenizer.h"

namespace plmc {

struct PieceWish {
  int64_t size = 0;     // how many; 0: any number
  int64_t minCount = 0; // used this often; 0: however seldom
};

/// The ids that stay, sorted: `required`, then the most used. withParts(id) is
/// the piece with those that it cannot be without. An error if `size` is above
/// the number of `counts`, or below that of `required`.
llvm::Expected<std::vector<int32_t>>
choosePieces(llvm::ArrayRef<double> counts, llvm::ArrayRef<int32_t> required,
             PieceWish wish,
             llvm::function_ref<std::vector<int32_t>(int32_t)> withParts);

} // namespace plmc

#endif // PLMC_PASSES_VOCABULARYREDUCTION_PIECECHOICE_H
