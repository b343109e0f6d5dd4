/*===- TokenizeOpen.c - Checks an image, finds its sections --------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What the other files rely on is checked here, once: that sections lie inside
 * the image, that indices in tables lead to entries, that ids are ids, that
 * steps have their operands. Tries are not: their walk stays inside by itself.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

uint64_t plm_tok_checksum(const void *image, size_t size) {
  const size_t skipped = offsetof(plm_tok_header, vocabulary_hash);
  const char *bytes = (const char *)image;
  uint64_t hash = 0xcbf29ce484222325ull;
  for (size_t i = skipped; i < size; i += 8) {
    uint64_t word = 0;
    memcpy(&word, bytes + i, size - i < 8 ? size - i : 8);
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
  }
  return hash;
}

/* An image while it is opened. `wrong` names the first thing that is. */
typedef struct plm_tok_opening {
  plm_tok *tok;
  const char *image;
  size_t size;
  const char *wrong;
} plm_tok_opening;

static bool fail(plm_tok_opening *o, const char *what) {
  if (!o->wrong)
    o->wrong = what;
  return false;
}

/* A section as an array of elements; NULL and 0 if it is empty or wrong. */
static const void *section(plm_tok_opening *o, uint32_t which, size_t element,
                           uint32_t *count) {
  plm_tok_section s = o->tok->header->sections[which];
  *count = 0;
  if (!s.size)
    return NULL;
  if (s.offset % 8 || s.offset > o->size || s.size > o->size - s.offset ||
      s.size % element) {
    fail(o, "a section lies outside");
    return NULL;
  }
  *count = s.size / (uint32_t)element;
  return o->image + s.offset;
}

static bool below(const uint32_t *values, size_t count, uint32_t limit) {
  for (size_t i = 0; i < count; ++i)
    if (values[i] >= limit)
      return false;
  return true;
}

static bool ascending(const uint32_t *values, size_t count, uint32_t last) {
  for (size_t i = 0; i + 1 < count; ++i)
    if (values[i] > values[i + 1])
      return false;
  return count && values[count - 1] <= last;
}

static bool pages_below(const uint16_t *values, size_t count, uint32_t limit) {
  for (size_t i = 0; i < count; ++i)
    if (values[i] >= limit)
      return false;
  return true;
}

static bool open_classes(plm_tok_opening *o) {
  plm_tok *tok = o->tok;
  uint32_t pages, entries, values;
  tok->class_index = section(o, PLM_TOK_CLASS_INDEX, 2, &pages);
  tok->class_pages = section(o, PLM_TOK_CLASS_PAGES, 128, &entries);
  tok->class_values = section(o, PLM_TOK_CLASS_VALUES, 4, &values);
  if (pages != PLM_TOK_PAGES || !pages_below(tok->class_index, pages, entries))
    return fail(o, "the table of characters");
  for (size_t i = 0; i < (size_t)entries * 128; ++i)
    if (tok->class_pages[i] >= values)
      return fail(o, "the table of characters");
  return true;
}

static bool open_map(plm_tok_opening *o, uint32_t which, plm_tok_map *map) {
  uint32_t size;
  const char *data = section(o, which, 1, &size);
  if (!data)
    return !o->wrong;
  const plm_tok_map_header *header = (const plm_tok_map_header *)data;
  if (size < sizeof(*header) || header->num_pages > PLM_TOK_PAGES ||
      header->num_index > PLM_TOK_PAGES || header->num_index % 2 ||
      header->num_records > 0xffff || header->num_pool > 0x1000000)
    return fail(o, "a map of characters");
  size_t index = sizeof(*header);
  size_t pages = index + (size_t)header->num_index * 2;
  size_t records = pages + (size_t)header->num_pages * 256;
  size_t pool = records + ((size_t)header->num_records + 1) * 4;
  if (size != pool + (size_t)header->num_pool * 4)
    return fail(o, "a map of characters");
  map->index = (const uint16_t *)(data + index);
  map->num_index = header->num_index;
  map->pages = (const uint16_t *)(data + pages);
  map->records = (const uint32_t *)(data + records);
  map->pool = (const uint32_t *)(data + pool);
  if (!pages_below(map->index, header->num_index, header->num_pages) ||
      !pages_below(map->pages, (size_t)header->num_pages * 128,
                   header->num_records + 1) ||
      !ascending(map->records, header->num_records + 1, header->num_pool) ||
      !below(map->pool, header->num_pool, 0x110000))
    return fail(o, "a map of characters");
  return true;
}

/* Texts among the operands of a step: `count` of them from `at` on, to the
 * end. */
static bool texts(const uint32_t *operands, uint32_t length, uint32_t at,
                  uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (at >= length || operands[at] > length - at - 1 ||
        !below(operands + at + 1, operands[at], 0x110000))
      return false;
    at += 1 + operands[at];
  }
  return at == length;
}

static bool step_is_right(const plm_tok *tok, uint32_t opcode,
                          const uint32_t *operands, uint32_t length) {
  switch (opcode) {
  case PLM_TOK_CLEAN:
  case PLM_TOK_PAD_IDEOGRAPHS:
  case PLM_TOK_DROP_NONSPACING:
  case PLM_TOK_DROP_MARKS:
  case PLM_TOK_NMT:
  case PLM_TOK_BYTES:
  case PLM_TOK_SPLIT_BERT:
  case PLM_TOK_SPLIT_SPACE:
  case PLM_TOK_SPLIT_WORDS:
    return length == 0;
  case PLM_TOK_LOWERCASE:
    return length == 0 && tok->lower.index;
  case PLM_TOK_NFD:
    return length == 0 && tok->canonical.index;
  case PLM_TOK_NFC:
    return length == 0 && tok->canonical.index && tok->compositions;
  case PLM_TOK_NFKD:
    return length == 0 && tok->compatible.index;
  case PLM_TOK_NFKC:
    return length == 0 && tok->compatible.index && tok->compositions;
  case PLM_TOK_CHARSMAP:
    return length == 0 && tok->charsmap.count && tok->charsmap_text;
  case PLM_TOK_STRIP:
  case PLM_TOK_SPLIT_DIGITS:
  case PLM_TOK_BYTE_LEVEL:
    return length == 1;
  case PLM_TOK_SPLIT_PUNCTUATION:
    return length == 1 && operands[0] <= PLM_TOK_CONTIGUOUS;
  case PLM_TOK_REPLACE:
    return texts(operands, length, 0, 2) && operands[0] > 0;
  case PLM_TOK_SQUEEZE:
  case PLM_TOK_SQUEEZE_SPACE:
    return length > 0 && operands[0] > 0 && texts(operands, length, 1, 1);
  case PLM_TOK_PREPEND:
    return texts(operands, length, 0, 1);
  case PLM_TOK_SPLIT_TEXT:
    return length > 2 && operands[0] <= PLM_TOK_CONTIGUOUS && operands[2] > 0 &&
           texts(operands, length, 2, 1);
  case PLM_TOK_SPLIT_SPACES:
  case PLM_TOK_SPLIT_GPT2:
    return length == 2 && operands[0] <= PLM_TOK_CONTIGUOUS;
  case PLM_TOK_SPLIT_CL100K:
    return length == 3 && operands[0] <= PLM_TOK_CONTIGUOUS && operands[2] > 0;
  case PLM_TOK_METASPACE:
    return length == 3 && operands[0] < 0x110000 &&
           operands[1] <= PLM_TOK_PREPEND_ALWAYS;
  default:
    return false;
  }
}

static bool open_program(plm_tok_opening *o) {
  plm_tok *tok = o->tok;
  uint32_t words, of_normalizer = tok->header->normalizer_words;
  tok->normalizer = section(o, PLM_TOK_PROGRAM, 4, &words);
  if (of_normalizer > words)
    return fail(o, "the program");
  tok->splitter_words = words - of_normalizer;
  tok->splitter = tok->normalizer ? tok->normalizer + of_normalizer : NULL;
  for (uint32_t at = 0; at < words;) {
    uint32_t opcode = tok->normalizer[at] & 255;
    uint32_t length = tok->normalizer[at] >> 8;
    bool splits = at >= of_normalizer;
    if (length > words - at - 1 || splits != (opcode >= PLM_TOK_SPLIT_BERT) ||
        (!splits && at + 1 + length > of_normalizer) ||
        !step_is_right(tok, opcode, tok->normalizer + at + 1, length))
      return fail(o, "a step of the program");
    at += 1 + length;
  }
  return true;
}

static bool open_trie(plm_tok_opening *o, uint32_t which, plm_tok_trie *trie,
                      uint32_t limit) {
  trie->units = section(o, which, 4, &trie->count);
  for (uint32_t i = 0; i < trie->count; ++i) {
    uint32_t unit = trie->units[i];
    if (unit >> 31 ? (unit & 0x7fffffffu) >= limit
                   : (unit & 768) == 768 && unit >> 10 >= limit)
      return fail(o, "a trie");
  }
  return true;
}

static bool open_texts(plm_tok_opening *o) {
  plm_tok *tok = o->tok;
  uint32_t ids = tok->header->num_ids;
  tok->charsmap_text =
      section(o, PLM_TOK_CHARSMAP_TEXT, 1, &tok->charsmap_size);
  if (tok->charsmap_size && tok->charsmap_text[tok->charsmap_size - 1])
    return fail(o, "the rules of SentencePiece");
  tok->continuing = section(o, PLM_TOK_CONTINUING, 1, &tok->continuing_size);
  tok->word_end = section(o, PLM_TOK_WORD_END, 1, &tok->word_end_size);
  if (tok->word_end_size > 64 || tok->continuing_size > 64)
    return fail(o, "the vocabulary");
  tok->added =
      section(o, PLM_TOK_ADDED, sizeof(plm_tok_added), &tok->num_added);
  for (uint32_t i = 0; i < tok->num_added; ++i)
    if (tok->added[i].id >= ids)
      return fail(o, "an added token");
  tok->items =
      section(o, PLM_TOK_TEMPLATE, sizeof(plm_tok_item), &tok->num_items);
  if (tok->header->single_items > tok->num_items)
    return fail(o, "the template");
  for (uint32_t i = 0; i < tok->num_items; ++i)
    if (tok->items[i].kind > PLM_TOK_ITEM_SECOND ||
        (tok->items[i].kind == PLM_TOK_ITEM_ID && tok->items[i].value >= ids))
      return fail(o, "the template");
  return true;
}

static bool open_model(plm_tok_opening *o) {
  plm_tok *tok = o->tok;
  const plm_tok_header *header = tok->header;
  uint32_t count, ids = header->num_ids, starts;
  if (ids == 0 || ids > 0x7ffffffe ||
      (header->unknown_id >= 0 && (uint32_t)header->unknown_id >= ids) ||
      header->model < PLM_TOK_WORDPIECE || header->model > PLM_TOK_WORDLEVEL ||
      header->truncation > PLM_TOK_ONLY_SECOND)
    return fail(o, "the header");
  tok->scores = section(o, PLM_TOK_SCORES, 8, &count);
  if (header->model == PLM_TOK_UNIGRAM &&
      (count != ids || header->unknown_id < 0))
    return fail(o, "the scores");
  tok->whole = section(o, PLM_TOK_WHOLE, 1, &count);
  if (tok->whole && count != (ids + 7) / 8)
    return fail(o, "the merges");
  tok->merge_starts = section(o, PLM_TOK_MERGE_STARTS, 4, &starts);
  tok->merges = section(o, PLM_TOK_MERGES, sizeof(plm_tok_merge), &count);
  tok->merge_results = section(o, PLM_TOK_MERGE_RESULTS, 4, &tok->num_merges);
  if (header->model != PLM_TOK_BPE)
    return true;
  if (starts != ids + 1 || !ascending(tok->merge_starts, starts, count) ||
      !below(tok->merge_results, tok->num_merges, ids))
    return fail(o, "the merges");
  for (uint32_t i = 0; i < count; ++i)
    if (tok->merges[i].rank >= tok->num_merges)
      return fail(o, "the merges");
  return true;
}

/* What can be looked up once. */
static void prepare(plm_tok *tok) {
  const plm_tok_trie *trie = &tok->pieces;
  uint32_t root = plm_tok_trie_root(trie), unit = 0;
  tok->continuing_node = root;
  for (uint32_t i = 0; i < tok->continuing_size; ++i)
    if (tok->continuing_node != UINT32_MAX &&
        !plm_tok_trie_step(trie, &tok->continuing_node,
                           (unsigned char)tok->continuing[i], &unit))
      tok->continuing_node = UINT32_MAX;
  char bytes[4];
  for (uint32_t c = 0; c < PLM_TOK_SHORT_CHARS; ++c)
    tok->short_chars[c] =
        plm_tok_trie_find(trie, root, bytes, plm_tok_put(bytes, c));
  for (uint32_t byte = 0; byte < 256; ++byte) {
    static const char digits[] = "0123456789ABCDEF";
    char name[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
    tok->bytes[byte] = plm_tok_trie_find(trie, root, name, sizeof(name));
    uint32_t node = plm_tok_trie_root(&tok->raw_added);
    tok->first_raw[byte] =
        plm_tok_trie_step(&tok->raw_added, &node, (unsigned char)byte, &unit);
    node = plm_tok_trie_root(&tok->normalized_added);
    tok->first_normalized[byte] = plm_tok_trie_step(
        &tok->normalized_added, &node, (unsigned char)byte, &unit);
  }
}

static bool open_all(plm_tok_opening *o) {
  plm_tok *tok = o->tok;
  uint32_t ids = tok->header->num_ids;
  if (!open_model(o) || !open_classes(o) ||
      !open_map(o, PLM_TOK_LOWER, &tok->lower) ||
      !open_map(o, PLM_TOK_CANONICAL, &tok->canonical) ||
      !open_map(o, PLM_TOK_COMPATIBLE, &tok->compatible))
    return false;
  tok->compositions = section(o, PLM_TOK_COMPOSE, sizeof(plm_tok_composition),
                              &tok->num_compositions);
  for (uint32_t i = 0; i < tok->num_compositions; ++i)
    if (tok->compositions[i].composed >= 0x110000)
      return fail(o, "a map of characters");
  return open_texts(o) &&
         open_trie(o, PLM_TOK_CHARSMAP_TRIE, &tok->charsmap, 0x80000000u) &&
         open_trie(o, PLM_TOK_RAW_TRIE, &tok->raw_added, tok->num_added) &&
         open_trie(o, PLM_TOK_NORMALIZED_TRIE, &tok->normalized_added,
                   tok->num_added) &&
         open_trie(o, PLM_TOK_TRIE, &tok->pieces, ids) && open_program(o) &&
         !o->wrong;
}

plm_status plm_tok_open(plm_tok *tok, const void *image, size_t size,
                        plm_rt_message *message) {
  memset(tok, 0, sizeof(*tok));
  const plm_tok_header *header = image;
  if (!image || size < sizeof(*header) || (uintptr_t)image % 8 ||
      header->magic != PLM_TOK_MAGIC || header->size != size)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "this is no tokenizer image");
  if (header->version != PLM_TOK_VERSION)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "the tokenizer image has version %u, this program "
                       "reads version %u: make it again",
                       (unsigned)header->version, (unsigned)PLM_TOK_VERSION);
  if (header->checksum != plm_tok_checksum(image, size))
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "the tokenizer image is damaged: make it again");
  tok->header = header;
  plm_tok_opening o = {tok, image, size, NULL};
  if (open_all(&o)) {
    prepare(tok);
    return PLM_OK;
  }
  return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                     "the tokenizer image is damaged (%s): make it again",
                     o.wrong ? o.wrong : "its end");
}
