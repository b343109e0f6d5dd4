//===- FuzzTokenizer.cpp - Fuzzer of tokenizer.json -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An input is a tokenizer.json. What is accepted must encode, decode, print
// itself and read that again.
//
//===----------------------------------------------------------------------===//

#include "plmc/Tokenizer/Tokenizer.h"
#include <cstdlib>

using namespace plmc;

static void checkMessage(llvm::Error error) {
  std::string line = llvm::toString(std::move(error));
  if (line.empty() || line.find('\n') != std::string::npos)
    std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::StringRef text(reinterpret_cast<const char *>(data), size);
  auto tokenizer = Tokenizer::fromJson(text, "tokenizer.json");
  if (!tokenizer) {
    checkMessage(tokenizer.takeError());
    return 0;
  }
  for (llvm::StringRef given :
       {llvm::StringRef("The model's  [MASK] na\xc3\xafve 123, \xe4\xb8\xad\xff"
                        " e\xcc\x81 <s>"),
        text.take_back(200)}) {
    auto encoding = (*tokenizer)->encodePair(given, "a b");
    if (!encoding) {
      checkMessage(encoding.takeError());
      continue;
    }
    (*tokenizer)->decode(encoding->ids, /*skipSpecial=*/false);
  }
  auto again = Tokenizer::fromJson((*tokenizer)->json(), "again.json");
  if (!again || (*again)->vocabularyHash() != (*tokenizer)->vocabularyHash())
    std::abort();
  return 0;
}
