//===- VocabularyClosureTest.cpp - Trimming loses no text -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VocabularyReduction/Closure.h"
#include "llvm/Support/MemoryBuffer.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace plmc;

namespace {

std::string fixture(const std::string &name) {
  return std::string(PLMC_TEST_TOKENIZERS) + "/" + name;
}

int64_t unknowns(const Tokenizer &tokenizer, const std::string &text) {
  auto encoding = llvm::cantFail(tokenizer.encode(text));
  return tokenizer.unknownId()
             ? llvm::count(encoding.ids, *tokenizer.unknownId())
             : 0;
}

/// Of every kind of tokenizer no more than the closure is left: words fall into
/// characters, and none of them is unknown that was not.
TEST(VocabularyClosure, NoTextBecomesUnknown) {
  auto buffer = llvm::MemoryBuffer::getFile(fixture("golden.json"));
  ASSERT_TRUE(bool(buffer));
  auto golden = nlohmann::json::parse((*buffer)->getBuffer().str());
  for (auto &[name, cases] : golden.items()) {
    SCOPED_TRACE(name);
    auto whole = llvm::cantFail(Tokenizer::open(fixture(name)));
    auto closure = llvm::cantFail(Closure::of(*whole, /*asciiOnly=*/false));
    auto trimmed = llvm::cantFail(whole->withVocabulary(closure.required));
    EXPECT_LT(trimmed->size(), whole->size());
    for (const auto &one : cases) {
      if (one["ids"].is_null())
        continue;
      auto text = one["text"].get<std::string>();
      EXPECT_LE(unknowns(*trimmed, text), unknowns(*whole, text))
          << one["text"].dump();
    }
  }
}

/// A piece that ends words is no spelling of one inside, nor the reverse.
TEST(VocabularyClosure, CharactersByTheirPlace) {
  auto tokenizer = llvm::cantFail(Tokenizer::fromJson(R"({
    "model": {"type": "BPE", "unk_token": "?", "end_of_word_suffix": "$",
              "continuing_subword_prefix": "#",
              "vocab": {"?": 0, "a": 1, "#a": 2, "#a$": 3, "a$": 4, "b": 5,
                        "#b$": 6, "aa": 7, "ab$": 8, "#aa$": 9, "$": 10},
              "merges": ["a #a", "a #b$", "#a #a$"]}})",
                                                      "test.json"));
  auto closure = llvm::cantFail(Closure::of(*tokenizer, false));
  EXPECT_EQ(closure.required, (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 10}));
  EXPECT_EQ(closure.withParts(8), (std::vector<int32_t>{8, 1, 6}));
}

} // namespace
