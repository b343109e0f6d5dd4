//===- SentencePiece.cpp - SentencePiece models as tokenizer.json ---------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A .model says how SentencePiece itself would tokenize. Models that are used
// with it do a little differently, and the package `transformers` knows how
// when it turns a .model into a tokenizer.json. These rules are its: of ALBERT
// where the pieces have [CLS] and [SEP] (unless tokenizer_config.json says
// otherwise: accents are stripped and letters lowered), of XLM-RoBERTa where
// the file is called sentencepiece.bpe.model or the configuration says so (ids
// are those of fairseq), else the general ones.
//
//===----------------------------------------------------------------------===//

#include "Spec.h"
#include "sentencepiece.pb.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Base64.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/Path.h"
#include <map>
#include <numeric>

using namespace llvm;

namespace plmc::tokenizer {

using Model = plmc::sentencepiece::ModelProto;

static constexpr const char *mark = "\xe2\x96\x81";

static Json regexReplace(const char *pattern, const char *content) {
  return {{"type", "Replace"},
          {"pattern", {{"Regex", pattern}}},
          {"content", content}};
}

static Json textReplace(const char *pattern, const char *content) {
  return {{"type", "Replace"},
          {"pattern", {{"String", pattern}}},
          {"content", content}};
}

static Json addedToken(const std::string &text, int64_t id, bool isSpecial,
                       bool lstrip = false) {
  return {{"id", id},
          {"content", text},
          {"single_word", false},
          {"lstrip", lstrip},
          {"rstrip", false},
          {"normalized", false},
          {"special", isSpecial}};
}

namespace {

class Converter {
public:
  Converter(const Model &model, const Json &config, Failure &failure)
      : model(model), config(config, "", failure), failure(failure) {}
  Json convert(StringRef path);

private:
  enum class Style { Plain, Albert, XLMRoberta };
  Style styleOf(StringRef path) const;
  bool check();
  void addVocabulary(Style style);
  void addMerges();
  void addNormalizer(Style style);
  void addTemplate(Style style);
  int64_t idOf(StringRef piece) const;

  const Model &model;
  JsonNode config;
  Failure &failure;
  Json json;
  std::vector<std::pair<std::string, double>> pieces;
};

Converter::Style Converter::styleOf(StringRef path) const {
  auto has = [&](StringRef name) {
    return any_of(model.pieces(),
                  [&](const auto &piece) { return piece.piece() == name; });
  };
  std::string name = config["tokenizer_class"].isString()
                         ? config["tokenizer_class"].string()
                         : "";
  if (StringRef(name).starts_with("XLMRoberta") ||
      (name.empty() && sys::path::filename(path) == "sentencepiece.bpe.model"))
    return Style::XLMRoberta;
  if (has("[CLS]") && has("[SEP]"))
    return Style::Albert;
  return Style::Plain;
}

bool Converter::check() {
  if (model.pieces_size() == 0)
    failure.set("it has no pieces; a SentencePiece model is expected");
  for (const auto &piece : model.pieces()) {
    const auto *begin = reinterpret_cast<const UTF8 *>(piece.piece().data());
    if (!isLegalUTF8String(&begin, begin + piece.piece().size()))
      failure.set("a piece is no UTF-8; the file is damaged");
  }
  int type = model.trainer_spec().model_type();
  if (type != 1 && type != 2)
    failure.set("models of type " + Twine(type) +
                " (word, char) are not supported; unigram and BPE are");
  int64_t unknown = model.trainer_spec().unk_id();
  if (unknown < 0 || unknown >= model.pieces_size())
    failure.set("its unknown piece has id " + Twine(unknown) + ", there are " +
                Twine(model.pieces_size()) + " pieces");
  return !failure;
}

/// "12," scores 100 less, as `transformers` has it for ALBERT.
static bool endsWithNumberAndComma(StringRef piece) {
  return piece.size() >= 2 && piece.back() == ',' &&
         isDigit(piece[piece.size() - 2]);
}

void Converter::addVocabulary(Style style) {
  int64_t first = 0;
  if (style == Style::XLMRoberta) {
    pieces = {{"<s>", 0.0}, {"<pad>", 0.0}, {"</s>", 0.0}, {"<unk>", 0.0}};
    first = 3;
  }
  for (int64_t i = first; i < model.pieces_size(); ++i) {
    const auto &piece = model.pieces(int(i));
    double score = piece.score();
    if (style == Style::Albert && endsWithNumberAndComma(piece.piece()))
      score -= 100;
    pieces.push_back({piece.piece(), score});
  }
  if (style == Style::XLMRoberta)
    pieces.push_back({"<mask>", 0.0});
  Json &added = json["added_tokens"] = Json::array();
  if (style == Style::XLMRoberta) {
    for (int64_t id = 0; id < 4; ++id)
      added.push_back(addedToken(pieces[id].first, id, true));
    added.push_back(addedToken("<mask>", int64_t(pieces.size()) - 1, true,
                               /*lstrip=*/true));
  } else {
    static const StringRef specials[] = {"<pad>", "<unk>", "[CLS]", "[SEP]",
                                         "[MASK]"};
    for (auto [id, piece] : enumerate(model.pieces()))
      if (piece.type() == 3 || piece.type() == 4 ||
          (style == Style::Albert && is_contained(specials, piece.piece())))
        added.push_back(addedToken(piece.piece(), int64_t(id),
                                   piece.type() == 3 ||
                                       is_contained(specials, piece.piece()),
                                   piece.piece() == "[MASK]"));
  }
  Json &result = json["model"];
  bool bytes = model.trainer_spec().byte_fallback();
  if (model.trainer_spec().model_type() == 1) {
    result["type"] = "Unigram";
    result["unk_id"] =
        style == Style::XLMRoberta ? 3 : model.trainer_spec().unk_id();
    result["byte_fallback"] = bytes;
    result["vocab"] = pieces;
    return;
  }
  result["type"] = "BPE";
  result["unk_token"] = pieces[model.trainer_spec().unk_id()].first;
  result["fuse_unk"] = true;
  result["byte_fallback"] = bytes;
  for (auto [id, piece] : enumerate(pieces))
    result["vocab"][piece.first] = id;
  addMerges();
}

/// Every way to divide a piece into two pieces is a merge; better pieces come
/// first, and of one piece its parts in the order of their ids.
void Converter::addMerges() {
  std::map<std::string, int64_t> ids;
  for (auto [id, piece] : enumerate(pieces))
    ids[piece.first] = int64_t(id);
  struct Merge {
    double score;
    int64_t left, right;
  };
  std::vector<Merge> merges;
  for (auto &[text, score] : pieces) {
    std::vector<Merge> own;
    for (size_t at = 1; at < text.size() && text.size() <= 1024; ++at) {
      if ((text[at] & 0xc0) == 0x80)
        continue;
      auto left = ids.find(text.substr(0, at));
      auto right = ids.find(text.substr(at));
      if (left != ids.end() && right != ids.end())
        own.push_back({score, left->second, right->second});
    }
    llvm::sort(own, [](const Merge &a, const Merge &b) {
      return std::tie(a.left, a.right) < std::tie(b.left, b.right);
    });
    merges.insert(merges.end(), own.begin(), own.end());
  }
  std::vector<size_t> order(merges.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](size_t a, size_t b) {
    return std::pair(-merges[a].score, a) < std::pair(-merges[b].score, b);
  });
  Json &list = json["model"]["merges"] = Json::array();
  for (size_t index : order)
    list.push_back(
        {pieces[merges[index].left].first, pieces[merges[index].right].first});
}

void Converter::addNormalizer(Style style) {
  Json steps = Json::array();
  if (style == Style::Albert) {
    steps.push_back(textReplace("``", "\""));
    steps.push_back(textReplace("''", "\""));
    if (!config["keep_accents"].boolean(false)) {
      steps.push_back({{"type", "NFKD"}});
      steps.push_back({{"type", "StripAccents"}});
    }
    if (config["do_lower_case"].boolean(true))
      steps.push_back({{"type", "Lowercase"}});
  }
  const std::string &rules = model.normalizer_spec().precompiled_charsmap();
  if (!rules.empty())
    steps.push_back({{"type", "Precompiled"},
                     {"precompiled_charsmap", encodeBase64(rules)}});
  if (style == Style::Albert) {
    steps.push_back(regexReplace(" {2,}", " "));
  } else {
    steps.push_back(
        {{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}});
    steps.push_back(regexReplace(" {2,}", mark));
  }
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", steps}};
}

int64_t Converter::idOf(StringRef piece) const {
  for (auto [id, entry] : enumerate(pieces))
    if (entry.first == piece)
      return int64_t(id);
  return -1;
}

void Converter::addTemplate(Style style) {
  json["post_processor"] = nullptr;
  if (style == Style::Plain)
    return;
  bool albert = style == Style::Albert;
  std::string cls = albert ? "[CLS]" : "<s>", sep = albert ? "[SEP]" : "</s>";
  auto token = [](const std::string &id, int type) {
    return Json{{"SpecialToken", {{"id", id}, {"type_id", type}}}};
  };
  auto text = [](const char *id, int type) {
    return Json{{"Sequence", {{"id", id}, {"type_id", type}}}};
  };
  Json single = {token(cls, 0), text("A", 0), token(sep, 0)};
  Json pair = single;
  if (!albert)
    pair.push_back(token(sep, 0));
  pair.push_back(text("B", albert ? 1 : 0));
  pair.push_back(token(sep, albert ? 1 : 0));
  Json specials;
  for (const std::string &name : {cls, sep})
    specials[name] = {{"id", name}, {"ids", {idOf(name)}}, {"tokens", {name}}};
  json["post_processor"] = {{"type", "TemplateProcessing"},
                            {"single", single},
                            {"pair", pair},
                            {"special_tokens", specials}};
}

Json Converter::convert(StringRef path) {
  if (!check())
    return {};
  Style style = styleOf(path);
  json["version"] = "1.0";
  json["truncation"] = nullptr;
  json["padding"] = nullptr;
  addVocabulary(style);
  addNormalizer(style);
  std::string scheme =
      model.normalizer_spec().add_dummy_prefix() ? "always" : "never";
  Json metaspace = {{"type", "Metaspace"},
                    {"replacement", mark},
                    {"prepend_scheme", scheme},
                    {"split", true}};
  json["pre_tokenizer"] = metaspace;
  json["decoder"] = metaspace;
  addTemplate(style);
  return std::move(json);
}

} // namespace

Expected<Json> jsonOfSentencePiece(StringRef bytes, StringRef path) {
  Failure failure{path.str(), ""};
  Model model;
  if (!model.ParseFromArray(bytes.data(), int(bytes.size())))
    failure.set("it is no SentencePiece model, or is cut off");
  auto config = configBeside(path);
  if (!config)
    return config.takeError();
  Json json;
  if (!failure)
    json = Converter(model, *config, failure).convert(path);
  if (failure)
    return failure.take();
  return json;
}

} // namespace plmc::tokenizer
