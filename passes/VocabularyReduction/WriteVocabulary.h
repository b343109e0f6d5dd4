//===- WriteVocabulary.h - Files of a smaller vocabulary --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_WRITEVOCABULARY_H
#define PLMC_PASSES_VOCABULARYREDUCTION_WRITEVOCABULARY_H

#include "plmc/Tokenizer/Tokenizer.h"

namespace plmc {

/// Writes tokenizer.json, vocab.txt (of WordPiece) and ids.tsv, "OLD tab NEW"
/// for every old id, -1 where it went, into a folder, which is made. Each file
/// through a temporary name.
llvm::Error writeVocabulary(llvm::StringRef folder, const Tokenizer &tokenizer,
                            llvm::ArrayRef<int32_t> newIds);

} // namespace plmc

#endif // PLMC_PASSES_VOCABULARYREDUCTION_WRITEVOCABULARY_H
