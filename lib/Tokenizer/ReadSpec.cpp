//===- ReadSpec.cpp - tokenizer.json, its outline -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Spec.h"
#include "llvm/Support/ConvertUTF.h"
#include <map>

using namespace llvm;

namespace plmc::tokenizer {

void addStep(std::vector<uint32_t> &program, uint32_t opcode,
             ArrayRef<uint32_t> operands) {
  program.push_back(opcode | uint32_t(operands.size()) << 8);
  program.insert(program.end(), operands.begin(), operands.end());
}

void addText(std::vector<uint32_t> &operands, StringRef text) {
  std::vector<UTF32> chars(text.size() + 1);
  const UTF8 *from = reinterpret_cast<const UTF8 *>(text.begin());
  UTF32 *to = chars.data();
  // JSON holds nothing but UTF-8.
  ConvertUTF8toUTF32(&from, reinterpret_cast<const UTF8 *>(text.end()), &to,
                     to + chars.size(), strictConversion);
  operands.push_back(uint32_t(to - chars.data()));
  operands.insert(operands.end(), chars.data(), to);
}

/// Ids are given as the package does: of a piece of the model its own, else
/// the next free one, whatever the file says; if that is another one, the file
/// was made by hand.
void readAddedTokens(const JsonNode &node, Spec &spec) {
  std::map<std::string, size_t> known;
  uint32_t next = spec.modelSize;
  for (const JsonNode &entry : node.elements()) {
    Added added;
    added.text = entry["content"].string();
    if (added.text.empty())
      continue;
    bool special = entry["special"].boolean(false);
    added.normalized = entry["normalized"].boolean(!special);
    if (entry["lstrip"].boolean(false))
      added.flags |= PLM_TOK_ADDED_LSTRIP;
    if (entry["rstrip"].boolean(false))
      added.flags |= PLM_TOK_ADDED_RSTRIP;
    if (entry["single_word"].boolean(false))
      added.flags |= PLM_TOK_ADDED_SINGLE_WORD;
    if (special)
      added.flags |= PLM_TOK_ADDED_SPECIAL;
    added.pattern = added.text;
    auto [at, isNew] = known.try_emplace(added.text, spec.added.size());
    auto piece = spec.ids.find(added.text);
    if (!isNew)
      added.id = spec.added[at->second].id;
    else if (piece != spec.ids.end())
      added.id = piece->second;
    else
      added.id = next++;
    int64_t written =
        entry["id"].integer(added.id, 0, int64_t(UINT32_MAX) >> 1);
    if (written != added.id)
      entry.fail("the token '" + added.text + "' has id " + Twine(written) +
                 ", but the vocabulary makes it " + Twine(added.id) +
                 "; save the tokenizer with the package `tokenizers` again");
    if (!isNew) {
      spec.added[at->second] = added;
      continue;
    }
    spec.added.push_back(added);
    if (spec.pieces.size() <= added.id)
      spec.pieces.resize(added.id + 1);
    spec.pieces[added.id] = added.text;
  }
}

static void readTruncation(const JsonNode &node, Spec &spec) {
  if (node.isNull())
    return;
  spec.maxLength = uint32_t(node["max_length"].integer(0, 0, 1 << 30));
  spec.truncation = node["strategy"].choice(
      {"LongestFirst", "OnlyFirst", "OnlySecond"}, PLM_TOK_LONGEST_FIRST);
  if (node["direction"].choice({"Right", "Left"}, 0) == 1)
    spec.flags |= PLM_TOK_TRUNCATE_LEFT;
  // "stride" is about the parts that are cut off, which nobody asks for here.
}

/// The id that fills up a batch.
static int32_t findPad(const JsonNode &root, const Spec &spec) {
  JsonNode padding = root["padding"];
  if (!padding.isNull())
    return int32_t(padding["pad_id"].integer(
        0, 0, std::max<int64_t>(spec.pieces.size(), 1) - 1));
  for (StringRef name : {"[PAD]", "<pad>"}) {
    for (const Added &added : spec.added)
      if (added.text == name)
        return int32_t(added.id);
    if (auto found = spec.ids.find(name); found != spec.ids.end())
      return int32_t(found->second);
  }
  return -1;
}

Spec readSpec(const Json &json, Failure &failure) {
  Spec spec;
  JsonNode root(json, "", failure);
  JsonNode model = root["model"];
  if (!model.isObject()) {
    model.fail("there is no model; a tokenizer.json of the package "
               "`tokenizers` is expected");
    return spec;
  }
  readModel(model, spec);
  if (failure)
    return spec;
  readAddedTokens(root["added_tokens"], spec);
  readNormalizer(root["normalizer"], spec);
  readPreTokenizer(root["pre_tokenizer"], spec);
  readPostProcessor(root["post_processor"], spec);
  readTruncation(root["truncation"], spec);
  spec.padId = findPad(root, spec);
  return spec;
}

} // namespace plmc::tokenizer
