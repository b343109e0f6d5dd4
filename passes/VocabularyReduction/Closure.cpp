//===- Closure.cpp - Pieces without which texts get lost ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// WordPiece takes the longest piece at each place, and the whole word is
// unknown where none fits. So all single characters stay, at the beginning of
// words ("a") and inside ("##a"): then some piece fits everywhere that one did.
// A piece with a character that is no piece of its own there stays as well.
// Where single characters spell all pieces, nothing that was representable gets
// lost. (Else one case is left: a shorter piece may now end inside of one with
// such a character.)
//
// BPE begins with single characters and only ever joins them, so a character is
// known or not, whatever else there is. Which piece a character begins as may
// depend on its place: the last of a word can have a suffix ("e</w>"), the
// others a prefix. Each of these is a piece of its own, and stays.
//
//===----------------------------------------------------------------------===//

#include "Closure.h"
#include "PieceChoice.h"
#include "llvm/ADT/StringExtras.h"
#include <nlohmann/json.hpp>
#include <set>

using namespace plmc;
using llvm::StringRef;

/// "<0x0A>"
static bool isByte(StringRef piece) {
  return piece.size() == 6 && piece.starts_with("<0x") && piece.back() == '>';
}

/// The UTF-8 characters of a piece.
static std::vector<StringRef> charactersOf(StringRef text) {
  std::vector<StringRef> result;
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    while (end < text.size() && (text[end] & 0xC0) == 0x80)
      ++end;
    result.push_back(text.slice(at, end));
    at = end;
  }
  return result;
}

namespace {

/// What is written around the text of a piece.
struct Marks {
  std::string inside; // in front of pieces that do not begin a word: "##"
  std::string end;    // behind those that end one: "</w>"
};

/// A piece without its marks.
struct MarkedPiece {
  StringRef text;
  bool continues, ends;

  MarkedPiece(StringRef piece, const Marks &marks) : text(piece) {
    auto has = [&](const std::string &mark) {
      return !mark.empty() && text.size() > mark.size();
    };
    continues = has(marks.inside) && text.consume_front(marks.inside);
    ends = has(marks.end) && text.consume_back(marks.end);
  }
};

} // namespace

static std::string textOf(const nlohmann::json &model, const char *key) {
  auto found = model.find(key);
  return found != model.end() && found->is_string() ? found->get<std::string>()
                                                    : "";
}

/// Whether it has several characters, and each is a piece of its own.
static bool isSpelled(const MarkedPiece &piece, const Marks &marks,
                      const Tokenizer &tokenizer) {
  std::vector<StringRef> characters = charactersOf(piece.text);
  if (characters.size() < 2)
    return false;
  for (size_t i = 0; i < characters.size(); ++i) {
    bool last = i + 1 == characters.size();
    if (!tokenizer.lookup((piece.continues || i ? marks.inside : "") +
                          characters[i].str() +
                          (piece.ends && last ? marks.end : "")))
      return false;
  }
  return true;
}

llvm::Expected<Closure> Closure::of(const Tokenizer &tokenizer,
                                    bool asciiOnly) {
  Closure closure;
  auto special = tokenizer.specialIds();
  if (!special)
    return special.takeError();
  std::set<int32_t> ids(special->begin(), special->end());
  nlohmann::json json = nlohmann::json::parse(tokenizer.json(), nullptr,
                                              /*allow_exceptions=*/false);
  const nlohmann::json &model = json["model"];
  Marks marks{textOf(model, "continuing_subword_prefix"),
              textOf(model, "end_of_word_suffix")};
  for (int32_t id = 0; id < int32_t(tokenizer.size()); ++id) {
    StringRef piece = tokenizer.piece(id);
    if (piece.empty())
      continue;
    if (isByte(piece)) {
      ids.insert(id);
      continue;
    }
    MarkedPiece marked(piece, marks);
    if (asciiOnly && !llvm::isASCII(marked.text))
      continue;
    if (!isSpelled(marked, marks, tokenizer))
      ids.insert(id);
  }
  if (tokenizer.kind() == "BPE")
    for (const nlohmann::json &merge : model["merges"]) {
      std::pair<StringRef, StringRef> parts;
      if (merge.is_string()) {
        parts = StringRef(merge.get_ref<const std::string &>()).split(' ');
      } else if (merge.is_array() && merge.size() == 2) {
        parts = {merge[0].get_ref<const std::string &>(),
                 merge[1].get_ref<const std::string &>()};
      }
      StringRef right = parts.second;
      right.consume_front(marks.inside);
      auto left = tokenizer.lookup(parts.first),
           second = tokenizer.lookup(parts.second),
           result = tokenizer.lookup((parts.first + right).str());
      if (left && second && result) {
        closure.parts[*result].push_back(*left);
        closure.parts[*result].push_back(*second);
      }
    }
  std::set<int32_t> all;
  for (int32_t id : ids)
    for (int32_t part : closure.withParts(id))
      all.insert(part);
  closure.required.assign(all.begin(), all.end());
  return closure;
}

std::vector<int32_t> Closure::withParts(int32_t id) const {
  std::vector<int32_t> result{id};
  for (size_t at = 0; at < result.size(); ++at)
    if (auto found = parts.find(result[at]); found != parts.end())
      for (int32_t part : found->second)
        if (!llvm::is_contained(result, part))
          result.push_back(part);
  return result;
}
