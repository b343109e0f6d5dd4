/*===- TokenizeUnigram.c - The likeliest pieces --------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Viterbi's algorithm over the bytes of a word: for each end, the best score of
 * a way to get there, in double precision and in the order of the package
 * `tokenizers`, so that equal scores are decided alike. Where no piece is as
 * long as one character, the character may be unknown, at a price. Neighbouring
 * unknown characters become one id, or the ids of their bytes.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

typedef struct plm_tok_node {
  double score;
  uint32_t from, id;
} plm_tok_node;

#define NOWHERE UINT32_MAX

static uint32_t char_size(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static void reach(plm_tok_node *node, double score, uint32_t from,
                  uint32_t id) {
  if (node->from == NOWHERE || score > node->score) {
    node->score = score;
    node->from = from;
    node->id = id;
  }
}

static void search(const plm_tok *tok, plm_tok_node *nodes,
                   const unsigned char *bytes, uint32_t size) {
  const plm_tok_trie *trie = &tok->pieces;
  uint32_t root = plm_tok_trie_root(trie);
  for (uint32_t begin = 0; begin < size;) {
    double score = nodes[begin].score;
    uint32_t one = char_size(bytes[begin]);
    bool has_one = false;
    uint32_t node = root, unit, id;
    for (uint32_t i = begin;
         i < size && plm_tok_trie_step(trie, &node, bytes[i], &unit); ++i)
      if (plm_tok_trie_value(trie, node, unit, &id)) {
        reach(&nodes[i + 1], tok->scores[id] + score, begin, id);
        has_one |= i + 1 - begin == one;
      }
    if (!has_one)
      reach(&nodes[begin + one], tok->header->unknown_score + score, begin,
            (uint32_t)tok->header->unknown_id);
    begin += one;
  }
}

/* Ids of text that no piece covers, last one first. */
static bool emit_unknown(const plm_tok *tok, plm_tok_work *work, uint32_t begin,
                         uint32_t end) {
  const char *bytes = work->bytes.data;
  int32_t id = plm_tok_trie_find(&tok->pieces, plm_tok_trie_root(&tok->pieces),
                                 bytes + begin, end - begin);
  if (id >= 0)
    return plm_tok_emit(work, (uint32_t)id);
  bool fall_back = tok->header->flags & PLM_TOK_BYTE_FALLBACK;
  for (uint32_t i = begin; fall_back && i < end; ++i)
    fall_back = tok->bytes[(unsigned char)bytes[i]] >= 0;
  if (!fall_back)
    return plm_tok_emit(work, (uint32_t)tok->header->unknown_id);
  for (uint32_t i = end; i > begin; --i)
    if (!plm_tok_emit(work, (uint32_t)tok->bytes[(unsigned char)bytes[i - 1]]))
      return false;
  return true;
}

bool plm_tok_unigram(const plm_tok *tok, plm_tok_work *work,
                     const uint32_t *word, size_t length) {
  size_t size;
  if (!plm_tok_word_bytes(work, word, length, &size) ||
      !plm_tok_reserve(&work->lattice, 0, size + 1, sizeof(plm_tok_node)))
    return false;
  plm_tok_node *nodes = (plm_tok_node *)work->lattice.data;
  for (size_t i = 0; i <= size; ++i) {
    nodes[i].from = NOWHERE;
    nodes[i].score = 0;
  }
  search(tok, nodes, (const unsigned char *)work->bytes.data, (uint32_t)size);
  /* Back from the end; then the ids are turned round. */
  uint32_t unknown = (uint32_t)tok->header->unknown_id;
  size_t first = work->num_ids;
  for (uint32_t end = (uint32_t)size; end > 0;) {
    uint32_t begin = nodes[end].from;
    if (begin == NOWHERE)
      break;
    if (nodes[end].id != unknown) {
      if (!plm_tok_emit(work, nodes[end].id))
        return false;
      end = begin;
      continue;
    }
    while (begin > 0 && nodes[begin].from != NOWHERE &&
           nodes[begin].id == unknown)
      begin = nodes[begin].from;
    if (!emit_unknown(tok, work, begin, end))
      return false;
    end = begin;
  }
  int32_t *ids = (int32_t *)work->ids.data;
  for (size_t a = first, b = work->num_ids; a + 1 < b; ++a) {
    int32_t id = ids[--b];
    ids[b] = ids[a];
    ids[a] = id;
  }
  return true;
}
