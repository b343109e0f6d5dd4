/*===- Tokenize.c - Text to ids ------------------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The order of the package `tokenizers`:
 *
 *   1. added tokens that are not to be normalized, leftmost and longest first,
 * are taken out of the text as it came;
 *   2. each part between them is normalized,
 *   3. the other added tokens are taken out of that,
 *   4. what remains is divided into words by the pre-tokenizer,
 *   5. and each word into pieces by the model.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

typedef struct plm_tok_found {
  size_t begin, end; /* with the white space that the token takes along */
  size_t resume;     /* where the search goes on */
  uint32_t id;
} plm_tok_found;

static bool is(const plm_tok *tok, uint32_t c, uint32_t bits) {
  return plm_tok_class_of(tok, c) & bits;
}

/* The longest added token at `at`; 0 if there is none, else where it ends. */
static size_t longest_at(const plm_tok_trie *trie, const uint32_t *text,
                         size_t at, size_t end, uint32_t *which) {
  uint32_t node = plm_tok_trie_root(trie), unit = 0;
  size_t best = 0;
  for (size_t i = at; i < end; ++i) {
    char bytes[4];
    uint32_t size = plm_tok_put(bytes, text[i]);
    for (uint32_t j = 0; j < size; ++j)
      if (!plm_tok_trie_step(trie, &node, (unsigned char)bytes[j], &unit))
        return best;
    if (plm_tok_trie_value(trie, node, unit, which))
      best = i + 1;
  }
  return best;
}

/* The next added token in text[from, end). `from` is also where the last one
 * ended: white space before that is not taken again. */
static bool find_added(const plm_tok *tok, const plm_tok_trie *trie,
                       const uint8_t *first, const uint32_t *text, size_t from,
                       size_t search, size_t end, plm_tok_found *found) {
  for (size_t at = search; at < end;) {
    char lead[4];
    uint32_t which = 0;
    plm_tok_put(lead, text[at]);
    size_t stop = 0;
    if (first[(unsigned char)lead[0]])
      stop = longest_at(trie, text, at, end, &which);
    if (!stop || which >= tok->num_added) {
      ++at;
      continue;
    }
    const plm_tok_added *token = &tok->added[which];
    size_t begin = at, behind = stop;
    bool skip = (tok->header->flags & PLM_TOK_SPLIT_SPECIALS) &&
                (token->flags & PLM_TOK_ADDED_SPECIAL);
    if (token->flags & PLM_TOK_ADDED_SINGLE_WORD)
      skip |= (begin > 0 && is(tok, text[begin - 1], PLM_TOK_IS_WORD)) ||
              (stop < end && is(tok, text[stop], PLM_TOK_IS_WORD));
    if (skip) {
      at = stop;
      continue;
    }
    if (token->flags & PLM_TOK_ADDED_LSTRIP)
      while (begin > from && is(tok, text[begin - 1], PLM_TOK_IS_SPACE))
        --begin;
    if (token->flags & PLM_TOK_ADDED_RSTRIP)
      while (behind < end && is(tok, text[behind], PLM_TOK_IS_SPACE))
        ++behind;
    found->begin = begin;
    found->end = behind;
    found->resume = stop;
    found->id = token->id;
    return true;
  }
  return false;
}

static bool enough(const plm_tok_work *work) {
  return work->max_ids && work->num_ids >= work->max_ids;
}

static bool model(const plm_tok *tok, plm_tok_work *work, const uint32_t *word,
                  size_t length) {
  switch (tok->header->model) {
  case PLM_TOK_UNIGRAM:
    return plm_tok_unigram(tok, work, word, length);
  case PLM_TOK_BPE:
    return plm_tok_bpe(tok, work, word, length);
  default:
    return plm_tok_wordpiece(tok, work, word, length);
  }
}

/* Words of what lies in work->part. */
static bool words(const plm_tok *tok, plm_tok_work *work) {
  if (!plm_tok_split(tok, work))
    return false;
  const plm_tok_span *spans = (const plm_tok_span *)work->spans.data;
  for (size_t i = 0; i < work->num_spans && !enough(work); ++i)
    if (!model(tok, work, plm_tok_chars(&work->part) + spans[i].begin,
               spans[i].end - spans[i].begin))
      return false;
  return true;
}

static bool set_string(plm_tok_string *to, const uint32_t *chars,
                       size_t length) {
  to->length = 0;
  if (!plm_tok_room(to, length + 1)) /* one more: a prefix often comes */
    return false;
  memcpy(to->memory.data, chars, length * sizeof(uint32_t));
  to->length = length;
  return true;
}

/* A part of a normalized segment between added tokens. */
static bool part(const plm_tok *tok, plm_tok_work *work, size_t begin,
                 size_t end) {
  if (begin == end)
    return true;
  size_t front = work->front;
  work->front = begin < front;
  bool done = set_string(&work->part, plm_tok_chars(&work->text) + begin,
                         end - begin) &&
              words(tok, work);
  work->front = front;
  return done;
}

/* A segment of the text as it came. */
static bool segment(const plm_tok *tok, plm_tok_work *work, size_t begin,
                    size_t end) {
  if (!set_string(&work->text, plm_tok_chars(&work->raw) + begin, end - begin))
    return false;
  work->front = begin == 0;
  if (!plm_tok_normalize(tok, work))
    return false;
  if (!tok->normalized_added.count)
    return part(tok, work, 0, work->text.length);
  size_t from = 0, search = 0, length = work->text.length;
  plm_tok_found found;
  while (!enough(work) &&
         find_added(tok, &tok->normalized_added, tok->first_normalized,
                    plm_tok_chars(&work->text), from, search, length, &found)) {
    if (!part(tok, work, from, found.begin > from ? found.begin : from) ||
        !plm_tok_emit(work, found.id))
      return false;
    from = found.end;
    search = found.resume;
  }
  return part(tok, work, from, length);
}

bool plm_tok_text_ids(const plm_tok *tok, plm_tok_work *work, const char *text,
                      size_t size) {
  work->raw.length = 0;
  if (!plm_tok_decode(&work->raw, text, size))
    return false;
  size_t length = work->raw.length;
  if (!tok->raw_added.count)
    return !length || segment(tok, work, 0, length);
  size_t from = 0, search = 0;
  plm_tok_found found;
  while (!enough(work) &&
         find_added(tok, &tok->raw_added, tok->first_raw,
                    plm_tok_chars(&work->raw), from, search, length, &found)) {
    if (found.begin > from && !segment(tok, work, from, found.begin))
      return false;
    if (!plm_tok_emit(work, found.id))
      return false;
    from = found.end;
    search = found.resume;
  }
  return from >= length || segment(tok, work, from, length);
}

plm_status plm_tok_encode(const plm_tok *tok, plm_tok_work *work,
                          const plm_tok_input *input, plm_tok_output *output,
                          plm_rt_message *message) {
  bool pair = input->pair != NULL;
  if ((!input->text && input->size) || input->size > PLM_TOK_MAX_TEXT ||
      (pair && input->pair_size > PLM_TOK_MAX_TEXT))
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       input->text ? "a text has more than %zu bytes: divide it"
                                   : "a text is NULL (its size is %zu)",
                       input->text ? PLM_TOK_MAX_TEXT : input->size);
  work->num_ids = 0;
  /* What is to be cut off at the end need not be computed. */
  size_t limit =
      input->max_length ? input->max_length : tok->header->max_length;
  bool left = tok->header->flags & PLM_TOK_TRUNCATE_LEFT;
  bool cuts_end =
      limit && !pair && !left && tok->header->truncation != PLM_TOK_ONLY_SECOND;
  work->max_ids = cuts_end ? limit + 1 : 0;
  bool done = plm_tok_text_ids(tok, work, input->text, input->size);
  size_t second = work->num_ids;
  if (done && pair)
    done = plm_tok_text_ids(tok, work, input->pair, input->pair_size);
  if (!done)
    return plm_rt_fail(message, PLM_ERROR_MEMORY,
                       "not enough memory to tokenize %zu bytes",
                       input->size + (pair ? input->pair_size : 0));
  return plm_tok_finish(tok, work, pair, second, input, output, message);
}
