//===- TokenizerHostileTest.cpp - Damaged tokenizers and images -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tokenize.h" // lib/Runtime
#include "plmc/Tokenizer/Tokenizer.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstring>
#include <gtest/gtest.h>
#include <random>

using namespace plmc;
using llvm::StringRef;

static std::string fixture(StringRef name) {
  return (StringRef(PLMC_TEST_TOKENIZERS) + "/" + name).str();
}

static std::string contents(StringRef name) {
  auto buffer = llvm::MemoryBuffer::getFile(fixture(name));
  return buffer ? (*buffer)->getBuffer().str() : "";
}

/// One line that names the file, or "" if it was accepted.
static std::string message(StringRef text) {
  auto tokenizer = Tokenizer::fromJson(text, "bad.json");
  if (tokenizer) {
    llvm::consumeError((*tokenizer)->encode("a text \xe2\x98\x83").takeError());
    return "";
  }
  std::string line = llvm::toString(tokenizer.takeError());
  EXPECT_EQ(line.find('\n'), std::string::npos) << line;
  EXPECT_EQ(line.rfind("bad.json: ", 0), 0u) << line;
  return line;
}

static std::string with(StringRef changes) {
  std::string model = R"("model": {"type": "WordPiece", "unk_token": "[UNK]",
    "vocab": {"[UNK]": 0, "a": 1, "##b": 2}})";
  return ("{" + model + (changes.empty() ? "" : ", ") + changes + "}").str();
}

TEST(TokenizerHostileTest, Messages) {
  auto expect = [](StringRef text, StringRef part) {
    std::string line = message(text);
    EXPECT_NE(line.find(part.str()), std::string::npos) << line;
  };
  EXPECT_EQ(message(with("")), "");
  expect("", "no JSON, or is cut off");
  expect("[]", "no JSON object");
  expect("{}", "there is no model");
  expect(std::string(200000, '['), "more than 100 levels");
  expect(R"({"model": {"type": "Magic"}})", "model.type: known are WordPiece");
  expect(R"({"model": {"type": "WordPiece", "vocab": [1]}})", "model.vocab");
  expect(R"({"model": {"type": "WordPiece", "vocab": {"a": -1}}})",
         "the id of 'a' must be an integer from 0");
  expect(R"({"model": {"type": "WordPiece", "vocab": {"a": 4000000000}}})",
         "the id of 'a' must be an integer from 0");
  expect(R"({"model": {"type": "WordPiece", "vocab": {"a": 0}}})",
         "'[UNK]' is not in the vocabulary");
  expect(R"({"model": {"type": "WordPiece", "vocab": {"a\u0000": 0}}})",
         "U+0000");
  expect(
      R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["a", "b"]]}})",
      "entry 0 is no piece with its score");
  expect(R"({"model": {"type": "Unigram", "unk_id": 5, "vocab": [["a", -1]]}})",
         "model.unk_id: expected an integer from 0 to 0, not 5");
  expect(R"({"model": {"type": "Unigram", "vocab": [["a", -1]]}})",
         "cannot encode every text");
  expect(R"({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1},
             "merges": ["a b"]}})",
         "entry 0: 'ab' is not in the vocabulary");
  expect(R"({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}})",
         "entry 0 is no pair of pieces");
  expect(R"({"model": {"type": "BPE", "dropout": 0.1, "vocab": {"a": 0},
             "merges": []}})",
         "model.dropout");
  expect(with(R"("normalizer": {"type": "Rot13"})"), "known normalizers are");
  expect(with(R"("normalizer": {"type": "Replace", "content": "",
                 "pattern": {"Regex": "(a|b)*"}})"),
         "normalizer.pattern.Regex: known regular expressions");
  expect(with(R"("normalizer": {"type": "Precompiled",
                 "precompiled_charsmap": "AAAA"})"),
         "damaged");
  expect(with(R"("normalizer": {"type": "Precompiled",
                 "precompiled_charsmap": "#"})"),
         "no base64");
  expect(with(R"("pre_tokenizer": {"type": "Split", "behavior": "Isolated",
                 "pattern": {"Regex": "x+"}})"),
         "pre_tokenizer.pattern.Regex: known regular expressions");
  expect(with(R"("pre_tokenizer": {"type": "Split", "behavior": "Maybe",
                 "pattern": {"String": "x"}})"),
         "expected one of Removed");
  expect(with(R"("post_processor": {"type": "BertProcessing",
                 "sep": ["[SEP]", 99], "cls": ["a", 1]})"),
         "expected an integer from 0 to 2, not 99");
  expect(with(R"("added_tokens": [{"content": "x", "id": 77}])"),
         "has id 77, but the vocabulary makes it 3");
  expect(with(R"("added_tokens": {"content": 1})"), "expected a list");
  expect(with(R"("truncation": {"max_length": -3})"), "truncation.max_length");
  expect(with(R"("normalizer": {"type": "Strip"}, "added_tokens":
                 [{"content": " ", "id": 3, "normalized": true}])"),
         "nothing is left of it");
}

/// Merges in a circle, and merges of merges: each takes one symbol away.
TEST(TokenizerHostileTest, MergesEnd) {
  EXPECT_EQ(message(R"({"model": {"type": "BPE", "merges": [["", "a"],
    ["a", ""], ["a", "a"], ["aa", "aa"], ["", ""]],
    "vocab": {"": 0, "a": 1, "aa": 2, "aaaa": 3}}})"),
            "");
}

TEST(TokenizerHostileTest, EveryTruncation) {
  std::string text = contents("wordpiece.json");
  ASSERT_FALSE(text.empty());
  for (size_t size = 0; size + 1 < text.size(); size += 7)
    EXPECT_NE(message(StringRef(text).take_front(size)), "");
}

/// Values and bytes exchanged at random: a message or a tokenizer.
TEST(TokenizerHostileTest, RandomChanges) {
  std::mt19937 random(1);
  static const StringRef values[] = {"null", "-1",    "1e9",
                                     "{}",   "[]",    "\"\"",
                                     "true", "[[1]]", "99999999999999999999"};
  for (StringRef name : {"wordpiece.json", "modernbert.json", "bpe-split.json",
                         "unigram-bytes.json"}) {
    std::string text = contents(name);
    for (int i = 0; i < 150; ++i) {
      std::string changed = text;
      // Most of a file is vocabulary: the rest is more worth changing.
      size_t limit = i % 2 ? text.size() : std::min<size_t>(3000, text.size());
      size_t at = random() % limit;
      size_t colon = changed.find(':', at), end = changed.find(',', colon);
      if (i % 3 && end != std::string::npos)
        changed.replace(colon + 1, end - colon - 1,
                        values[random() % std::size(values)].str());
      else
        changed[at] = char(random());
      message(changed);
    }
  }
}

TEST(TokenizerHostileTest, SentencePieceFiles) {
  std::string bytes = contents("albert.model");
  ASSERT_FALSE(bytes.empty());
  std::string path = PLMC_TEST_TMP "/hostile.model";
  std::mt19937 random(2);
  for (int i = 0; i < 200; ++i) {
    std::string changed = bytes;
    if (i % 2)
      changed.resize(random() % bytes.size());
    else
      changed[random() % bytes.size()] = char(random());
    {
      std::error_code code;
      llvm::raw_fd_ostream os(path, code);
      ASSERT_FALSE(code);
      os << changed;
    }
    auto tokenizer = Tokenizer::open(path);
    if (tokenizer) {
      llvm::consumeError((*tokenizer)->encode("a \xe2\x98\x83").takeError());
      continue;
    }
    std::string line = llvm::toString(tokenizer.takeError());
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    EXPECT_NE(line.find("hostile.model: "), std::string::npos) << line;
  }
  llvm::sys::fs::remove(path);
}

TEST(TokenizerHostileTest, Files) {
  auto line = [](StringRef path) {
    auto tokenizer = Tokenizer::open(path);
    return tokenizer ? "" : llvm::toString(tokenizer.takeError());
  };
  EXPECT_NE(line("/nonexistent/tokenizer.json").find("cannot read it"),
            std::string::npos);
  EXPECT_NE(line(PLMC_TEST_TMP).find("there is no tokenizer.json"),
            std::string::npos);
}

/// Images with any bytes changed: refused, or run without reading outside.
TEST(TokenizerHostileTest, Images) {
  std::mt19937 random(3);
  for (StringRef name :
       {"bert-uncased.json", "roberta.json", "albert.model", "modernbert.json",
        "bpe-split.json", "unigram-bytes.json"}) {
    auto tokenizer = Tokenizer::open(fixture(name));
    ASSERT_TRUE(bool(tokenizer)) << llvm::toString(tokenizer.takeError());
    llvm::ArrayRef<char> image = (*tokenizer)->image();
    std::vector<char> changed(image.begin(), image.end());
    plm_rt_message text;
    plm_tok tok;
    EXPECT_EQ(plm_tok_open(&tok, changed.data(), changed.size(), &text),
              PLM_OK);
    EXPECT_EQ(plm_tok_open(&tok, changed.data(), changed.size() - 8, &text),
              PLM_ERROR_ARGUMENT);
    changed[image.size() / 2] ^= 1;
    EXPECT_EQ(plm_tok_open(&tok, changed.data(), changed.size(), &text),
              PLM_ERROR_ARGUMENT);
    EXPECT_STREQ(text.text, "the tokenizer image is damaged: make it again");
    plm_tok_work work = {};
    for (int i = 0; i < 300; ++i) {
      std::copy(image.begin(), image.end(), changed.begin());
      auto *header = reinterpret_cast<plm_tok_header *>(changed.data());
      // In a section chosen at random: some are a thousand times larger.
      for (int n = 0; n < 3; ++n) {
        plm_tok_section section =
            reinterpret_cast<const plm_tok_header *>(image.data())
                ->sections[random() % PLM_TOK_NUM_SECTIONS];
        size_t at = section.size && random() % 8
                        ? section.offset + random() % section.size
                        : 24 + random() % (sizeof(*header) - 24);
        changed[at] = char(random());
      }
      header->checksum = plm_tok_checksum(changed.data(), changed.size());
      if (plm_tok_open(&tok, changed.data(), changed.size(), &text) != PLM_OK)
        continue;
      StringRef given = "The compiler's [MASK]  na\xc3\xafve e\xcc\x81 \xe2\x98"
                        "\x83 \xf0\x9f\x98\x80 ``x'' \xef\xac\x81 1234567";
      plm_tok_input input = {given.data(), given.data(), given.size(), 9,
                             16,           false};
      plm_tok_output output;
      plm_tok_encode(&tok, &work, &input, &output, &text);
    }
    plm_tok_work_free(&work);
  }
}
