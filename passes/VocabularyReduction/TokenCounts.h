//===- TokenCounts.h - How often each id is used ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_TOKENCOUNTS_H
#define PLMC_PASSES_VOCABULARYREDUCTION_TOKENCOUNTS_H

#include "plmc/Tokenizer/Tokenizer.h"

namespace plmc {

/// Calls `visit` with every line of text files.
llvm::Error forEachLine(llvm::ArrayRef<std::string> files,
                        llvm::function_ref<llvm::Error(llvm::StringRef)> visit);

/// How often each id below `rows` occurs in text files (which need a tokenizer)
/// and in an .npz of ids ("": none). An error if nothing is found, or an id is
/// not below `rows`.
llvm::Expected<std::vector<double>>
countTokens(const Tokenizer *tokenizer, llvm::ArrayRef<std::string> corpus,
            llvm::StringRef calibration, int64_t rows);

} // namespace plmc

#endif // PLMC_PASSES_VOCABULARYREDUCTION_TOKENCOUNTS_H
