/*===- TokenizeWordPiece.c - Longest pieces first ------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The longest piece that begins the word, then the longest continuing piece,
 * and so on; a word in which that fails is unknown as a whole. One walk down
 * the trie finds the longest piece, since it remembers the last one that it
 * passed.
 *
 * Also the model that knows whole words only.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

static bool emit_unknown(const plm_tok *tok, plm_tok_work *work) {
  return tok->header->unknown_id < 0 ||
         plm_tok_emit(work, (uint32_t)tok->header->unknown_id);
}

static bool wordlevel(const plm_tok *tok, plm_tok_work *work, size_t size) {
  int32_t id = plm_tok_trie_find(&tok->pieces, plm_tok_trie_root(&tok->pieces),
                                 work->bytes.data, size);
  return id < 0 ? emit_unknown(tok, work) : plm_tok_emit(work, (uint32_t)id);
}

bool plm_tok_wordpiece(const plm_tok *tok, plm_tok_work *work,
                       const uint32_t *word, size_t length) {
  size_t size;
  if (length == 0)
    return true;
  bool pieces = tok->header->model == PLM_TOK_WORDPIECE;
  if (pieces && length > tok->header->max_word_chars)
    return emit_unknown(tok, work);
  if (!plm_tok_word_bytes(work, word, length, &size))
    return false;
  if (!pieces)
    return wordlevel(tok, work, size);
  const plm_tok_trie *trie = &tok->pieces;
  const unsigned char *bytes = (const unsigned char *)work->bytes.data;
  size_t before = work->num_ids;
  uint32_t node = plm_tok_trie_root(trie);
  for (size_t begin = 0; begin < size;) {
    uint32_t unit, value, best = 0;
    size_t end = begin;
    if (node != UINT32_MAX)
      for (size_t i = begin;
           i < size && plm_tok_trie_step(trie, &node, bytes[i], &unit); ++i)
        if (plm_tok_trie_value(trie, node, unit, &value)) {
          best = value;
          end = i + 1;
        }
    if (end == begin) {
      work->num_ids = before;
      return emit_unknown(tok, work);
    }
    if (!plm_tok_emit(work, best))
      return false;
    begin = end;
    node = tok->continuing_node;
  }
  return true;
}
