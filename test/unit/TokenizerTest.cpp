//===- TokenizerTest.cpp - Ids, decoding, smaller vocabularies ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Tokenizer/Tokenizer.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace plmc;
using llvm::StringRef;

static std::string fixture(StringRef name) {
  return (StringRef(PLMC_TEST_TOKENIZERS) + "/" + name).str();
}

static std::unique_ptr<Tokenizer> open(StringRef path,
                                       const TokenizerOptions &options = {}) {
  auto tokenizer = Tokenizer::open(path, options);
  if (tokenizer)
    return std::move(*tokenizer);
  ADD_FAILURE() << llvm::toString(tokenizer.takeError());
  return nullptr;
}

static std::unique_ptr<Tokenizer> parse(const std::string &text) {
  auto tokenizer = Tokenizer::fromJson(text, "test.json");
  if (tokenizer)
    return std::move(*tokenizer);
  ADD_FAILURE() << llvm::toString(tokenizer.takeError());
  return nullptr;
}

static std::vector<int32_t> encode(const Tokenizer &tokenizer, StringRef text,
                                   const EncodeOptions &options = {}) {
  auto encoding = tokenizer.encode(text, options);
  if (encoding)
    return encoding->ids;
  ADD_FAILURE() << llvm::toString(encoding.takeError());
  return {};
}

/// What utils/fixtures/make_tokenizers.py has written down.
static nlohmann::json goldenCases() {
  auto buffer = llvm::MemoryBuffer::getFile(fixture("golden.json"));
  if (!buffer)
    return {};
  return nlohmann::json::parse((*buffer)->getBuffer().str());
}

static void compare(const Tokenizer &tokenizer, const nlohmann::json &cases) {
  for (const auto &expected : cases) {
    auto text = expected["text"].get<std::string>();
    SCOPED_TRACE(expected["text"].dump());
    bool pair = expected.contains("pair");
    auto encoding =
        pair ? tokenizer.encodePair(text, expected["pair"].get<std::string>())
             : tokenizer.encode(text);
    if (expected["ids"].is_null()) {
      EXPECT_FALSE(bool(encoding));
      llvm::consumeError(encoding.takeError());
      continue;
    }
    if (!encoding) {
      ADD_FAILURE() << llvm::toString(encoding.takeError());
      continue;
    }
    EXPECT_EQ(encoding->ids, expected["ids"].get<std::vector<int32_t>>());
    if (pair) {
      EXPECT_EQ(encoding->types, expected["types"].get<std::vector<int32_t>>());
    }
  }
}

TEST(TokenizerTest, Golden) {
  nlohmann::json golden = goldenCases();
  EXPECT_EQ(golden.size(), 13u);
  for (auto &[name, cases] : golden.items()) {
    SCOPED_TRACE(name);
    if (auto tokenizer = open(fixture(name))) {
      compare(*tokenizer, cases);
      // What is written back is the same tokenizer.
      auto again = parse(tokenizer->json());
      ASSERT_TRUE(again);
      EXPECT_EQ(again->vocabularyHash(), tokenizer->vocabularyHash());
      EXPECT_EQ(again->json(), tokenizer->json());
      compare(*again, cases);
    }
  }
}

TEST(TokenizerTest, Vocabulary) {
  auto tokenizer = open(fixture("bert-uncased.json"));
  ASSERT_TRUE(tokenizer);
  EXPECT_EQ(tokenizer->kind(), "WordPiece");
  EXPECT_EQ(tokenizer->piece(2), "[CLS]");
  EXPECT_EQ(tokenizer->piece(-1), "");
  EXPECT_EQ(tokenizer->piece(100000), "");
  EXPECT_EQ(tokenizer->lookup("[MASK]"), 4);
  EXPECT_EQ(tokenizer->lookup("no such piece"), std::nullopt);
  EXPECT_EQ(tokenizer->unknownId(), 1);
  EXPECT_EQ(tokenizer->padId(), 0);
  EXPECT_EQ(tokenizer->addedTokens().size(), 5u);
  EXPECT_EQ(tokenizer->vocabularyHash().size(), 16u);
  for (size_t id = 0; id < tokenizer->size(); ++id)
    EXPECT_EQ(tokenizer->lookup(tokenizer->piece(int32_t(id))), int32_t(id));
}

TEST(TokenizerTest, VocabTextIsCasedIfItLooksSo) {
  auto cased = open(fixture("vocab.txt"));
  TokenizerOptions lower;
  lower.lowercase = true;
  auto uncased = open(fixture("vocab.txt"), lower);
  ASSERT_TRUE(cased && uncased);
  EXPECT_NE(encode(*cased, "The"), encode(*cased, "the"));
  EXPECT_EQ(encode(*uncased, "The"), encode(*uncased, "the"));
  auto buffer = llvm::MemoryBuffer::getFile(fixture("vocab.txt"));
  ASSERT_TRUE(bool(buffer));
  EXPECT_EQ(cased->vocabText(), (*buffer)->getBuffer());
}

TEST(TokenizerTest, InvalidUtf8IsReplaced) {
  auto tokenizer = open(fixture("roberta.json"));
  ASSERT_TRUE(tokenizer);
  auto same = [&](StringRef broken, StringRef replaced) {
    EXPECT_EQ(encode(*tokenizer, broken), encode(*tokenizer, replaced));
  };
  // As bytes.decode("utf-8", "replace") has it in Python.
  same("a\x80z", "a\xef\xbf\xbdz");
  same("a\xc0\xafz", "a\xef\xbf\xbd\xef\xbf\xbdz");
  same("a\xe2\x82z", "a\xef\xbf\xbdz");
  same("a\xed\xa0\x80z", "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz");
  same("a\xf0\x9f\x98", "a\xef\xbf\xbd");
  same("a\xf5z\xff", "a\xef\xbf\xbdz\xef\xbf\xbd");
}

TEST(TokenizerTest, Truncation) {
  auto tokenizer = open(fixture("bert-uncased.json"));
  ASSERT_TRUE(tokenizer);
  EncodeOptions options;
  options.maxLength = 5;
  std::vector<int32_t> ids = encode(*tokenizer, "a b c d e f g", options);
  EXPECT_EQ(ids.size(), 5u);
  EXPECT_EQ(ids.front(), 2);
  EXPECT_EQ(ids.back(), 3);
  options.maxLength = 1;
  auto refused = tokenizer->encode("a", options);
  EXPECT_EQ(llvm::toString(refused.takeError()),
            "the length is limited to 1 ids, of which the tokenizer itself "
            "adds 2");
  options.addSpecial = false;
  EXPECT_EQ(encode(*tokenizer, "a b", options).size(), 1u);
}

TEST(TokenizerTest, LongWordsDoNotTakeTimeForTheirSquare) {
  std::string word(1 << 20, 'a'), marks;
  for (int i = 0; i < 1 << 18; ++i)
    marks += i % 2 ? "\xcc\x81" : "\xcc\xa3";
  for (StringRef name : {"bpe-bytes.json", "unigram-bytes.json", "roberta.json",
                         "bert-uncased.json", "modernbert.json"}) {
    auto tokenizer = open(fixture(name));
    ASSERT_TRUE(tokenizer);
    EXPECT_FALSE(encode(*tokenizer, word).empty());
    EXPECT_FALSE(encode(*tokenizer, "x" + marks).empty());
  }
}

TEST(TokenizerTest, Decode) {
  auto check = [](StringRef name, StringRef text, StringRef expected) {
    SCOPED_TRACE(name.str());
    auto tokenizer = open(fixture(name));
    ASSERT_TRUE(tokenizer);
    EXPECT_EQ(tokenizer->decode(encode(*tokenizer, text)), expected);
  };
  check("bert-uncased.json", "The library", "the library");
  check("roberta.json", "The library \xe2\x98\x83",
        " The library \xe2\x98\x83");
  check("modernbert.json", "The library", "The library");
  check("bpe-bytes.json", "The library", "\xe2\x96\x81The\xe2\x96\x81library");
  // Only the first word of this one has a mark.
  check("unigram-bytes.json", "The library \xe2\x98\x83",
        "Thelibrary\xe2\x98\x83");
  check("sentencepiece.bpe.model", "The library", "The library");
}

/// Every second piece goes, but for those that the tokenizer needs.
TEST(TokenizerTest, SmallerVocabularies) {
  for (StringRef name :
       {"bert-uncased.json", "roberta.json", "modernbert.json", "albert.model",
        "sentencepiece.bpe.model", "unigram-bytes.json", "wordpiece.json"}) {
    SCOPED_TRACE(name.str());
    auto tokenizer = open(fixture(name));
    ASSERT_TRUE(tokenizer);
    std::vector<int32_t> all, kept;
    for (int32_t id = 0; id < int32_t(tokenizer->size()); ++id) {
      bool added =
          llvm::any_of(tokenizer->addedTokens(),
                       [&](const AddedToken &t) { return t.id == id; });
      if (added || id % 2 == 0 || tokenizer->unknownId() == id ||
          tokenizer->piece(id).size() <= 2)
        kept.push_back(id);
      all.push_back(id);
    }
    std::reverse(kept.begin(), kept.end());
    std::reverse(all.begin(), all.end());
    auto reduced = tokenizer->withVocabulary(kept);
    ASSERT_TRUE(bool(reduced)) << llvm::toString(reduced.takeError());
    EXPECT_EQ((*reduced)->size(), kept.size());
    for (size_t i = 0; i < kept.size(); ++i)
      EXPECT_EQ((*reduced)->piece(int32_t(i)), tokenizer->piece(kept[i]));
    EXPECT_NE((*reduced)->vocabularyHash(), tokenizer->vocabularyHash());
    EXPECT_FALSE(encode(**reduced, "The library").empty());
    // With all pieces in another order, ids are just renamed.
    auto renamed = tokenizer->withVocabulary(all);
    ASSERT_TRUE(bool(renamed)) << llvm::toString(renamed.takeError());
    for (StringRef text : {"The compiler's library [MASK] <mask> \xe2\x98\x83",
                           "na\xc3\xafve 3.14", ""}) {
      std::vector<int32_t> ids = encode(*tokenizer, text);
      for (int32_t &id : ids)
        id = int32_t(all.size()) - 1 - id;
      EXPECT_EQ(encode(**renamed, text), ids);
    }
    // And it can be written and read.
    auto again = parse((*reduced)->json());
    ASSERT_TRUE(again);
    EXPECT_EQ(again->vocabularyHash(), (*reduced)->vocabularyHash());
  }
}

TEST(TokenizerTest, VocabulariesThatCannotBe) {
  auto tokenizer = open(fixture("bert-uncased.json"));
  ASSERT_TRUE(tokenizer);
  auto message = [&](std::vector<int32_t> kept) {
    auto reduced = tokenizer->withVocabulary(kept);
    return reduced ? "" : llvm::toString(reduced.takeError());
  };
  EXPECT_EQ(message({}), "a vocabulary needs at least one piece");
  EXPECT_EQ(message({0, 1, 2}),
            "id 3 ('[SEP]') is added to every text: keep it");
  EXPECT_EQ(message({0, 2, 3}), "id 1 ('[UNK]') is the unknown piece: keep it");
  EXPECT_EQ(message({1, 2, 3, 1}), "id 1 is kept twice");
  EXPECT_EQ(StringRef(message({1, 2, 3, 100000})).split(';').first,
            "there is no piece with id 100000");
}
