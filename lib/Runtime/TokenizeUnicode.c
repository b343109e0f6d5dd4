/*===- TokenizeUnicode.c - Unicode's normal forms ------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Decomposition replaces each character by its full decomposition, then sorts
 * runs of combining marks by their class; composition puts pairs together
 * again. Both are as Unicode Standard Annex 15 says. Hangul is computed. The
 * tables are those of the Unicode version that the package `tokenizers` has
 * (lib/Tokenizer/UnicodeTables.cpp).
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

enum {
  HANGUL_S = 0xac00,
  HANGUL_L = 0x1100,
  HANGUL_V = 0x1161,
  HANGUL_T = 0x11a7,
  HANGUL_LS = 19,
  HANGUL_VS = 21,
  HANGUL_TS = 28,
  HANGUL_SS = HANGUL_LS * HANGUL_VS * HANGUL_TS
};

static uint32_t ccc(const plm_tok *tok, uint32_t c) {
  return c < 0x300 ? 0 : plm_tok_class_of(tok, c) & 255;
}

/* Stable, by insertion for the short runs that texts have. A run of marks as
 * long as a text is a bad joke, but must not take time for its square: from 64
 * on, one pass for each of the 256 classes. */
static bool sort_marks(const plm_tok *tok, uint32_t *text, size_t length,
                       plm_tok_vec *memory) {
  if (length < 64) {
    for (size_t i = 1; i < length; ++i) {
      uint32_t c = text[i], class = ccc(tok, c);
      size_t j = i;
      for (; j > 0 && ccc(tok, text[j - 1]) > class; --j)
        text[j] = text[j - 1];
      text[j] = c;
    }
    return true;
  }
  if (!plm_tok_reserve(memory, 0, length, sizeof(uint32_t)))
    return false;
  uint32_t *out = (uint32_t *)memory->data;
  size_t count = 0;
  for (uint32_t class = 1; class < 256 && count < length; ++class)
    for (size_t i = 0; i < length; ++i)
      if (ccc(tok, text[i]) == class)
        out[count++] = text[i];
  memcpy(text, out, length * sizeof(uint32_t));
  return true;
}

static size_t put_hangul(uint32_t *out, uint32_t syllable) {
  uint32_t index = syllable - HANGUL_S;
  out[0] = HANGUL_L + index / (HANGUL_VS * HANGUL_TS);
  out[1] = HANGUL_V + index % (HANGUL_VS * HANGUL_TS) / HANGUL_TS;
  if (index % HANGUL_TS == 0)
    return 2;
  out[2] = HANGUL_T + index % HANGUL_TS;
  return 3;
}

bool plm_tok_decompose(const plm_tok *tok, plm_tok_work *work,
                       const plm_tok_map *map) {
  const uint32_t *text = plm_tok_chars(&work->text);
  size_t length = work->text.length, i = 0;
  while (i < length && text[i] < 0x80)
    ++i;
  if (i == length)
    return true;
  plm_tok_string *other = &work->other;
  other->length = 0;
  if (!plm_tok_room(other, length + length / 2 + 32))
    return false;
  memcpy(other->memory.data, text, i * sizeof(uint32_t));
  other->length = i;
  size_t marks = i;           /* where the run of marks begins */
  size_t front = work->front; /* see TokenizeNormalize.c */
  for (; i < length; ++i) {
    uint32_t c = text[i], count = 0;
    const uint32_t *to = NULL;
    if (c - HANGUL_S >= HANGUL_SS && c >= 0x80)
      to = plm_tok_lookup(map, c, &count);
    if (!plm_tok_room(other, count < 3 ? 3 : count))
      return false;
    uint32_t *out = plm_tok_chars(other) + other->length;
    if (c - HANGUL_S < HANGUL_SS) {
      count = (uint32_t)put_hangul(out, c);
    } else if (to) {
      memcpy(out, to, count * sizeof(uint32_t));
    } else {
      out[0] = c;
      count = 1;
    }
    if (i < work->front)
      front += count - 1;
    for (uint32_t j = 0; j < count; ++j, ++other->length)
      if (ccc(tok, out[j]) == 0) {
        uint32_t *all = plm_tok_chars(other);
        if (other->length - marks > 1 &&
            !sort_marks(tok, all + marks, other->length - marks, &work->heap))
          return false;
        marks = other->length + 1;
      }
  }
  if (other->length > marks + 1 &&
      !sort_marks(tok, plm_tok_chars(other) + marks, other->length - marks,
                  &work->heap))
    return false;
  work->front = front;
  plm_tok_string swapped = work->text;
  work->text = work->other;
  work->other = swapped;
  return true;
}

/* What two characters make, or 0. */
static uint32_t compose_pair(const plm_tok *tok, uint32_t a, uint32_t b) {
  if (a - HANGUL_L < HANGUL_LS && b - HANGUL_V < HANGUL_VS)
    return HANGUL_S + ((a - HANGUL_L) * HANGUL_VS + (b - HANGUL_V)) * HANGUL_TS;
  if (a - HANGUL_S < HANGUL_SS && (a - HANGUL_S) % HANGUL_TS == 0 &&
      b - HANGUL_T - 1 < HANGUL_TS - 1)
    return a + (b - HANGUL_T);
  size_t low = 0, high = tok->num_compositions;
  while (low < high) {
    size_t middle = (low + high) / 2;
    const plm_tok_composition *pair = &tok->compositions[middle];
    if (pair->first < a || (pair->first == a && pair->second < b))
      low = middle + 1;
    else
      high = middle;
  }
  if (low < tok->num_compositions && tok->compositions[low].first == a &&
      tok->compositions[low].second == b)
    return tok->compositions[low].composed;
  return 0;
}

bool plm_tok_compose(const plm_tok *tok, plm_tok_work *work,
                     const plm_tok_map *map) {
  /* Below U+0300 nothing is decomposed for good (NFC), below U+0080 nothing at
   * all (NFKC). */
  uint32_t plain = map == &tok->canonical ? 0x300 : 0x80;
  const uint32_t *given = plm_tok_chars(&work->text);
  size_t plain_count = 0;
  while (plain_count < work->text.length && given[plain_count] < plain)
    ++plain_count;
  if (plain_count == work->text.length)
    return true;
  if (!plm_tok_decompose(tok, work, map))
    return false;
  uint32_t *text = plm_tok_chars(&work->text);
  size_t length = work->text.length, count = 0;
  size_t starter = SIZE_MAX;
  uint32_t last = 0; /* class of the character written last behind it */
  for (size_t i = 0; i < length; ++i) {
    uint32_t c = text[i], class = ccc(tok, c);
    bool adjacent = starter != SIZE_MAX && starter + 1 == count;
    if (starter != SIZE_MAX && (adjacent || last < class)) {
      uint32_t composed = compose_pair(tok, text[starter], c);
      if (composed) {
        text[starter] = composed;
        continue;
      }
    }
    if (class == 0)
      starter = count;
    last = class;
    text[count++] = c;
  }
  work->text.length = count;
  return true;
}
