/*===- TokenizeTemplate.c - Truncation, and the ids around a text --*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * As the package `tokenizers` does it: what the template adds is taken off the
 * limit first; of a pair the longer text is cut first, then both alike.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

static void items_of(const plm_tok *tok, bool pair, const plm_tok_item **items,
                     uint32_t *count) {
  uint32_t single = tok->header->single_items;
  *items = pair ? tok->items + single : tok->items;
  *count = pair ? tok->num_items - single : single;
}

uint32_t plm_tok_template_ids(const plm_tok *tok, bool pair) {
  const plm_tok_item *items;
  uint32_t count, ids = 0;
  items_of(tok, pair, &items, &count);
  for (uint32_t i = 0; i < count; ++i)
    ids += items[i].kind == PLM_TOK_ITEM_ID;
  return ids;
}

typedef struct plm_tok_part {
  const int32_t *ids;
  size_t count;
} plm_tok_part;

static void cut(const plm_tok *tok, plm_tok_part *part, size_t count) {
  if (count >= part->count)
    return;
  if (tok->header->flags & PLM_TOK_TRUNCATE_LEFT)
    part->ids += part->count - count;
  part->count = count;
}

/* Of two texts together at most `limit` ids. */
static void cut_longest(const plm_tok *tok, plm_tok_part *a, plm_tok_part *b,
                        size_t limit) {
  bool swap = a->count > b->count;
  size_t shorter = swap ? b->count : a->count;
  size_t longer = swap ? a->count : b->count;
  if (shorter > limit)
    longer = shorter;
  else
    longer = shorter > limit - shorter ? shorter : limit - shorter;
  if (shorter + longer > limit) {
    shorter = limit / 2;
    longer = shorter + limit % 2;
  }
  cut(tok, a, swap ? longer : shorter);
  cut(tok, b, swap ? shorter : longer);
}

static plm_status truncate(const plm_tok *tok, plm_tok_part *a, plm_tok_part *b,
                           bool pair, size_t limit, plm_rt_message *message) {
  size_t total = a->count + b->count;
  if (total <= limit)
    return PLM_OK;
  if (limit == 0) {
    a->count = b->count = 0;
    return PLM_OK;
  }
  if (!pair && tok->header->truncation != PLM_TOK_ONLY_SECOND) {
    cut(tok, a, limit);
    return PLM_OK;
  }
  if (tok->header->truncation == PLM_TOK_LONGEST_FIRST) {
    cut_longest(tok, a, b, limit);
    return PLM_OK;
  }
  bool first = tok->header->truncation == PLM_TOK_ONLY_FIRST;
  plm_tok_part *target = first ? a : b;
  if (target->count <= total - limit)
    return plm_rt_fail(message, PLM_ERROR_VALUE,
                       "the %s text is too short to bring the ids from %zu "
                       "down to %zu: the tokenizer cuts nothing else",
                       first ? "first" : "second", total, limit);
  cut(tok, target, target->count - (total - limit));
  return PLM_OK;
}

static void put(plm_tok_work *work, size_t at, int32_t id, uint32_t type) {
  ((int32_t *)work->result_ids.data)[at] = id;
  ((int32_t *)work->result_types.data)[at] = (int32_t)type;
}

plm_status plm_tok_finish(const plm_tok *tok, plm_tok_work *work, bool pair,
                          size_t second, const plm_tok_input *input,
                          plm_tok_output *output, plm_rt_message *message) {
  static const plm_tok_item plain[] = {{PLM_TOK_ITEM_FIRST, 0, 0},
                                       {PLM_TOK_ITEM_SECOND, 0, 1}};
  const int32_t *ids = (const int32_t *)work->ids.data;
  plm_tok_part a = {ids, second};
  plm_tok_part b = {ids + second, work->num_ids - second};
  const plm_tok_item *items;
  uint32_t count;
  items_of(tok, pair, &items, &count);
  if (input->no_template || count == 0) {
    items = plain;
    count = 2;
  }
  size_t added = input->no_template ? 0 : plm_tok_template_ids(tok, pair);
  size_t limit =
      input->max_length ? input->max_length : tok->header->max_length;
  if (limit) {
    if (limit < added)
      return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                         "the length is limited to %zu ids, of which the "
                         "tokenizer itself adds %zu",
                         limit, added);
    plm_status status = truncate(tok, &a, &b, pair, limit - added, message);
    if (status != PLM_OK)
      return status;
  }
  /* A template may name a text more than once. */
  size_t total = 0;
  for (uint32_t i = 0; i < count; ++i)
    total += items[i].kind == PLM_TOK_ITEM_ID      ? 1
             : items[i].kind == PLM_TOK_ITEM_FIRST ? a.count
                                                   : b.count;
  if (!plm_tok_reserve(&work->result_ids, 0, total, sizeof(int32_t)) ||
      !plm_tok_reserve(&work->result_types, 0, total, sizeof(int32_t)))
    return plm_rt_fail(message, PLM_ERROR_MEMORY,
                       "not enough memory for the %zu ids of a text", total);
  size_t at = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (items[i].kind == PLM_TOK_ITEM_ID) {
      put(work, at++, (int32_t)items[i].value, items[i].type);
      continue;
    }
    const plm_tok_part *part = items[i].kind == PLM_TOK_ITEM_FIRST ? &a : &b;
    for (size_t j = 0; j < part->count; ++j)
      put(work, at++, part->ids[j], items[i].type);
  }
  output->ids = (const int32_t *)work->result_ids.data;
  output->types = (const int32_t *)work->result_types.data;
  output->count = at;
  return PLM_OK;
}
