//===- WordPieceTrainer.h - A new vocabulary of texts -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_WORDPIECETRAINER_H
#define PLMC_PASSES_VOCABULARYREDUCTION_WORDPIECETRAINER_H

#include "plmc/Tokenizer/Tokenizer.h"
#include <map>

namespace plmc {

/// Words as ids of a tokenizer of single characters, and how often they occur.
using WordCounts = std::map<std::vector<int32_t>, int64_t>;

/// Cuts lines into words. `base` is a WordPiece tokenizer, whose pieces that
/// begin with `inside` continue a word.
llvm::Expected<WordCounts> countWords(const Tokenizer &base,
                                      llvm::StringRef inside,
                                      llvm::ArrayRef<std::string> corpus);

/// The pieces of `base`, and behind them up to `size` in all that come from
/// putting the most frequent pair of neighbours together, again and again
/// (Sennrich et al., 2016). Of equally frequent ones the lower ids. Fewer where
/// no pair occurs twice.
std::vector<std::string> trainPieces(const Tokenizer &base,
                                     llvm::StringRef inside,
                                     const WordCounts &words, size_t size);

} // namespace plmc

#endif // PLMC_PASSES_VOCABULARYREDUCTION_WORDPIECETRAINER_H
