//===- WordPieceTrainer.cpp - A new vocabulary of texts
//----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Byte pair encoding on characters. Counts of pairs are kept up to date: a
// merge changes the words that hold the pair, and no others. The queue holds
// counts as they once were; one that is no longer true is put back as it is
// now. All orders are of numbers, so that the same texts give the same pieces.
//
//===----------------------------------------------------------------------===//

#include "WordPieceTrainer.h"
#include "TokenCounts.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"
#include <queue>

using namespace plmc;

llvm::Expected<WordCounts>
plmc::countWords(const Tokenizer &base, llvm::StringRef inside,
                 llvm::ArrayRef<std::string> corpus) {
  WordCounts words;
  llvm::DenseSet<int32_t> apart;
  for (const AddedToken &token : base.addedTokens())
    apart.insert(token.id);
  if (auto unknown = base.unknownId())
    apart.insert(*unknown);
  EncodeOptions options{/*maxLength=*/UINT32_MAX, /*addSpecial=*/false};
  std::vector<int32_t> word;
  auto end = [&] {
    if (!word.empty())
      ++words[word];
    word.clear();
  };
  llvm::Error error =
      forEachLine(corpus, [&](llvm::StringRef line) -> llvm::Error {
        auto encoding = base.encode(line, options);
        if (!encoding)
          return encoding.takeError();
        for (int32_t id : encoding->ids) {
          if (apart.contains(id) || !base.piece(id).starts_with(inside))
            end();
          if (!apart.contains(id))
            word.push_back(id);
        }
        end();
        return llvm::Error::success();
      });
  if (error)
    return std::move(error);
  return words;
}

namespace {

using Pair = std::pair<int32_t, int32_t>;

class Trainer {
public:
  Trainer(const WordCounts &counted) {
    for (const auto &[word, count] : counted) {
      words.push_back(word);
      counts.push_back(count);
      addPairs(words.size() - 1, count);
    }
    for (const auto &[pair, count] : pairs)
      queue.push({count, pair});
  }
  /// The most frequent pair, if one occurs twice.
  std::optional<Pair> next();
  void merge(Pair pair, int32_t result);

private:
  void addPairs(size_t index, int64_t sign);

  struct Entry {
    int64_t count;
    Pair pair;
    bool operator<(const Entry &other) const {
      return std::tie(count, other.pair) < std::tie(other.count, pair);
    }
  };
  std::vector<std::vector<int32_t>> words;
  std::vector<int64_t> counts;
  llvm::DenseMap<Pair, int64_t> pairs;
  llvm::DenseMap<Pair, std::vector<size_t>> places; // words, some no longer
  std::priority_queue<Entry> queue;
};

} // namespace

void Trainer::addPairs(size_t index, int64_t count) {
  const std::vector<int32_t> &word = words[index];
  for (size_t i = 0; i + 1 < word.size(); ++i) {
    Pair pair{word[i], word[i + 1]};
    pairs[pair] += count;
    if (count > 0)
      places[pair].push_back(index);
  }
}

std::optional<Pair> Trainer::next() {
  while (!queue.empty()) {
    Entry top = queue.top();
    queue.pop();
    int64_t now = pairs.lookup(top.pair);
    if (now == top.count && now >= 2)
      return top.pair;
    if (now >= 2 && now < top.count)
      queue.push({now, top.pair});
  }
  return std::nullopt;
}

void Trainer::merge(Pair pair, int32_t result) {
  std::vector<size_t> where = std::move(places[pair]);
  places.erase(pair);
  llvm::sort(where);
  where.erase(std::unique(where.begin(), where.end()), where.end());
  std::vector<Pair> changed;
  for (size_t index : where) {
    addPairs(index, -counts[index]);
    std::vector<int32_t> &word = words[index], merged;
    for (size_t i = 0; i < word.size(); ++i) {
      bool here = i + 1 < word.size() && Pair{word[i], word[i + 1]} == pair;
      merged.push_back(here ? result : word[i]);
      i += here;
    }
    word = std::move(merged);
    addPairs(index, counts[index]);
    for (size_t i = 0; i + 1 < word.size(); ++i)
      if (word[i] == result || word[i + 1] == result)
        changed.push_back({word[i], word[i + 1]});
  }
  llvm::sort(changed);
  changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
  for (Pair grown : changed)
    queue.push({pairs.lookup(grown), grown});
}

std::vector<std::string> plmc::trainPieces(const Tokenizer &base,
                                           llvm::StringRef inside,
                                           const WordCounts &words,
                                           size_t size) {
  std::vector<std::string> pieces;
  llvm::StringMap<int32_t> ids;
  for (int32_t id = 0; id < int32_t(base.size()); ++id) {
    pieces.push_back(base.piece(id).str());
    ids[pieces.back()] = id;
  }
  Trainer trainer(words);
  while (pieces.size() < size) {
    std::optional<Pair> pair = trainer.next();
    if (!pair)
      break;
    llvm::StringRef right = pieces[pair->second];
    right.consume_front(inside);
    std::string text = pieces[pair->first] + right.str();
    auto [known, isNew] = ids.try_emplace(text, int32_t(pieces.size()));
    if (isNew)
      pieces.push_back(text);
    trainer.merge(*pair, known->second);
  }
  return pieces;
}
