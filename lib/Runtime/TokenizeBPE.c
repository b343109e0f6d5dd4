/*===- TokenizeBPE.c - Byte pair encoding --------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A word begins as its characters (of byte-level models: its bytes, written as
 * characters). The pair of neighbours with the lowest rank is merged, the
 * leftmost of equal ones, until none is left. Short words look at all pairs
 * each time; a long one keeps them in a heap, so that its time is n log n.
 *
 * Most words are a piece already, and of nearly all pieces merging comes to
 * just that piece. Which ones, the image's builder has found out with these
 * lines (WHOLE).
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

enum { SHORT_WORD = 48 };

typedef struct plm_tok_symbol {
  uint32_t id;
  uint32_t prev, next; /* UINT32_MAX: none */
} plm_tok_symbol;

typedef struct plm_tok_candidate {
  uint32_t rank, at, left, right; /* left, right: ids when it was found */
} plm_tok_candidate;

#define NONE UINT32_MAX

/* The rank of a pair, or NONE. */
static uint32_t rank_of(const plm_tok *tok, uint32_t left, uint32_t right) {
  uint32_t low = tok->merge_starts[left], high = tok->merge_starts[left + 1];
  uint32_t end = high;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (tok->merges[middle].right < right)
      low = middle + 1;
    else
      high = middle;
  }
  return low < end && tok->merges[low].right == right ? tok->merges[low].rank
                                                      : NONE;
}

static bool add_symbol(plm_tok_work *work, size_t *count, uint32_t id) {
  if (!plm_tok_reserve(&work->lattice, *count, *count + 1,
                       sizeof(plm_tok_symbol)))
    return false;
  ((plm_tok_symbol *)work->lattice.data)[(*count)++].id = id;
  return true;
}

/* The id of one character, or -1. */
static int32_t char_id(const plm_tok *tok, uint32_t c, bool first, bool last) {
  bool plain = !tok->continuing_size && !tok->word_end_size;
  if (plain && c < PLM_TOK_SHORT_CHARS)
    return tok->short_chars[c];
  const plm_tok_trie *trie = &tok->pieces;
  uint32_t node = first ? plm_tok_trie_root(trie) : tok->continuing_node;
  if (node == NONE)
    return -1;
  char bytes[4 + 64];
  uint32_t size = plm_tok_put(bytes, c);
  if (last) {
    memcpy(bytes + size, tok->word_end, tok->word_end_size);
    size += tok->word_end_size;
  }
  return plm_tok_trie_find(trie, node, bytes, size);
}

static bool add_bytes(const plm_tok *tok, plm_tok_work *work, size_t *count,
                      uint32_t c, bool *done) {
  char bytes[4];
  uint32_t size = plm_tok_put(bytes, c);
  *done = false;
  for (uint32_t i = 0; i < size; ++i)
    if (tok->bytes[(unsigned char)bytes[i]] < 0)
      return true;
  *done = true;
  for (uint32_t i = 0; i < size; ++i)
    if (!add_symbol(work, count, (uint32_t)tok->bytes[(unsigned char)bytes[i]]))
      return false;
  return true;
}

/* Unknown characters are added when the next known one comes, one id for each
 * or one for all in a row. */
static bool add_symbols(const plm_tok *tok, plm_tok_work *work,
                        const uint32_t *word, size_t length, size_t *count) {
  int32_t unknown = tok->header->unknown_id;
  bool pending = false;
  for (size_t i = 0; i < length; ++i) {
    int32_t id = char_id(tok, word[i], i == 0, i + 1 == length);
    if (id >= 0) {
      if (pending && !add_symbol(work, count, (uint32_t)unknown))
        return false;
      pending = false;
      if (!add_symbol(work, count, (uint32_t)id))
        return false;
      continue;
    }
    if (tok->header->flags & PLM_TOK_BYTE_FALLBACK) {
      bool done;
      if (!add_bytes(tok, work, count, word[i], &done))
        return false;
      if (done)
        continue;
    }
    if (unknown < 0)
      continue;
    if (pending && !(tok->header->flags & PLM_TOK_FUSE_UNKNOWN) &&
        !add_symbol(work, count, (uint32_t)unknown))
      return false;
    pending = true;
  }
  return !pending || add_symbol(work, count, (uint32_t)unknown);
}

static size_t merge_short(const plm_tok *tok, plm_tok_symbol *symbols,
                          size_t count) {
  uint32_t ranks[SHORT_WORD];
  for (size_t i = 0; i + 1 < count; ++i)
    ranks[i] = rank_of(tok, symbols[i].id, symbols[i + 1].id);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i)
      if (ranks[i] < ranks[best])
        best = i;
    if (ranks[best] == NONE)
      break;
    symbols[best].id = tok->merge_results[ranks[best]];
    for (size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i].id = symbols[i + 1].id;
      ranks[i] = ranks[i + 1];
    }
    --count;
    if (best > 0)
      ranks[best - 1] = rank_of(tok, symbols[best - 1].id, symbols[best].id);
    if (best + 1 < count)
      ranks[best] = rank_of(tok, symbols[best].id, symbols[best + 1].id);
  }
  return count;
}

static bool before(const plm_tok_candidate *a, const plm_tok_candidate *b) {
  return a->rank < b->rank || (a->rank == b->rank && a->at < b->at);
}

static bool push(const plm_tok *tok, plm_tok_work *work, size_t *size,
                 uint32_t at) {
  const plm_tok_symbol *symbols = (const plm_tok_symbol *)work->lattice.data;
  uint32_t next = symbols[at].next;
  if (next == NONE)
    return true;
  plm_tok_candidate added = {0, at, symbols[at].id, symbols[next].id};
  added.rank = rank_of(tok, added.left, added.right);
  if (added.rank == NONE)
    return true;
  if (!plm_tok_reserve(&work->heap, *size, *size + 1, sizeof(added)))
    return false;
  plm_tok_candidate *heap = (plm_tok_candidate *)work->heap.data;
  size_t i = (*size)++;
  for (; i > 0 && before(&added, &heap[(i - 1) / 2]); i = (i - 1) / 2)
    heap[i] = heap[(i - 1) / 2];
  heap[i] = added;
  return true;
}

static plm_tok_candidate pop(plm_tok_candidate *heap, size_t *size) {
  plm_tok_candidate top = heap[0], last = heap[--*size];
  size_t i = 0;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child >= *size)
      break;
    if (child + 1 < *size && before(&heap[child + 1], &heap[child]))
      ++child;
    if (!before(&heap[child], &last))
      break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = last;
  return top;
}

static bool merge_long(const plm_tok *tok, plm_tok_work *work, size_t *count) {
  plm_tok_symbol *symbols = (plm_tok_symbol *)work->lattice.data;
  size_t size = 0;
  for (size_t i = 0; i < *count; ++i) {
    symbols[i].prev = i ? (uint32_t)i - 1 : NONE;
    symbols[i].next = i + 1 < *count ? (uint32_t)i + 1 : NONE;
  }
  for (size_t i = 0; i < *count; ++i)
    if (!push(tok, work, &size, (uint32_t)i))
      return false;
  while (size) {
    plm_tok_candidate best = pop((plm_tok_candidate *)work->heap.data, &size);
    plm_tok_symbol *left = &symbols[best.at];
    /* Out of date if either side has been merged meanwhile. */
    if (left->id != best.left || left->next == NONE ||
        symbols[left->next].id != best.right)
      continue;
    plm_tok_symbol *right = &symbols[left->next];
    left->id = tok->merge_results[best.rank];
    left->next = right->next;
    right->id = NONE;
    if (left->next != NONE)
      symbols[left->next].prev = best.at;
    if ((left->prev != NONE && !push(tok, work, &size, left->prev)) ||
        !push(tok, work, &size, best.at))
      return false;
  }
  size_t kept = 0;
  for (uint32_t i = 0; i != NONE; i = symbols[i].next)
    symbols[kept++].id = symbols[i].id;
  *count = kept;
  return true;
}

/* True if the word is a piece that merging would come to as well. */
static bool emit_whole(const plm_tok *tok, plm_tok_work *work,
                       const uint32_t *word, size_t length, bool *done) {
  *done = false;
  bool always = tok->header->flags & PLM_TOK_IGNORE_MERGES;
  if (!always && (!tok->whole || work->no_whole))
    return true;
  const plm_tok_trie *trie = &tok->pieces;
  uint32_t node = plm_tok_trie_root(trie), unit = 0, id;
  for (size_t i = 0; i < length; ++i) {
    char bytes[4];
    uint32_t size = plm_tok_put(bytes, word[i]);
    for (uint32_t j = 0; j < size; ++j)
      if (!plm_tok_trie_step(trie, &node, (unsigned char)bytes[j], &unit))
        return true;
  }
  if (!plm_tok_trie_value(trie, node, unit, &id) ||
      !(always || (tok->whole[id / 8] >> id % 8 & 1)))
    return true;
  *done = true;
  return plm_tok_emit(work, id);
}

bool plm_tok_bpe(const plm_tok *tok, plm_tok_work *work, const uint32_t *word,
                 size_t length) {
  if (length == 0)
    return true;
  bool done;
  if (!emit_whole(tok, work, word, length, &done))
    return false;
  if (done)
    return true;
  size_t count = 0;
  if (!add_symbols(tok, work, word, length, &count))
    return false;
  plm_tok_symbol *symbols = (plm_tok_symbol *)work->lattice.data;
  if (count <= SHORT_WORD)
    count = merge_short(tok, symbols, count);
  else if (!merge_long(tok, work, &count))
    return false;
  symbols = (plm_tok_symbol *)work->lattice.data;
  for (size_t i = 0; i < count; ++i)
    if (!plm_tok_emit(work, symbols[i].id))
      return false;
  return true;
}
