//===- VocabText.cpp - vocab.txt as tokenizer.json ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Spec.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace plmc::tokenizer {

Expected<Json> configBeside(StringRef path) {
  SmallString<128> beside(path);
  sys::path::remove_filename(beside);
  sys::path::append(beside, "tokenizer_config.json");
  if (!sys::fs::exists(beside))
    return Json();
  auto text = readTokenizerFile(beside);
  if (!text)
    return text.takeError();
  return parseJson(*text, beside);
}

static bool hasUpperCase(const Json &vocabulary) {
  for (auto &[piece, id] : vocabulary.items())
    if (!StringRef(piece).starts_with("[") &&
        any_of(piece, [](char c) { return c >= 'A' && c <= 'Z'; }))
      return true;
  return false;
}

static Expected<Json> readLines(StringRef text, Failure &failure) {
  Json vocabulary = Json::object();
  int64_t id = 0;
  text.consume_back("\n");
  while (!failure && !text.empty()) {
    auto [line, rest] = text.split('\n');
    text = rest;
    line = line.rtrim('\r');
    const auto *begin = reinterpret_cast<const UTF8 *>(line.begin());
    if (line.contains('\0') ||
        !isLegalUTF8String(&begin, reinterpret_cast<const UTF8 *>(line.end())))
      failure.set("line " + Twine(id + 1) +
                  " is no UTF-8 text; a vocabulary with one piece a line is "
                  "expected");
    // Empty or repeated lines take an id all the same.
    if (!line.empty())
      vocabulary[line.str()] = id;
    ++id;
  }
  if (!failure && vocabulary.empty())
    failure.set("it is empty; a vocabulary with one piece a line is expected");
  if (failure)
    return failure.take();
  return vocabulary;
}

static Json special(const std::string &text, const Json &id) {
  return {{"id", id},        {"content", text}, {"single_word", false},
          {"lstrip", false}, {"rstrip", false}, {"normalized", false},
          {"special", true}};
}

static Json sequence(const char *id, int type) {
  return {{"Sequence", {{"id", id}, {"type_id", type}}}};
}

static Json token(const char *id, int type) {
  return {{"SpecialToken", {{"id", id}, {"type_id", type}}}};
}

static Json bertTemplate(const Json &vocabulary) {
  Json result = {{"type", "TemplateProcessing"}};
  result["single"] = {token("[CLS]", 0), sequence("A", 0), token("[SEP]", 0)};
  result["pair"] = {token("[CLS]", 0), sequence("A", 0), token("[SEP]", 0),
                    sequence("B", 1), token("[SEP]", 1)};
  for (const char *name : {"[CLS]", "[SEP]"})
    result["special_tokens"][name] = {
        {"id", name}, {"ids", {vocabulary[name]}}, {"tokens", {name}}};
  return result;
}

Expected<Json> jsonOfVocabText(StringRef text, StringRef path,
                               std::optional<bool> lowercase) {
  Failure failure{path.str(), ""};
  auto vocabulary = readLines(text, failure);
  if (!vocabulary)
    return vocabulary.takeError();
  auto config = configBeside(path);
  if (!config)
    return config.takeError();
  JsonNode settings(*config, "", failure);
  if (!lowercase && settings["do_lower_case"].json().is_boolean())
    lowercase = settings["do_lower_case"].boolean(true);
  if (!lowercase)
    lowercase = !hasUpperCase(*vocabulary);
  for (const char *name : {"[UNK]", "[CLS]", "[SEP]"})
    if (!vocabulary->contains(name))
      failure.set(Twine("there is no ") + name +
                  "; BERT's vocabularies have one. If this is of another kind, "
                  "use its tokenizer.json");
  Json strip = settings["strip_accents"].json();
  Json chinese = settings["tokenize_chinese_chars"].json();
  Json json;
  json["version"] = "1.0";
  json["truncation"] = nullptr;
  json["padding"] = nullptr;
  json["added_tokens"] = Json::array();
  for (const char *name : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"})
    if (vocabulary->contains(name))
      json["added_tokens"].push_back(special(name, (*vocabulary)[name]));
  json["normalizer"] = {
      {"type", "BertNormalizer"},
      {"clean_text", true},
      {"handle_chinese_chars", chinese.is_boolean() ? chinese : Json(true)},
      {"strip_accents", strip.is_boolean() ? strip : Json()},
      {"lowercase", *lowercase}};
  json["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  if (failure)
    return failure.take();
  json["post_processor"] = bertTemplate(*vocabulary);
  json["decoder"] = {
      {"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}};
  json["model"] = {{"type", "WordPiece"},
                   {"unk_token", "[UNK]"},
                   {"continuing_subword_prefix", "##"},
                   {"max_input_chars_per_word", 100}};
  json["model"]["vocab"] = std::move(*vocabulary);
  return json;
}

} // namespace plmc::tokenizer
