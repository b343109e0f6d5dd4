/*===- TokenizeTrie.c - Tries of bytes -----------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A double array, as darts-clone and SentencePiece lay it out, so that the
 * rules inside a SentencePiece model are read by the same lines as our own
 * tries. A unit has 32 bits: the byte that leads to it (0 to 7), whether a key
 * ends there (8), and the way to its children (9 to 31): these lie at (own
 * index ^ way ^ byte). A key's value is in the unit at byte 0, its top bit set;
 * with bits 8 and 9 both set there are no children, and bits 10 to 30 are the
 * value. (In a SentencePiece model they are never both set: bit 9 means a way
 * of more than 8 MB, which the reader refuses.)
 * An index that leads out of the array ends the search: a damaged trie finds
 * less, never reads outside.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

uint32_t plm_tok_trie_root(const plm_tok_trie *trie) {
  if (!trie->count)
    return 0;
  uint32_t unit = trie->units[0];
  return unit >> 10 << ((unit & 512) >> 6);
}

int32_t plm_tok_trie_find(const plm_tok_trie *trie, uint32_t node,
                          const char *bytes, size_t size) {
  uint32_t unit = 0, value;
  for (size_t i = 0; i < size; ++i)
    if (!plm_tok_trie_step(trie, &node, (unsigned char)bytes[i], &unit))
      return -1;
  return size && plm_tok_trie_value(trie, node, unit, &value) ? (int32_t)value
                                                              : -1;
}
