/*===- Tokenize.h - Text to ids -----------------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Runs the images of TokenizeImage.h, in emitted libraries and, compiled
 * natively, behind include/plmc/Tokenizer: there is one tokenizer. It gives the
 * ids that the Python package `tokenizers` gives.
 *
 *   Tokenize.c            added tokens, the order of things
 *   TokenizeOpen.c        checks an image, finds its sections
 *   TokenizeText.c        UTF-8 to code points and back, growing memory
 *   TokenizeTrie.c        longest and exact matches in a trie of bytes
 *   TokenizeNormalize.c   the steps of a normalizer
 *   TokenizeUnicode.c     NFD, NFC, NFKD, NFKC
 *   TokenizeCharsmap.c    SentencePiece's rules, on grapheme clusters
 *   TokenizeSplit.c       the steps of a pre-tokenizer
 *   TokenizePattern.c     the regular expressions of GPT-2 and its kin
 *   TokenizeWordPiece.c, TokenizeUnigram.c, TokenizeBPE.c   the models
 *   TokenizeTemplate.c    truncation; the ids around a text
 *
 * A text is worked on as an array of code points (32 bits): classes are looked
 * up once a character, and only the models go back to bytes.
 *===----------------------------------------------------------------------===*/

#ifndef PLMC_RUNTIME_TOKENIZE_H
#define PLMC_RUNTIME_TOKENIZE_H

#include "TokenizeImage.h"
#ifndef __cplusplus
#include "Internal.h"
#else
/* lib/Tokenizer: Internal.h is C11. */
#include "plm/model.h"
extern "C" {
typedef struct plm_rt_message {
  char text[512]; /* PLM_RT_MESSAGE_SIZE */
} plm_rt_message;
#endif

/*===-- An opened image (TokenizeOpen.c) ----------------------------------===*/

typedef struct plm_tok_trie {
  const uint32_t *units;
  uint32_t count;
} plm_tok_trie;

typedef struct plm_tok_map {
  const uint16_t *index, *pages;
  const uint32_t *records, *pool;
  uint32_t num_index;
} plm_tok_map;

#define PLM_TOK_SHORT_CHARS 512

typedef struct plm_tok {
  const plm_tok_header *header;
  const uint16_t *class_index;
  const uint8_t *class_pages;
  const uint32_t *class_values;
  plm_tok_map lower, canonical, compatible; /* index NULL: not needed */
  const plm_tok_composition *compositions;
  uint32_t num_compositions;
  const uint32_t *normalizer, *splitter; /* programs */
  uint32_t splitter_words;
  plm_tok_trie charsmap;
  const char *charsmap_text;
  uint32_t charsmap_size;
  const plm_tok_added *added;
  uint32_t num_added;
  plm_tok_trie raw_added, normalized_added;
  plm_tok_trie pieces;
  const double *scores;
  const uint32_t *merge_starts;
  const plm_tok_merge *merges;
  const uint32_t *merge_results;
  uint32_t num_merges;
  const uint8_t *whole;
  const char *continuing, *word_end;
  uint32_t continuing_size, word_end_size;
  const plm_tok_item *items;
  uint32_t num_items;
  /* Prepared when opened. */
  uint32_t continuing_node; /* UINT32_MAX: no piece continues a word */
  int32_t short_chars[PLM_TOK_SHORT_CHARS]; /* BPE: ids of characters, or -1 */
  int32_t bytes[256];                       /* ids of <0x..>, or -1 */
  uint8_t first_raw[256], first_normalized[256]; /* bytes added tokens begin
                                                    with */
} plm_tok;

/* The image stays the caller's, aligned to 8 bytes, and must outlive `tok`.
 * Every offset and index in it is checked. */
plm_status plm_tok_open(plm_tok *tok, const void *image, size_t size,
                        plm_rt_message *message);
/* Of all bytes of an image behind the header's field. */
uint64_t plm_tok_checksum(const void *image, size_t size);

/*===-- Memory and text (TokenizeText.c) ----------------------------------===*/

/* Memory that grows, keeps its contents, and is kept. */
typedef struct plm_tok_vec {
  char *data;
  size_t capacity; /* in bytes */
} plm_tok_vec;

/* Room for `count` elements of `size` bytes; the first `used` survive. */
bool plm_tok_reserve(plm_tok_vec *vec, size_t used, size_t count, size_t size);

/* Code points. */
typedef struct plm_tok_string {
  plm_tok_vec memory;
  size_t length;
} plm_tok_string;

static inline uint32_t *plm_tok_chars(const plm_tok_string *string) {
  return (uint32_t *)string->memory.data;
}
static inline bool plm_tok_room(plm_tok_string *string, size_t more) {
  return plm_tok_reserve(&string->memory, string->length, string->length + more,
                         sizeof(uint32_t));
}

/* Appends the characters of UTF-8; what is none becomes U+FFFD, one for each
 * maximal part of a sequence, as Python's errors="replace" does. */
bool plm_tok_decode(plm_tok_string *to, const char *text, size_t size);
/* Writes 1 to 4 bytes; returns how many. */
static inline uint32_t plm_tok_put(char *to, uint32_t c) {
  if (c < 0x80) {
    to[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    to[0] = (char)(0xc0 | c >> 6);
    to[1] = (char)(0x80 | (c & 63));
    return 2;
  }
  if (c < 0x10000) {
    to[0] = (char)(0xe0 | c >> 12);
    to[1] = (char)(0x80 | (c >> 6 & 63));
    to[2] = (char)(0x80 | (c & 63));
    return 3;
  }
  to[0] = (char)(0xf0 | c >> 18);
  to[1] = (char)(0x80 | (c >> 12 & 63));
  to[2] = (char)(0x80 | (c >> 6 & 63));
  to[3] = (char)(0x80 | (c & 63));
  return 4;
}

/*===-- Tables ------------------------------------------------------------===*/

static inline uint32_t plm_tok_class_of(const plm_tok *tok, uint32_t c) {
  return tok->class_values[tok->class_pages[tok->class_index[c >> 7] * 128u +
                                            (c & 127)]];
}
/* What `c` maps to: `*count` code points, 0 (and NULL) if it is itself. */
static inline const uint32_t *plm_tok_lookup(const plm_tok_map *map, uint32_t c,
                                             uint32_t *count) {
  *count = 0;
  if (c >> 7 >= map->num_index)
    return NULL;
  uint32_t entry = map->pages[map->index[c >> 7] * 128u + (c & 127)];
  if (!entry)
    return NULL;
  *count = map->records[entry] - map->records[entry - 1];
  return map->pool + map->records[entry - 1];
}

/*===-- Tries (TokenizeTrie.c) --------------------------------------------===*/

/* A node is where its children begin; where nothing can be, if it has none. */
#define PLM_TOK_TRIE_END 0xffffff00u
uint32_t plm_tok_trie_root(const plm_tok_trie *trie);
/* Follows one byte; false if nothing goes on there. */
static inline bool plm_tok_trie_step(const plm_tok_trie *trie, uint32_t *node,
                                     unsigned char byte, uint32_t *unit) {
  uint32_t at = *node ^ byte;
  if (at >= trie->count)
    return false;
  uint32_t found = trie->units[at];
  if ((found & 0x800000ffu) != byte || byte == 0)
    return false;
  *node = (found & 768) == 768 ? PLM_TOK_TRIE_END
                               : at ^ (found >> 10 << ((found & 512) >> 6));
  *unit = found;
  return true;
}
/* The value that ends at the node of `unit`; false if none does. */
static inline bool plm_tok_trie_value(const plm_tok_trie *trie, uint32_t node,
                                      uint32_t unit, uint32_t *value) {
  if ((unit & 768) == 768) {
    *value = unit >> 10;
    return true;
  }
  if (!(unit >> 8 & 1) || node >= trie->count)
    return false;
  *value = trie->units[node] & 0x7fffffffu;
  return true;
}
/* The value of exactly these bytes, from a node on; -1 if there is none. */
int32_t plm_tok_trie_find(const plm_tok_trie *trie, uint32_t node,
                          const char *bytes, size_t size);

/*===-- Work --------------------------------------------------------------===*/

typedef struct plm_tok_span {
  uint32_t begin, end;
} plm_tok_span;

/* What tokenizing needs besides the image: memory of one thread. Zeroed at
 * first. Steady state allocates nothing. */
typedef struct plm_tok_work {
  plm_tok_string raw;         /* the text */
  plm_tok_string text, other; /* a segment; the result of the next step */
  plm_tok_vec spans, other_spans;
  size_t num_spans;
  plm_tok_string part; /* of a segment, for the pre-tokenizer */
  plm_tok_vec bytes;   /* UTF-8 of a word */
  plm_tok_vec lattice; /* Unigram; BPE's symbols */
  plm_tok_vec heap;    /* BPE */
  plm_tok_vec ids;     /* int32_t */
  size_t num_ids, max_ids;
  plm_tok_vec result_ids, result_types;
  size_t front;  /* how many of the segment's first characters come from the
                    text's first one */
  bool no_whole; /* for the image's builder: do not use WHOLE */
} plm_tok_work;

void plm_tok_work_free(plm_tok_work *work);

/* Appends an id. */
static inline bool plm_tok_emit(plm_tok_work *work, uint32_t id) {
  if (!plm_tok_reserve(&work->ids, work->num_ids, work->num_ids + 1,
                       sizeof(int32_t)))
    return false;
  ((int32_t *)work->ids.data)[work->num_ids++] = (int32_t)id;
  return true;
}

/* Steps; false if memory is short. They act on work->text and work->spans. */
bool plm_tok_normalize(const plm_tok *tok, plm_tok_work *work);
bool plm_tok_decompose(const plm_tok *tok, plm_tok_work *work,
                       const plm_tok_map *map);
bool plm_tok_compose(const plm_tok *tok, plm_tok_work *work,
                     const plm_tok_map *map);
bool plm_tok_charsmap(const plm_tok *tok, plm_tok_work *work);
/* Each byte of the text's UTF-8 becomes the character that byte-level BPE
 * writes it with. */
bool plm_tok_bytes(const plm_tok_string *text, plm_tok_string *to);
bool plm_tok_split(const plm_tok *tok, plm_tok_work *work);
/* Where the match of the pattern at `at` ends; at least one character on. */
size_t plm_tok_match_gpt2(const plm_tok *tok, const uint32_t *text, size_t at,
                          size_t end);
size_t plm_tok_match_cl100k(const plm_tok *tok, const uint32_t *text, size_t at,
                            size_t end, uint32_t most_digits);
/* Ids of one word. */
bool plm_tok_wordpiece(const plm_tok *tok, plm_tok_work *work,
                       const uint32_t *word, size_t length);
bool plm_tok_unigram(const plm_tok *tok, plm_tok_work *work,
                     const uint32_t *word, size_t length);
bool plm_tok_bpe(const plm_tok *tok, plm_tok_work *work, const uint32_t *word,
                 size_t length);
/* UTF-8 of a word in work->bytes. */
bool plm_tok_word_bytes(plm_tok_work *work, const uint32_t *word, size_t length,
                        size_t *size);

/*===-- Tokenizing (Tokenize.c, TokenizeTemplate.c) -----------------------===*/

typedef struct plm_tok_input {
  const char *text, *pair; /* pair NULL: one text */
  size_t size, pair_size;
  uint32_t max_length; /* the most ids of all; 0: what the image says */
  bool no_template;    /* without the ids around the text */
} plm_tok_input;

/* Valid until the next call with this work. */
typedef struct plm_tok_output {
  const int32_t *ids, *types;
  size_t count;
} plm_tok_output;

#define PLM_TOK_MAX_TEXT ((size_t)1 << 27)

plm_status plm_tok_encode(const plm_tok *tok, plm_tok_work *work,
                          const plm_tok_input *input, plm_tok_output *output,
                          plm_rt_message *message);
/* Appends the ids of a text, without a template, to work->ids. */
bool plm_tok_text_ids(const plm_tok *tok, plm_tok_work *work, const char *text,
                      size_t size);
/* Cuts and joins the ids of one text or, if `pair`, of two: the second one's
 * begin at `second`. */
plm_status plm_tok_finish(const plm_tok *tok, plm_tok_work *work, bool pair,
                          size_t second, const plm_tok_input *input,
                          plm_tok_output *output, plm_rt_message *message);
/* How many ids the template adds. */
uint32_t plm_tok_template_ids(const plm_tok *tok, bool pair);

#ifdef __cplusplus
}
#endif

#endif /* PLMC_RUNTIME_TOKENIZE_H */
