//===- NewVocabulary.h - A tokenizer of other pieces ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_NEWVOCABULARY_H
#define PLMC_PASSES_VOCABULARYREDUCTION_NEWVOCABULARY_H

#include "ReplaceRows.h"
#include "plmc/Tokenizer/Tokenizer.h"

namespace plmc {

/// What the old pieces of a new one weigh.
enum class PieceWeight { Length, Frequency, Uniform };

struct NewVocabulary {
  std::unique_ptr<Tokenizer> tokenizer;
  std::vector<RowMix> rows;    // by new id
  std::vector<int32_t> newIds; // by old id; -1: it went
  int64_t mixed = 0;           // rows that are means

  /// Trains `size` pieces on the corpus, which begin with the old pieces
  /// `required`; `counts` are of the old ids. WordPiece only.
  static llvm::Expected<NewVocabulary>
  train(const Tokenizer &old, llvm::ArrayRef<int32_t> required,
        llvm::ArrayRef<std::string> corpus, int64_t size,
        llvm::ArrayRef<double> counts, PieceWeight weight);
};

} // namespace plmc

#endif // PLMC_PASSES_VOCABULARYREDUCTION_NEWVOCABULARY_H
