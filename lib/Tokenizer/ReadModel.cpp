//===- ReadModel.cpp - Vocabularies and merges of tokenizer.json ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Spec.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <map>

using namespace llvm;

namespace plmc::tokenizer {

/// Ids of pieces may have holes, but a few pieces must not ask for gigabytes.
static constexpr int64_t mostIds = int64_t(1) << 24;

static bool checkPiece(const JsonNode &node, StringRef piece) {
  if (!piece.contains('\0'))
    return true;
  node.fail("a piece holds the character U+0000; such vocabularies are not "
            "supported");
  return false;
}

static void setPiece(Spec &spec, StringRef piece, uint32_t id) {
  if (spec.pieces.size() <= id)
    spec.pieces.resize(id + 1);
  spec.pieces[id] = piece.str();
  spec.ids[piece] = id;
}

/// {"piece": id, ...}
static void readVocabulary(const JsonNode &node, Spec &spec) {
  if (!node.isObject() || node.json().empty()) {
    node.refuse("expected an object of pieces and their ids");
    return;
  }
  int64_t limit =
      std::min<int64_t>(mostIds, int64_t(node.json().size()) * 16 + 65536);
  for (auto &[piece, value] : node.json().items()) {
    if (!value.is_number_integer() || value.get<int64_t>() < 0 ||
        value.get<int64_t>() >= limit) {
      node.fail("the id of '" + piece + "' must be an integer from 0 to " +
                Twine(limit - 1));
      return;
    }
    if (!checkPiece(node, piece))
      return;
    setPiece(spec, piece, uint32_t(value.get<int64_t>()));
  }
  spec.modelSize = uint32_t(node.json().size());
}

/// [["piece", score], ...]
static void readScores(const JsonNode &node, Spec &spec) {
  if (!node.isArray() || node.json().empty() ||
      node.json().size() > size_t(mostIds)) {
    node.refuse("expected a list of pieces and their scores");
    return;
  }
  for (auto [index, entry] : enumerate(node.json())) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() ||
        !entry[1].is_number() || !std::isfinite(entry[1].get<double>())) {
      node.fail("entry " + Twine(index) + " is no piece with its score");
      return;
    }
    auto piece = entry[0].get<std::string>();
    if (!checkPiece(node, piece))
      return;
    setPiece(spec, piece, uint32_t(index));
    spec.scores.push_back(entry[1].get<double>());
  }
  spec.modelSize = uint32_t(node.json().size());
  spec.lowestScore = *std::min_element(spec.scores.begin(), spec.scores.end());
}

static int32_t idOf(const JsonNode &node, const Spec &spec, StringRef piece) {
  auto found = spec.ids.find(piece);
  if (found != spec.ids.end())
    return int32_t(found->second);
  node.fail("'" + piece + "' is not in the vocabulary");
  return -1;
}

/// "a b", or ["a", "b"].
static bool mergeParts(const Json &entry, std::string &left,
                       std::string &right) {
  if (entry.is_array() && entry.size() == 2 && entry[0].is_string() &&
      entry[1].is_string()) {
    left = entry[0].get<std::string>();
    right = entry[1].get<std::string>();
    return true;
  }
  if (!entry.is_string())
    return false;
  auto text = entry.get<std::string>();
  size_t space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != text.npos)
    return false;
  left = text.substr(0, space);
  right = text.substr(space + 1);
  return true;
}

static void readMerges(const JsonNode &node, Spec &spec) {
  if (!node.isArray()) {
    node.refuse("expected a list of merges");
    return;
  }
  // Of a pair that comes twice the later rank counts.
  std::map<std::pair<uint32_t, uint32_t>, size_t> ranks;
  for (auto [index, entry] : enumerate(node.json())) {
    std::string left, right;
    if (!mergeParts(entry, left, right)) {
      node.fail("entry " + Twine(index) + " is no pair of pieces");
      return;
    }
    std::string result = left;
    if (right.size() >= spec.continuing.size())
      result += right.substr(spec.continuing.size());
    std::array<uint32_t, 3> ids;
    const std::string *parts[] = {&left, &right, &result};
    for (size_t i = 0; i < 3; ++i) {
      auto found = spec.ids.find(*parts[i]);
      if (found == spec.ids.end()) {
        node.fail("entry " + Twine(index) + ": '" + *parts[i] +
                  "' is not in the vocabulary");
        return;
      }
      ids[i] = found->second;
    }
    ranks[{ids[0], ids[1]}] = index;
    spec.merges.push_back(ids);
  }
  for (auto [index, ids] : enumerate(spec.merges))
    if (ranks[{ids[0], ids[1]}] != index)
      ids[0] = UINT32_MAX; // without effect
}

static void readBPE(const JsonNode &node, Spec &spec) {
  spec.model = PLM_TOK_BPE;
  if (!node["dropout"].isNull() && node["dropout"].number() != 0)
    node["dropout"].refuse("it makes the result random; expected null");
  if (node["byte_fallback"].boolean(false))
    spec.flags |= PLM_TOK_BYTE_FALLBACK;
  if (node["fuse_unk"].boolean(false))
    spec.flags |= PLM_TOK_FUSE_UNKNOWN;
  if (node["ignore_merges"].boolean(false))
    spec.flags |= PLM_TOK_IGNORE_MERGES;
  spec.continuing = node["continuing_subword_prefix"].string();
  spec.wordEnd = node["end_of_word_suffix"].string();
  if (spec.continuing.size() > 64 || spec.wordEnd.size() > 64)
    node.fail("a prefix or suffix of pieces has more than 64 bytes");
  if ((spec.flags & PLM_TOK_BYTE_FALLBACK) &&
      !(spec.continuing.empty() && spec.wordEnd.empty()))
    node.fail("byte_fallback together with a prefix or suffix of pieces is "
              "not supported");
  readVocabulary(node["vocab"], spec);
  if (JsonNode unknown = node["unk_token"]; !unknown.isNull())
    spec.unknownId = idOf(unknown, spec, unknown.string());
  readMerges(node["merges"], spec);
}

static void readUnigram(const JsonNode &node, Spec &spec) {
  spec.model = PLM_TOK_UNIGRAM;
  if (node["byte_fallback"].boolean(false))
    spec.flags |= PLM_TOK_BYTE_FALLBACK;
  readScores(node["vocab"], spec);
  JsonNode unknown = node["unk_id"];
  if (unknown.isNull())
    unknown.fail("a Unigram model without an unknown piece cannot encode every "
                 "text; name one");
  spec.unknownId = int32_t(unknown.integer(
      0, 0, std::max<int64_t>(int64_t(spec.scores.size()) - 1, 0)));
}

static void readWords(const JsonNode &node, Spec &spec, bool pieces) {
  spec.model = pieces ? PLM_TOK_WORDPIECE : PLM_TOK_WORDLEVEL;
  readVocabulary(node["vocab"], spec);
  JsonNode unknown = node["unk_token"];
  spec.unknownId =
      idOf(unknown, spec, unknown.string(pieces ? "[UNK]" : "<unk>"));
  if (!pieces)
    return;
  spec.continuing = node["continuing_subword_prefix"].string("##");
  if (spec.continuing.size() > 64)
    node.fail("the prefix of continuing pieces has more than 64 bytes");
  spec.maxWordChars =
      uint32_t(node["max_input_chars_per_word"].integer(100, 0, 1 << 30));
}

void readModel(const JsonNode &node, Spec &spec) {
  std::string type = node["type"].string();
  if (type.empty()) { // files of old versions
    if (!node["merges"].isNull())
      type = "BPE";
    else if (node["vocab"].isArray())
      type = "Unigram";
    else
      type =
          node["max_input_chars_per_word"].isNull() ? "WordLevel" : "WordPiece";
  }
  if (type == "BPE")
    readBPE(node, spec);
  else if (type == "Unigram")
    readUnigram(node, spec);
  else if (type == "WordPiece" || type == "WordLevel")
    readWords(node, spec, type == "WordPiece");
  else
    node["type"].refuse("known are WordPiece, Unigram, BPE and WordLevel");
}

} // namespace plmc::tokenizer
