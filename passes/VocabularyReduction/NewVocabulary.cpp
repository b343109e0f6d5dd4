//===- NewVocabulary.cpp - A tokenizer of other pieces
//-----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NewVocabulary.h"
#include "WordPieceTrainer.h"
#include <nlohmann/json.hpp>

using namespace plmc;
using llvm::StringRef;

/// The old pieces of a text, longest first; empty if there is none at a place.
static std::vector<int32_t> cut(const Tokenizer &old, StringRef inside,
                                StringRef piece) {
  std::vector<int32_t> parts;
  bool continues = piece.consume_front(inside);
  while (!piece.empty()) {
    size_t length = piece.size();
    std::optional<int32_t> found;
    for (; length && !found; --length)
      if (auto id = old.lookup((continues ? inside.str() : "") +
                               piece.take_front(length).str()))
        found = id, ++length;
    if (!found)
      return {};
    parts.push_back(*found);
    piece = piece.drop_front(length);
    continues = true;
  }
  return parts;
}

/// sum_i w_i e_i / sum_i w_i
static RowMix mixOf(const Tokenizer &old, StringRef inside,
                    llvm::ArrayRef<int32_t> parts,
                    llvm::ArrayRef<double> counts, PieceWeight weight) {
  std::vector<double> weights;
  double sum = 0;
  for (int32_t id : parts) {
    double value = 1;
    if (weight == PieceWeight::Length) {
      StringRef text = old.piece(id);
      text.consume_front(inside);
      value = double(text.size());
    } else if (weight == PieceWeight::Frequency) {
      value = 1 + counts[id];
    }
    weights.push_back(value);
    sum += value;
  }
  RowMix mix;
  for (size_t i = 0; i < parts.size(); ++i)
    mix.push_back({parts[i], weights[i] / sum});
  return mix;
}

llvm::Expected<NewVocabulary>
NewVocabulary::train(const Tokenizer &old, llvm::ArrayRef<int32_t> required,
                     llvm::ArrayRef<std::string> corpus, int64_t size,
                     llvm::ArrayRef<double> counts, PieceWeight weight) {
  nlohmann::json model = nlohmann::json::parse(old.json(), nullptr, false);
  if (old.kind() != "WordPiece" ||
      !model["model"]["continuing_subword_prefix"].is_string())
    return llvm::createStringError("method=new trains WordPiece; the model's "
                                   "tokenizer is " +
                                   old.kind() + ": use method=trim");
  auto inside = model["model"]["continuing_subword_prefix"].get<std::string>();
  if (inside.empty() || corpus.empty())
    return llvm::createStringError("method=new learns pieces from texts: give "
                                   "corpus=FILE.txt,...");
  if (size < int64_t(required.size()) || size > int64_t(old.size()))
    return llvm::createStringError(
        "size=" + llvm::Twine(size) + ": method=new needs " +
        llvm::Twine(required.size()) + " (special pieces and characters) to " +
        llvm::Twine(old.size()));
  auto base = old.withVocabulary(required);
  if (!base)
    return base.takeError();
  auto words = countWords(**base, inside, corpus);
  if (!words)
    return words.takeError();
  std::vector<std::string> pieces = trainPieces(**base, inside, *words, size);

  NewVocabulary result;
  nlohmann::json json = nlohmann::json::parse((*base)->json(), nullptr, false);
  for (size_t id = required.size(); id < pieces.size(); ++id)
    json["model"]["vocab"][pieces[id]] = id;
  auto tokenizer = Tokenizer::fromJson(json.dump(), "the new tokenizer.json");
  if (!tokenizer)
    return tokenizer.takeError();
  result.tokenizer = std::move(*tokenizer);
  result.newIds.assign(old.size(), -1);
  for (size_t id = 0; id < pieces.size(); ++id) {
    std::vector<int32_t> parts;
    if (id < required.size())
      parts = {required[id]};
    else if (auto same = old.lookup(pieces[id]))
      parts = {*same};
    else
      parts = cut(old, inside, pieces[id]);
    if (parts.empty())
      parts = {*old.unknownId()};
    if (parts.size() == 1)
      result.newIds[parts.front()] = int32_t(id);
    result.mixed += parts.size() > 1;
    result.rows.push_back(mixOf(old, inside, parts, counts, weight));
  }
  return result;
}
