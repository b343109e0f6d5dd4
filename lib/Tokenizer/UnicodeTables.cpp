//===- UnicodeTables.cpp - What Unicode says of characters ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tables come from ICU 72, which has Unicode 15.0. The package `tokenizers`
// 0.22 draws on four sources of four ages, and the ids depend on them:
//
//   - normal forms, and which characters StripAccents drops: Unicode 9.0
//   - BERT's punctuation, control characters and accents:     Unicode 8.0
//   - letters, numbers and word characters of regular
//     expressions, lower case, white space:                   Unicode 16.0
//
// So for the old ones characters that are younger count as unassigned
// (u_charAge), and for the new ones a list adds what ICU 72 lacks. Five
// characters have changed their category in between. To compare all code
// points: utils/fixtures/compare_tokenizers.py --code-points.
//
//===----------------------------------------------------------------------===//

#include "UnicodeTables.h"
#include "../Runtime/TokenizeImage.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include <map>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <vector>

using namespace llvm;

namespace plmc::tokenizer {

namespace {

struct Range {
  uint32_t first, last;
};

// Unicode 15.1 and 16.0.
const Range newLetters[] = {
    {0x1c89, 0x1c8a},   {0xa7cb, 0xa7cd},   {0xa7da, 0xa7dc},
    {0x105c0, 0x105f3}, {0x10d4a, 0x10d65}, {0x10d6f, 0x10d85},
    {0x10ec2, 0x10ec4}, {0x11380, 0x11389}, {0x1138b, 0x1138b},
    {0x1138e, 0x1138e}, {0x11390, 0x113b5}, {0x113b7, 0x113b7},
    {0x113d1, 0x113d1}, {0x113d3, 0x113d3}, {0x11bc0, 0x11be0},
    {0x13460, 0x143fa}, {0x16100, 0x1611d}, {0x16d40, 0x16d6c},
    {0x18cff, 0x18cff}, {0x1e5d0, 0x1e5ed}, {0x1e5f0, 0x1e5f0},
    {0x2ebf0, 0x2ee5d}};
const Range newNumbers[] = {{0x10d40, 0x10d49}, {0x116d0, 0x116e3},
                            {0x11bf0, 0x11bf9}, {0x16130, 0x16139},
                            {0x16d70, 0x16d79}, {0x1ccf0, 0x1ccf9},
                            {0x1e5f1, 0x1e5fa}};
const Range newMarks[] = {
    {0x897, 0x897},     {0x10d69, 0x10d6d}, {0x10efc, 0x10efc},
    {0x113b8, 0x113c0}, {0x113c2, 0x113c2}, {0x113c5, 0x113c5},
    {0x113c7, 0x113ca}, {0x113cc, 0x113d0}, {0x113d2, 0x113d2},
    {0x113e1, 0x113e2}, {0x11f5a, 0x11f5a}, {0x1611e, 0x1612f},
    {0x1e5ee, 0x1e5ef}};

bool among(uint32_t c, ArrayRef<Range> ranges) {
  return any_of(ranges, [&](Range r) { return c >= r.first && c <= r.last; });
}

/// Assigned in that version of Unicode or before.
bool isAsOldAs(uint32_t c, unsigned version) {
  UVersionInfo age;
  u_charAge(UChar32(c), age);
  return age[0] && (age[0] < version || (age[0] == version && !age[1]));
}

uint32_t breakOf(uint32_t c) {
  if (u_hasBinaryProperty(UChar32(c), UCHAR_EXTENDED_PICTOGRAPHIC))
    return PLM_TOK_BREAK_PICTOGRAPH;
  switch (u_getIntPropertyValue(UChar32(c), UCHAR_GRAPHEME_CLUSTER_BREAK)) {
  case U_GCB_CR:
    return PLM_TOK_BREAK_CR;
  case U_GCB_LF:
    return PLM_TOK_BREAK_LF;
  case U_GCB_CONTROL:
    return PLM_TOK_BREAK_CONTROL;
  case U_GCB_EXTEND:
    return PLM_TOK_BREAK_EXTEND;
  case U_GCB_ZWJ:
    return PLM_TOK_BREAK_ZWJ;
  case U_GCB_SPACING_MARK:
    return PLM_TOK_BREAK_SPACING;
  case U_GCB_PREPEND:
    return PLM_TOK_BREAK_PREPEND;
  case U_GCB_L:
    return PLM_TOK_BREAK_L;
  case U_GCB_V:
    return PLM_TOK_BREAK_V;
  case U_GCB_T:
    return PLM_TOK_BREAK_T;
  case U_GCB_LV:
    return PLM_TOK_BREAK_LV;
  case U_GCB_LVT:
    return PLM_TOK_BREAK_LVT;
  case U_GCB_REGIONAL_INDICATOR:
    return PLM_TOK_BREAK_REGIONAL;
  default:
    return PLM_TOK_BREAK_OTHER;
  }
}

uint32_t classOf(uint32_t c) {
  int32_t category = u_charType(UChar32(c));
  uint32_t mask = 1u << category, bits = 0;
  auto set = [&](bool condition, uint32_t bit) { bits |= condition ? bit : 0; };
  bool old8 = isAsOldAs(c, 8), old9 = isAsOldAs(c, 9);
  bool letter = (mask & U_GC_L_MASK) || among(c, newLetters);
  bool number = (mask & U_GC_N_MASK) || among(c, newNumbers);
  bool mark = mask & U_GC_M_MASK;
  set(u_isUWhiteSpace(UChar32(c)), PLM_TOK_IS_SPACE);
  set(letter, PLM_TOK_IS_LETTER);
  set(number, PLM_TOK_IS_NUMBER);
  set(u_hasBinaryProperty(UChar32(c), UCHAR_ALPHABETIC) || mark ||
          (mask & (U_GC_ND_MASK | U_GC_PC_MASK)) ||
          u_hasBinaryProperty(UChar32(c), UCHAR_JOIN_CONTROL) ||
          among(c, newLetters) || among(c, newNumbers) || among(c, newMarks),
      PLM_TOK_IS_WORD);
  set(((mask & U_GC_P_MASK) && old8) || (c < 0x80 && (mask & U_GC_S_MASK)) ||
          c == 0x166d || c == 0x111c9,
      PLM_TOK_IS_PUNCTUATION);
  set(((mask & (U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK)) && old8 &&
       c != '\t' && c != '\n' && c != '\r') ||
          c == 0 || c == 0xfffd,
      PLM_TOK_IS_CONTROL);
  set(((mask & U_GC_MN_MASK) && old8 && c != 0x1885 && c != 0x1886 &&
       c != 0xa9bd && c != 0x111c9) ||
          c == 0x1734,
      PLM_TOK_IS_NONSPACING);
  set((mark && old9 && c != 0x111c9) || c == 0x1cf2 || c == 0x1cf3,
      PLM_TOK_IS_MARK);
  static const Range ideographs[] = {{0x3400, 0x4dbf},   {0x4e00, 0x9fff},
                                     {0xf900, 0xfaff},   {0x20000, 0x2a6df},
                                     {0x2a700, 0x2b81f}, {0x2b920, 0x2ceaf},
                                     {0x2f800, 0x2fa1f}};
  set(among(c, ideographs), PLM_TOK_IS_IDEOGRAPH);
  uint32_t combining = old9 ? u_getCombiningClass(UChar32(c)) : 0;
  return bits | breakOf(c) << 8 | combining;
}

template <typename T> std::string bytesOf(const std::vector<T> &values) {
  return std::string(reinterpret_cast<const char *>(values.data()),
                     values.size() * sizeof(T));
}

/// Divides a table into pages of 128 and stores equal ones once.
template <typename T>
void paginate(const std::vector<T> &table, std::vector<uint16_t> &index,
              std::vector<T> &pages) {
  std::map<std::vector<T>, uint16_t> known;
  for (size_t at = 0; at < table.size(); at += 128) {
    std::vector<T> page(table.begin() + at, table.begin() + at + 128);
    auto [it, isNew] = known.try_emplace(page, uint16_t(known.size()));
    if (isNew)
      pages.insert(pages.end(), page.begin(), page.end());
    index.push_back(it->second);
  }
}

constexpr uint32_t codePoints = 0x110000;

void makeClasses(UnicodeTables &tables) {
  std::map<uint32_t, uint8_t> numbers;
  std::vector<uint32_t> values;
  std::vector<uint8_t> table(codePoints);
  for (uint32_t c = 0; c < codePoints; ++c) {
    auto [it, isNew] = numbers.try_emplace(classOf(c), uint8_t(numbers.size()));
    if (isNew)
      values.push_back(it->first);
    table[c] = it->second;
  }
  std::vector<uint16_t> index;
  std::vector<uint8_t> pages;
  paginate(table, index, pages);
  tables.classIndex = bytesOf(index);
  tables.classPages = bytesOf(pages);
  tables.classValues = bytesOf(values);
}

using Map = std::map<uint32_t, std::vector<uint32_t>>;

std::string mapBytes(const Map &map) {
  std::map<std::vector<uint32_t>, uint16_t> numbers;
  std::vector<uint32_t> records = {0}, pool;
  std::vector<uint16_t> table(codePoints), index, pages;
  for (auto &[c, to] : map) {
    auto [it, isNew] = numbers.try_emplace(to, uint16_t(numbers.size() + 1));
    if (isNew) {
      pool.insert(pool.end(), to.begin(), to.end());
      records.push_back(uint32_t(pool.size()));
    }
    table[c] = it->second;
  }
  // Two planes of seventeen have entries.
  uint32_t last = map.empty() ? 0 : map.rbegin()->first;
  table.resize(alignTo(last + 1, 256));
  paginate(table, index, pages);
  plm_tok_map_header header = {uint32_t(pages.size() / 128),
                               uint32_t(records.size() - 1),
                               uint32_t(pool.size()), uint32_t(index.size())};
  return std::string(reinterpret_cast<const char *>(&header), sizeof(header)) +
         bytesOf(index) + bytesOf(pages) + bytesOf(records) + bytesOf(pool);
}

Map lowerMap() {
  Map map;
  for (uint32_t c = 0; c < 0x20000; ++c)
    if (UChar32 lower = u_tolower(UChar32(c)); uint32_t(lower) != c)
      map[c] = {uint32_t(lower)};
  map[0x130] = {'i', 0x307};
  // Unicode 16.
  map[0x1c89] = {0x1c8a};
  map[0xa7cb] = {0x264};
  map[0xa7cc] = {0xa7cd};
  map[0xa7da] = {0xa7db};
  map[0xa7dc] = {0x19b};
  for (uint32_t c = 0x10d50; c <= 0x10d65; ++c)
    map[c] = {c + 0x20};
  return map;
}

bool isHangul(uint32_t c) { return c >= 0xac00 && c < 0xac00 + 11172; }

/// Full decompositions; Hangul is computed where they are used.
Map decompositionMap(const icu::Normalizer2 &form) {
  Map map;
  for (uint32_t c = 0; c < 0x30000; ++c) {
    if ((c >= 0xd800 && c < 0xe000) || isHangul(c) || !isAsOldAs(c, 9))
      continue;
    UErrorCode code = U_ZERO_ERROR;
    icu::UnicodeString given((UChar32)c);
    icu::UnicodeString result = form.normalize(given, code);
    if (result == given)
      continue;
    for (int32_t i = 0; i < result.length();) {
      UChar32 to = result.char32At(i);
      map[c].push_back(uint32_t(to));
      i += U16_LENGTH(to);
    }
  }
  return map;
}

std::string compositions(const icu::Normalizer2 &form) {
  std::vector<plm_tok_composition> pairs;
  for (uint32_t c = 0; c < 0x30000; ++c) {
    if ((c >= 0xd800 && c < 0xe000) || isHangul(c) || !isAsOldAs(c, 9))
      continue;
    icu::UnicodeString raw;
    if (!form.getRawDecomposition(UChar32(c), raw) || raw.countChar32() != 2)
      continue;
    UChar32 first = raw.char32At(0);
    UChar32 second = raw.char32At(raw.moveIndex32(0, 1));
    if (form.composePair(first, second) == UChar32(c))
      pairs.push_back({uint32_t(first), uint32_t(second), c});
  }
  llvm::sort(pairs, [](auto &a, auto &b) {
    return std::tie(a.first, a.second) < std::tie(b.first, b.second);
  });
  return bytesOf(pairs);
}

UnicodeTables makeTables() {
  UnicodeTables tables;
  makeClasses(tables);
  tables.lower = mapBytes(lowerMap());
  // The data of these are part of ICU's code: they cannot be missing.
  UErrorCode code = U_ZERO_ERROR;
  if (const auto *nfd = icu::Normalizer2::getNFDInstance(code))
    tables.canonical = mapBytes(decompositionMap(*nfd));
  if (const auto *nfkd = icu::Normalizer2::getNFKDInstance(code))
    tables.compatible = mapBytes(decompositionMap(*nfkd));
  if (const auto *nfc = icu::Normalizer2::getNFCInstance(code))
    tables.compose = compositions(*nfc);
  return tables;
}

} // namespace

const UnicodeTables &unicodeTables() {
  static const UnicodeTables tables = makeTables();
  return tables;
}

} // namespace plmc::tokenizer
