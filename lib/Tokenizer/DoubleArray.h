//===- DoubleArray.h - Tries as arrays --------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_TOKENIZER_DOUBLEARRAY_H
#define PLMC_LIB_TOKENIZER_DOUBLEARRAY_H

#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace plmc::tokenizer {

/// A trie in the layout of lib/Runtime/TokenizeTrie.c. Keys are not empty and
/// hold no NUL; of equal keys the last one counts. An error if there are too
/// many for 29-bit indices.
llvm::Expected<std::vector<uint32_t>>
buildDoubleArray(std::vector<std::pair<std::string, uint32_t>> keys);

} // namespace plmc::tokenizer

#endif // PLMC_LIB_TOKENIZER_DOUBLEARRAY_H
