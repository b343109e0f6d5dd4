//===- Tokenizer.h - Text to ids, ids to text -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TOKENIZER_TOKENIZER_H
#define PLMC_TOKENIZER_TOKENIZER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace plmc {

struct TokenizerOptions {
  /// Of a vocab.txt, which does not say it. Not given: what
  /// tokenizer_config.json beside it says; else lower case is assumed if no
  /// piece has an upper case ASCII letter outside of brackets.
  std::optional<bool> lowercase;
};

struct Encoding {
  std::vector<int32_t> ids;
  std::vector<int32_t> types; // token_type_ids
};

struct EncodeOptions {
  /// The most ids, those of the template included; 0: what the file says, or
  /// no limit.
  uint32_t maxLength = 0;
  /// Put [CLS], [SEP] and their like around the text.
  bool addSpecial = true;
};

/// A token that is found in the text before anything else is done.
struct AddedToken {
  int32_t id;
  std::string text;
  bool special;
};

/// A tokenizer, read from a file and compiled to an image (docs/tokenizer.md),
/// which lib/Runtime/Tokenize.c runs. Encoding is thread-safe.
class Tokenizer {
public:
  /// Reads tokenizer.json, vocab.txt or a SentencePiece .model, or a folder
  /// that holds one of them (in this order). Errors are one line that names
  /// the file.
  static llvm::Expected<std::unique_ptr<Tokenizer>>
  open(llvm::StringRef path, const TokenizerOptions &options = {});
  /// The text of a tokenizer.json; `name` is for messages.
  static llvm::Expected<std::unique_ptr<Tokenizer>>
  fromJson(llvm::StringRef text, llvm::StringRef name);
  ~Tokenizer();

  /// What an emitted library holds. Aligned to 8 bytes.
  llvm::ArrayRef<char> image() const;

  /// The largest id + 1.
  size_t size() const;
  /// The text of an id; empty if there is no such id.
  llvm::StringRef piece(int32_t id) const;
  std::optional<int32_t> lookup(llvm::StringRef piece) const;
  llvm::ArrayRef<AddedToken> addedTokens() const;
  std::optional<int32_t> unknownId() const;
  std::optional<int32_t> padId() const;
  /// [MASK] or <mask>.
  std::optional<int32_t> maskId() const;
  /// What the tokenizer itself needs: added tokens, the unknown piece, padding,
  /// and what is put around a text. Sorted.
  llvm::Expected<std::vector<int32_t>> specialIds() const;
  /// "WordPiece", "Unigram", "BPE" or "WordLevel".
  llvm::StringRef kind() const;
  /// Of the pieces in the order of their ids: 16 hexadecimal digits of SHA-256.
  std::string vocabularyHash() const;
  /// What truncation the file asks for; 0: none.
  uint32_t maxLength() const;

  /// Bytes that are no UTF-8 are read as U+FFFD, as in Python's
  /// errors="replace".
  llvm::Expected<Encoding> encode(llvm::StringRef text,
                                  const EncodeOptions &options = {}) const;
  llvm::Expected<Encoding> encodePair(llvm::StringRef first,
                                      llvm::StringRef second,
                                      const EncodeOptions &options = {}) const;
  /// Pieces put together again; ids out of range are left out.
  std::string decode(llvm::ArrayRef<int32_t> ids,
                     bool skipSpecial = true) const;

  /// The same tokenizer with the pieces `kept` alone, in this order: the new id
  /// of kept[i] is i. Merges that lack a part are dropped. An error if an id is
  /// out of range, comes twice, or one is missing that the tokenizer itself
  /// needs (unknown, template).
  llvm::Expected<std::unique_ptr<Tokenizer>>
  withVocabulary(llvm::ArrayRef<int32_t> kept) const;

  /// As tokenizer.json, whatever it was read from.
  std::string json() const;
  /// As vocab.txt: one piece a line, in the order of ids.
  std::string vocabText() const;

  struct Impl;

private:
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  static llvm::Expected<std::unique_ptr<Tokenizer>>
  create(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace plmc

#endif // PLMC_TOKENIZER_TOKENIZER_H
