/*===- TokenizeCharsmap.c - SentencePiece's own rules --------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A SentencePiece model carries a trie of texts and, for each, what replaces
 * it. The package `tokenizers` does not take the longest match at each
 * character, as SentencePiece does. It goes by grapheme clusters: one of less
 * than 6 bytes is looked up as a whole, and if any beginning of it is in the
 * trie, the shortest one's replacement takes the place of the whole cluster.
 * Else its characters are looked up one by one. We do as it does.
 *
 * Clusters are those of Unicode Standard Annex 29, without the rule for Indic
 * conjuncts, whose clusters are longer than 5 bytes anyway.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

static uint32_t break_of(const plm_tok *tok, uint32_t c) {
  return plm_tok_class_of(tok, c) >> 8 & 255;
}

/* Where the cluster at `at` ends. */
static size_t cluster_end(const plm_tok *tok, const uint32_t *text, size_t at,
                          size_t length) {
  uint32_t before = break_of(tok, text[at]);
  bool pictograph = before == PLM_TOK_BREAK_PICTOGRAPH;
  bool joined = false; /* pictograph, extensions, joiner */
  size_t flags = before == PLM_TOK_BREAK_REGIONAL;
  size_t i = at + 1;
  for (; i < length; ++i) {
    uint32_t next = break_of(tok, text[i]);
    bool together = false;
    if (before == PLM_TOK_BREAK_CR)
      together = next == PLM_TOK_BREAK_LF;
    else if (before == PLM_TOK_BREAK_LF || before == PLM_TOK_BREAK_CONTROL ||
             next == PLM_TOK_BREAK_CR || next == PLM_TOK_BREAK_LF ||
             next == PLM_TOK_BREAK_CONTROL)
      together = false;
    else if (next == PLM_TOK_BREAK_EXTEND || next == PLM_TOK_BREAK_ZWJ ||
             next == PLM_TOK_BREAK_SPACING || before == PLM_TOK_BREAK_PREPEND)
      together = true;
    else if (before == PLM_TOK_BREAK_L)
      together = next == PLM_TOK_BREAK_L || next == PLM_TOK_BREAK_V ||
                 next == PLM_TOK_BREAK_LV || next == PLM_TOK_BREAK_LVT;
    else if (before == PLM_TOK_BREAK_LV || before == PLM_TOK_BREAK_V)
      together = next == PLM_TOK_BREAK_V || next == PLM_TOK_BREAK_T;
    else if (before == PLM_TOK_BREAK_LVT || before == PLM_TOK_BREAK_T)
      together = next == PLM_TOK_BREAK_T;
    else if (next == PLM_TOK_BREAK_PICTOGRAPH)
      together = joined;
    else if (before == PLM_TOK_BREAK_REGIONAL && next == PLM_TOK_BREAK_REGIONAL)
      together = flags % 2 == 1;
    if (!together)
      break;
    joined = pictograph && next == PLM_TOK_BREAK_ZWJ;
    if (next == PLM_TOK_BREAK_PICTOGRAPH)
      pictograph = true;
    else if (next != PLM_TOK_BREAK_EXTEND && next != PLM_TOK_BREAK_ZWJ)
      pictograph = false;
    flags = next == PLM_TOK_BREAK_REGIONAL ? flags + 1 : 0;
    before = next;
  }
  return i;
}

/* The replacement of the shortest beginning of `bytes` that has one. */
static const char *find(const plm_tok *tok, const char *bytes, size_t size) {
  uint32_t node = plm_tok_trie_root(&tok->charsmap), unit, value;
  for (size_t i = 0; i < size; ++i) {
    if (!plm_tok_trie_step(&tok->charsmap, &node, (unsigned char)bytes[i],
                           &unit))
      return NULL;
    if (plm_tok_trie_value(&tok->charsmap, node, unit, &value))
      return value < tok->charsmap_size ? tok->charsmap_text + value : NULL;
  }
  return NULL;
}

static bool append(plm_tok_string *to, const char *text) {
  size_t size = 0;
  while (text[size])
    ++size;
  return plm_tok_decode(to, text, size);
}

bool plm_tok_charsmap(const plm_tok *tok, plm_tok_work *work) {
  const uint32_t *text = plm_tok_chars(&work->text);
  size_t length = work->text.length;
  plm_tok_string *other = &work->other;
  other->length = 0;
  if (!plm_tok_room(other, length + 16))
    return false;
  for (size_t at = 0; at < length;) {
    size_t end = at + 1;
    /* Between printable ASCII characters there is always a break. */
    if (end < length && (text[at] - 0x20 >= 0x5f || text[end] - 0x20 >= 0x5f))
      end = cluster_end(tok, text, at, length);
    char bytes[24];
    size_t size = 0, count = end - at;
    for (size_t i = at; i < end && size < 6; ++i)
      size += plm_tok_put(bytes + size, text[i]);
    const char *to = size < 6 ? find(tok, bytes, size) : NULL;
    if (to) {
      if (at == 0 && !*to)
        work->front = 0;
      if (!append(other, to))
        return false;
      at = end;
      continue;
    }
    for (; at < end; ++at) {
      /* A cluster of one character has been looked up. */
      to = count == 1 && size < 6
               ? NULL
               : find(tok, bytes, plm_tok_put(bytes, text[at]));
      if (to ? !append(other, to) : !plm_tok_room(other, 1))
        return false;
      if (!to)
        plm_tok_chars(other)[other->length++] = text[at];
    }
  }
  plm_tok_string swapped = work->text;
  work->text = work->other;
  work->other = swapped;
  return true;
}
