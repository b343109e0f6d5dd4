//===- Closure.cpp - Pieces without which texts get lost
//---------------------===//
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
// (One case is left: the longest piece may now end before such a character,
// where a longer one that went reached over it. No vocabulary is known in which
// it occurs in a real word.)
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

llvm::Expected<Closure> Closure::of(const Tokenizer &tokenizer,
                                    bool asciiOnly) {
  Closure closure;
  auto special = specialIds(tokenizer);
  if (!special)
    return special.takeError();
  std::set<int32_t> ids(special->begin(), special->end());
  nlohmann::json json = nlohmann::json::parse(tokenizer.json(), nullptr,
                                              /*allow_exceptions=*/false);
  const nlohmann::json &model = json["model"];
  std::string inside;
  if (auto prefix = model.find("continuing_subword_prefix");
      prefix != model.end() && prefix->is_string())
    inside = prefix->get<std::string>();
  for (int32_t id = 0; id < int32_t(tokenizer.size()); ++id) {
    StringRef piece = tokenizer.piece(id), text = piece;
    bool continues = !inside.empty() && text.size() > inside.size() &&
                     text.consume_front(inside);
    if (piece.empty())
      continue;
    if (isByte(piece)) {
      ids.insert(id);
      continue;
    }
    if (asciiOnly && !llvm::isASCII(text))
      continue;
    std::vector<StringRef> characters = charactersOf(text);
    bool spelled = characters.size() > 1;
    for (size_t i = 0; i < characters.size() && spelled; ++i)
      spelled =
          tokenizer.lookup((continues || i ? inside : "") + characters[i].str())
              .has_value();
    if (!spelled)
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
      if (!inside.empty())
        right.consume_front(inside);
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
