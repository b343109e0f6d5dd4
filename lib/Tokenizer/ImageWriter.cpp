//===- ImageWriter.cpp - The image of a tokenizer -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Runtime/Tokenize.h"
#include "DoubleArray.h"
#include "Spec.h"
#include "UnicodeTables.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/SHA256.h"

using namespace llvm;

namespace plmc::tokenizer {

namespace {

using Sections = std::array<std::string, PLM_TOK_NUM_SECTIONS>;

template <typename T> std::string bytesOf(const std::vector<T> &values) {
  return std::string(reinterpret_cast<const char *>(values.data()),
                     values.size() * sizeof(T));
}

uint64_t hashPieces(ArrayRef<std::string> pieces) {
  SHA256 hash;
  for (const std::string &piece : pieces) {
    uint32_t size = uint32_t(piece.size());
    hash.update(ArrayRef(reinterpret_cast<const uint8_t *>(&size), 4));
    hash.update(piece);
  }
  uint64_t result;
  std::memcpy(&result, hash.final().data(), sizeof(result));
  return result;
}

bool uses(const Spec &spec, std::initializer_list<uint32_t> opcodes) {
  for (size_t at = 0; at < spec.normalizer.size();
       at += 1 + (spec.normalizer[at] >> 8))
    if (is_contained(opcodes, spec.normalizer[at] & 255))
      return true;
  return false;
}

class Writer {
public:
  Writer(Spec &spec, Failure &failure) : spec(spec), failure(failure) {}
  std::vector<char> write();

private:
  void addUnicode();
  void addPieces();
  void addMerges();
  void addAdded();
  std::string trie(std::vector<std::pair<std::string, uint32_t>> keys);
  std::vector<char> assemble();
  void normalizePatterns(const std::vector<char> &image);
  void findWhole(const std::vector<char> &image);

  Spec &spec;
  Failure &failure;
  Sections sections;
};

void Writer::addUnicode() {
  const UnicodeTables &unicode = unicodeTables();
  sections[PLM_TOK_CLASS_INDEX] = unicode.classIndex;
  sections[PLM_TOK_CLASS_PAGES] = unicode.classPages;
  sections[PLM_TOK_CLASS_VALUES] = unicode.classValues;
  if (uses(spec, {PLM_TOK_LOWERCASE}))
    sections[PLM_TOK_LOWER] = unicode.lower;
  if (uses(spec, {PLM_TOK_NFD, PLM_TOK_NFC}))
    sections[PLM_TOK_CANONICAL] = unicode.canonical;
  if (uses(spec, {PLM_TOK_NFKD, PLM_TOK_NFKC}))
    sections[PLM_TOK_COMPATIBLE] = unicode.compatible;
  if (uses(spec, {PLM_TOK_NFC, PLM_TOK_NFKC}))
    sections[PLM_TOK_COMPOSE] = unicode.compose;
}

std::string Writer::trie(std::vector<std::pair<std::string, uint32_t>> keys) {
  if (keys.empty())
    return "";
  auto units = buildDoubleArray(std::move(keys));
  if (units)
    return bytesOf(*units);
  failure.set(toString(units.takeError()));
  return "";
}

void Writer::addPieces() {
  std::vector<std::pair<std::string, uint32_t>> keys;
  for (auto &entry : spec.ids)
    if (!entry.first().empty())
      keys.push_back({entry.first().str(), entry.second});
  sections[PLM_TOK_TRIE] = trie(std::move(keys));
  sections[PLM_TOK_CONTINUING] = spec.continuing;
  sections[PLM_TOK_WORD_END] = spec.wordEnd;
  if (spec.model == PLM_TOK_UNIGRAM) {
    spec.scores.resize(spec.pieces.size());
    sections[PLM_TOK_SCORES] = bytesOf(spec.scores);
  }
}

void Writer::addMerges() {
  if (spec.model != PLM_TOK_BPE)
    return;
  std::vector<uint32_t> starts(spec.pieces.size() + 1), results;
  std::vector<std::array<uint32_t, 3>> sorted; // left, right, rank
  for (auto [rank, merge] : enumerate(spec.merges)) {
    results.push_back(merge[2]);
    if (merge[0] != UINT32_MAX)
      sorted.push_back({merge[0], merge[1], uint32_t(rank)});
  }
  llvm::sort(sorted);
  std::vector<plm_tok_merge> merges;
  for (auto &[left, right, rank] : sorted) {
    ++starts[left + 1];
    merges.push_back({right, rank});
  }
  for (size_t i = 1; i < starts.size(); ++i)
    starts[i] += starts[i - 1];
  sections[PLM_TOK_MERGE_STARTS] = bytesOf(starts);
  sections[PLM_TOK_MERGES] = bytesOf(merges);
  sections[PLM_TOK_MERGE_RESULTS] = bytesOf(results);
}

void Writer::addAdded() {
  std::vector<plm_tok_added> added;
  std::vector<std::pair<std::string, uint32_t>> raw, normalized;
  // Special tokens come first; of patterns that are equal once normalized, the
  // first one counts, and in the trie the last one: so backwards.
  std::vector<size_t> order;
  for (bool special : {true, false})
    for (auto [index, token] : enumerate(spec.added))
      if (bool(token.flags & PLM_TOK_ADDED_SPECIAL) == special)
        order.push_back(index);
  for (const Added &token : spec.added)
    added.push_back({token.id, token.flags});
  for (size_t index : llvm::reverse(order)) {
    const Added &token = spec.added[index];
    if (token.pattern.empty() || StringRef(token.pattern).contains('\0')) {
      failure.set("added token '" + token.text +
                  "': nothing is left of it once it is normalized");
      return;
    }
    (token.normalized ? normalized : raw)
        .push_back({token.pattern, uint32_t(index)});
  }
  sections[PLM_TOK_ADDED] = bytesOf(added);
  sections[PLM_TOK_RAW_TRIE] = trie(std::move(raw));
  sections[PLM_TOK_NORMALIZED_TRIE] = trie(std::move(normalized));
}

std::vector<char> Writer::assemble() {
  plm_tok_header header = {};
  header.magic = PLM_TOK_MAGIC;
  header.version = PLM_TOK_VERSION;
  header.vocabulary_hash = hashPieces(spec.pieces);
  header.model = spec.model;
  header.flags = spec.flags;
  header.num_ids = uint32_t(spec.pieces.size());
  header.unknown_id = spec.unknownId;
  header.pad_id = spec.padId;
  header.max_word_chars = spec.maxWordChars;
  header.normalizer_words = uint32_t(spec.normalizer.size());
  header.single_items = uint32_t(spec.single.size());
  header.max_length = spec.maxLength;
  header.truncation = spec.truncation;
  header.unknown_score = spec.lowestScore - 10;
  uint64_t size = alignTo(sizeof(header), 8);
  for (auto [index, section] : enumerate(sections)) {
    header.sections[index] = {uint32_t(size), uint32_t(section.size())};
    size = alignTo(size + section.size(), 8);
  }
  if (size > UINT32_MAX) {
    failure.set("its vocabulary has more than 4 GB");
    return {};
  }
  header.size = uint32_t(size);
  std::vector<char> image(size);
  std::memcpy(image.data(), &header, sizeof(header));
  for (auto [index, section] : enumerate(sections))
    std::memcpy(image.data() + header.sections[index].offset, section.data(),
                section.size());
  header.checksum = plm_tok_checksum(image.data(), image.size());
  std::memcpy(image.data(), &header, sizeof(header));
  return image;
}

/// Runs the tokenizer that is being built, to find out about itself.
class Trial {
public:
  Trial(const std::vector<char> &image, Failure &failure) {
    plm_rt_message message;
    if (plm_tok_open(&tok, image.data(), image.size(), &message) != PLM_OK)
      failure.set(Twine("internal: ") + message.text);
  }
  ~Trial() { plm_tok_work_free(&work); }
  Trial(const Trial &) = delete;

  plm_tok tok;
  plm_tok_work work = {};
};

/// Added tokens that are found in normalized text are normalized themselves.
void Writer::normalizePatterns(const std::vector<char> &image) {
  Trial trial(image, failure);
  for (Added &token : spec.added) {
    if (failure)
      return;
    if (!token.normalized)
      continue;
    plm_tok_work &work = trial.work;
    work.text.length = 0;
    if (!plm_tok_decode(&work.text, token.text.data(), token.text.size()) ||
        !plm_tok_normalize(&trial.tok, &work)) {
      failure.set("not enough memory");
      return;
    }
    token.pattern.clear();
    for (size_t i = 0; i < work.text.length; ++i) {
      char bytes[4];
      token.pattern.append(bytes,
                           plm_tok_put(bytes, plm_tok_chars(&work.text)[i]));
    }
  }
}

void Writer::findWhole(const std::vector<char> &image) {
  Trial trial(image, failure);
  if (failure)
    return;
  plm_tok_work &work = trial.work;
  work.no_whole = true;
  std::string whole((spec.pieces.size() + 7) / 8, '\0');
  for (auto &entry : spec.ids) {
    StringRef piece = entry.first();
    work.raw.length = work.num_ids = 0;
    if (!plm_tok_decode(&work.raw, piece.data(), piece.size()) ||
        !plm_tok_bpe(&trial.tok, &work, plm_tok_chars(&work.raw),
                     work.raw.length)) {
      failure.set("not enough memory");
      return;
    }
    if (work.num_ids == 1 &&
        uint32_t(*(int32_t *)work.ids.data) == entry.second)
      whole[entry.second / 8] |= char(1 << entry.second % 8);
  }
  sections[PLM_TOK_WHOLE] = whole;
}

std::vector<char> Writer::write() {
  addUnicode();
  addPieces();
  addMerges();
  std::vector<uint32_t> program = spec.normalizer;
  program.insert(program.end(), spec.splitter.begin(), spec.splitter.end());
  sections[PLM_TOK_PROGRAM] = bytesOf(program);
  sections[PLM_TOK_CHARSMAP_TRIE] = spec.charsmapTrie;
  sections[PLM_TOK_CHARSMAP_TEXT] = spec.charsmapText;
  std::vector<plm_tok_item> items = spec.single;
  items.insert(items.end(), spec.pair.begin(), spec.pair.end());
  sections[PLM_TOK_TEMPLATE] = bytesOf(items);
  if (!failure && any_of(spec.added, [](auto &t) { return t.normalized; }))
    normalizePatterns(assemble());
  if (!failure)
    addAdded();
  bool wholeHelps = spec.model == PLM_TOK_BPE && spec.continuing.empty() &&
                    spec.wordEnd.empty() &&
                    !(spec.flags & PLM_TOK_IGNORE_MERGES);
  if (!failure && wholeHelps)
    findWhole(assemble());
  return failure ? std::vector<char>() : assemble();
}

} // namespace

Expected<std::vector<char>> writeImage(Spec &spec, Failure &failure) {
  std::vector<char> image;
  if (!failure)
    image = Writer(spec, failure).write();
  if (!failure)
    Trial(image, failure);
  if (failure)
    return failure.take();
  return image;
}

} // namespace plmc::tokenizer
