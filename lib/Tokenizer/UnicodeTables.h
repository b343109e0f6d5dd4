//===- UnicodeTables.h - What Unicode says of characters --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_TOKENIZER_UNICODETABLES_H
#define PLMC_LIB_TOKENIZER_UNICODETABLES_H

#include <string>

namespace plmc::tokenizer {

/// Sections of an image, ready to copy. Computed once.
struct UnicodeTables {
  std::string classIndex, classPages, classValues;
  std::string lower, canonical, compatible, compose;
};

const UnicodeTables &unicodeTables();

} // namespace plmc::tokenizer

#endif // PLMC_LIB_TOKENIZER_UNICODETABLES_H
