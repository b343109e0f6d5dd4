//===- Tokenize.h - plmc tokenize -------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_TOKENIZE_H
#define PLMC_DRIVER_TOKENIZE_H

#include "plmc/Driver/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>
#include <string>
#include <vector>

namespace plmc {

struct TokenizeOptions {
  std::string tokenizer;          // a file or a folder
  std::vector<std::string> texts; // --text, each one text
  std::string file;               // one text a line; "-": standard input
  bool noSpecial = false;         // without [CLS] and the like
  bool pairs = false;             // a line is two texts, a tab between them
  bool json = false;              // {"ids": [...], "types": [...]} a line
  bool pieces = false;            // pieces instead of ids
  uint32_t maxLength = 0;
  std::string library;           // whose vocabulary it must be, or ""
  std::optional<bool> lowercase; // of a vocab.txt
};

/// Prints the ids of each text on a line.
llvm::Error tokenize(const TokenizeOptions &options, llvm::raw_ostream &out);

} // namespace plmc

#endif // PLMC_DRIVER_TOKENIZE_H
