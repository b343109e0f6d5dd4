//===- ReduceVocabulary.cpp - Fewer pieces, other ids ---------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tokenizer.json is rewritten, and read again like any other: whatever
// holds an id gets the new one. Pieces that were added tokens only (a mask
// behind the last piece of the model) become pieces of the model: so their ids
// can be anything. They are still found as added tokens before the model sees
// the text.
//
//===----------------------------------------------------------------------===//

#include "Spec.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace plmc::tokenizer {

namespace {

class Reducer {
public:
  Reducer(const Json &json, const Spec &spec) : json(json), spec(spec) {}
  Expected<Json> run(ArrayRef<int32_t> kept);

private:
  Error number(ArrayRef<int32_t> kept);
  Error need(int64_t id, StringRef what);
  void rewriteModel(ArrayRef<int32_t> kept);
  void rewriteMerges(Json &model);
  void rewriteAdded();
  void rewriteProcessor(Json &node);

  Json json;
  const Spec &spec;
  DenseMap<int64_t, int64_t> newIds;
};

Error Reducer::number(ArrayRef<int32_t> kept) {
  if (kept.empty())
    return createStringError("a vocabulary needs at least one piece");
  for (auto [index, id] : enumerate(kept)) {
    if (id < 0 || size_t(id) >= spec.pieces.size() || spec.pieces[id].empty())
      return createStringError("there is no piece with id " + Twine(id) +
                               "; ids are 0 to " +
                               Twine(spec.pieces.size() - 1));
    if (!newIds.try_emplace(id, int64_t(index)).second)
      return createStringError("id " + Twine(id) + " is kept twice");
  }
  return Error::success();
}

Error Reducer::need(int64_t id, StringRef what) {
  if (newIds.contains(id))
    return Error::success();
  return createStringError("id " + Twine(id) + " ('" + spec.pieces[id] +
                           "') is " + what + ": keep it");
}

void Reducer::rewriteModel(ArrayRef<int32_t> kept) {
  Json &model = json["model"];
  if (spec.model == PLM_TOK_UNIGRAM) {
    Json vocabulary = Json::array();
    for (int32_t id : kept) {
      bool known = spec.ids.count(spec.pieces[id]);
      vocabulary.push_back(
          {spec.pieces[id], known ? spec.scores[id] : spec.lowestScore});
    }
    model["vocab"] = std::move(vocabulary);
    model["unk_id"] = newIds[spec.unknownId];
    return;
  }
  Json vocabulary = Json::object();
  for (auto [index, id] : enumerate(kept))
    vocabulary[spec.pieces[id]] = index;
  model["vocab"] = std::move(vocabulary);
  if (spec.model == PLM_TOK_BPE)
    rewriteMerges(model);
}

void Reducer::rewriteMerges(Json &model) {
  Json merges = Json::array();
  for (auto [index, ids] : enumerate(spec.merges))
    if (ids[0] != UINT32_MAX &&
        all_of(ids, [&](uint32_t id) { return newIds.contains(id); }))
      merges.push_back(model["merges"][index]);
  model["merges"] = std::move(merges);
}

void Reducer::rewriteAdded() {
  auto list = json.find("added_tokens");
  if (list == json.end() || !list->is_array())
    return;
  Json added = Json::array();
  for (Json &entry : *list) {
    auto text = entry.value("content", std::string());
    auto token =
        find_if(spec.added, [&](const Added &t) { return t.text == text; });
    if (token == spec.added.end() || !newIds.contains(token->id))
      continue;
    entry["id"] = newIds[token->id];
    added.push_back(std::move(entry));
  }
  *list = std::move(added);
}

/// Ids in templates, and in pairs of a token and its id.
void Reducer::rewriteProcessor(Json &node) {
  if (!node.is_object())
    return;
  if (auto parts = node.find("processors"); parts != node.end())
    for (Json &part : *parts)
      rewriteProcessor(part);
  for (const char *key : {"cls", "sep"})
    if (auto pair = node.find(key);
        pair != node.end() && pair->is_array() && pair->size() == 2)
      (*pair)[1] = newIds[(*pair)[1].get<int64_t>()];
  auto specials = node.find("special_tokens");
  if (specials == node.end() || !specials->is_object())
    return;
  Json left = Json::object();
  for (auto &[name, token] : specials->items()) {
    bool known = true;
    for (Json &id : token["ids"]) {
      known &= newIds.contains(id.get<int64_t>());
      id = newIds.lookup(id.get<int64_t>());
    }
    if (known) // others are in no template: run() has seen to that
      left[name] = token;
  }
  *specials = std::move(left);
}

Expected<Json> Reducer::run(ArrayRef<int32_t> kept) {
  if (Error error = number(kept))
    return std::move(error);
  if (spec.unknownId >= 0)
    if (Error error = need(spec.unknownId, "the unknown piece"))
      return std::move(error);
  for (const auto *items : {&spec.single, &spec.pair})
    for (const plm_tok_item &item : *items)
      if (item.kind == PLM_TOK_ITEM_ID)
        if (Error error = need(item.value, "added to every text"))
          return std::move(error);
  if (auto padding = json.find("padding");
      padding != json.end() && padding->is_object()) {
    if (Error error = need(spec.padId, "the padding"))
      return std::move(error);
    (*padding)["pad_id"] = newIds[spec.padId];
  }
  rewriteAdded();
  rewriteModel(kept);
  rewriteProcessor(json["post_processor"]);
  return std::move(json);
}

} // namespace

Expected<Json> reduceVocabulary(const Json &json, const Spec &spec,
                                ArrayRef<int32_t> kept) {
  return Reducer(json, spec).run(kept);
}

} // namespace plmc::tokenizer
