/*===- TokenizeSplit.c - The steps of a pre-tokenizer --------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * work->part holds the text, work->spans the words that it has been divided
 * into so far. A step divides each of them further, or (Metaspace, byte level)
 * also rewrites the text. Empty words are dropped at once.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

/* Divides one span; `put` takes its parts in order, matches and what lies
 * between. */
typedef struct plm_tok_cutter {
  plm_tok_work *work;
  uint32_t behavior;
  bool inverted;
  size_t count;      /* spans written */
  size_t first;      /* of this span's */
  bool matched;      /* the part before was a match */
  plm_tok_span held; /* WITH_NEXT: a match that waits for the next part */
  bool holds;
} plm_tok_cutter;

static bool push(plm_tok_cutter *cutter, size_t begin, size_t end) {
  if (begin == end)
    return true;
  plm_tok_vec *spans = &cutter->work->other_spans;
  if (!plm_tok_reserve(spans, cutter->count, cutter->count + 1,
                       sizeof(plm_tok_span)))
    return false;
  plm_tok_span *span = (plm_tok_span *)spans->data + cutter->count++;
  span->begin = (uint32_t)begin;
  span->end = (uint32_t)end;
  return true;
}

static bool put(plm_tok_cutter *cutter, size_t begin, size_t end, bool match) {
  if (begin == end)
    return true;
  match ^= cutter->inverted;
  bool before = cutter->matched;
  cutter->matched = match;
  plm_tok_span *last =
      cutter->count > cutter->first
          ? (plm_tok_span *)cutter->work->other_spans.data + cutter->count - 1
          : NULL;
  switch (cutter->behavior) {
  case PLM_TOK_REMOVED:
    return match || push(cutter, begin, end);
  case PLM_TOK_WITH_PREVIOUS:
    if (match && !before && last) {
      last->end = (uint32_t)end;
      return true;
    }
    return push(cutter, begin, end);
  case PLM_TOK_CONTIGUOUS:
    if (match == before && last) {
      last->end = (uint32_t)end;
      return true;
    }
    return push(cutter, begin, end);
  case PLM_TOK_WITH_NEXT:
    if (match) {
      bool done =
          !cutter->holds || push(cutter, cutter->held.begin, cutter->held.end);
      cutter->held.begin = (uint32_t)begin;
      cutter->held.end = (uint32_t)end;
      cutter->holds = true;
      return done;
    }
    if (cutter->holds)
      begin = cutter->held.begin;
    cutter->holds = false;
    return push(cutter, begin, end);
  default:
    return push(cutter, begin, end);
  }
}

/* Parts by class: each character of `bits` is a match by itself. */
static bool cut_class(const plm_tok *tok, plm_tok_cutter *cutter,
                      const uint32_t *text, size_t begin, size_t end,
                      uint32_t bits) {
  size_t from = begin;
  for (size_t i = begin; i < end; ++i)
    if (plm_tok_class_of(tok, text[i]) & bits) {
      if (!put(cutter, from, i, false) || !put(cutter, i, i + 1, true))
        return false;
      from = i + 1;
    }
  return put(cutter, from, end, false);
}

/* White space goes, punctuation stands alone: BERT's two steps in one. */
static bool cut_bert(const plm_tok *tok, plm_tok_cutter *cutter,
                     const uint32_t *text, size_t begin, size_t end) {
  size_t from = begin;
  for (size_t i = begin; i < end; ++i) {
    uint32_t bits = plm_tok_class_of(tok, text[i]);
    if (!(bits & (PLM_TOK_IS_SPACE | PLM_TOK_IS_PUNCTUATION)))
      continue;
    if (!push(cutter, from, i) ||
        (!(bits & PLM_TOK_IS_SPACE) && !push(cutter, i, i + 1)))
      return false;
    from = i + 1;
  }
  return push(cutter, from, end);
}

/* Runs of characters that agree in `bits`; those of `gone` are left out. */
static bool cut_runs(const plm_tok *tok, plm_tok_cutter *cutter,
                     const uint32_t *text, size_t begin, size_t end,
                     uint32_t bits, uint32_t gone) {
  for (size_t i = begin; i < end;) {
    uint32_t kind = plm_tok_class_of(tok, text[i]) & (bits | gone);
    size_t from = i++;
    while (i < end && (plm_tok_class_of(tok, text[i]) & (bits | gone)) == kind)
      ++i;
    if (!(kind & gone) && !push(cutter, from, i))
      return false;
  }
  return true;
}

static bool cut_spaces(const plm_tok *tok, plm_tok_cutter *cutter,
                       const uint32_t *text, size_t begin, size_t end) {
  for (size_t i = begin; i < end;) {
    bool space = plm_tok_class_of(tok, text[i]) & PLM_TOK_IS_SPACE;
    size_t from = i++;
    while (i < end &&
           !(plm_tok_class_of(tok, text[i]) & PLM_TOK_IS_SPACE) == !space)
      ++i;
    if (!put(cutter, from, i, space))
      return false;
  }
  return true;
}

static bool cut_text(plm_tok_cutter *cutter, const uint32_t *text, size_t begin,
                     size_t end, const uint32_t *pattern, size_t length) {
  size_t from = begin;
  for (size_t i = begin; i + length <= end;) {
    size_t n = 0;
    while (n < length && text[i + n] == pattern[n])
      ++n;
    if (n < length) {
      ++i;
      continue;
    }
    if (!put(cutter, from, i, false) || !put(cutter, i, i + length, true))
      return false;
    from = i += length;
  }
  return put(cutter, from, end, false);
}

static bool cut_pattern(const plm_tok *tok, plm_tok_cutter *cutter,
                        const uint32_t *text, size_t begin, size_t end,
                        uint32_t most_digits) {
  for (size_t i = begin; i < end;) {
    size_t to = most_digits
                    ? plm_tok_match_cl100k(tok, text, i, end, most_digits)
                    : plm_tok_match_gpt2(tok, text, i, end);
    if (!put(cutter, i, to, true))
      return false;
    i = to;
  }
  return true;
}

static bool cut(const plm_tok *tok, plm_tok_cutter *cutter, uint32_t opcode,
                const uint32_t *operands, plm_tok_span span) {
  const uint32_t *text = plm_tok_chars(&cutter->work->part);
  size_t begin = span.begin, end = span.end;
  switch (opcode) {
  case PLM_TOK_SPLIT_BERT:
    return cut_bert(tok, cutter, text, begin, end);
  case PLM_TOK_SPLIT_SPACE:
    return cut_runs(tok, cutter, text, begin, end, 0, PLM_TOK_IS_SPACE);
  case PLM_TOK_SPLIT_WORDS:
    return cut_runs(tok, cutter, text, begin, end, PLM_TOK_IS_WORD,
                    PLM_TOK_IS_SPACE);
  case PLM_TOK_SPLIT_PUNCTUATION:
    return cut_class(tok, cutter, text, begin, end, PLM_TOK_IS_PUNCTUATION);
  case PLM_TOK_SPLIT_DIGITS:
    return cut_class(tok, cutter, text, begin, end, PLM_TOK_IS_NUMBER);
  case PLM_TOK_SPLIT_TEXT:
    return cut_text(cutter, text, begin, end, operands + 3, operands[2]);
  case PLM_TOK_SPLIT_SPACES:
    return cut_spaces(tok, cutter, text, begin, end);
  case PLM_TOK_SPLIT_GPT2:
    return cut_pattern(tok, cutter, text, begin, end, 0);
  case PLM_TOK_SPLIT_CL100K:
    return cut_pattern(tok, cutter, text, begin, end, operands[2]);
  default: /* Metaspace has put its mark in front of words */
    return cut_text(cutter, text, begin, end, operands, 1);
  }
}

static bool cut_all(const plm_tok *tok, plm_tok_work *work, uint32_t opcode,
                    const uint32_t *operands, uint32_t behavior,
                    bool inverted) {
  plm_tok_cutter cutter = {work, behavior, inverted, 0,
                           0,    false,    {0, 0},   false};
  for (size_t i = 0; i < work->num_spans; ++i) {
    cutter.first = cutter.count;
    cutter.matched = cutter.holds = false;
    plm_tok_span span = ((const plm_tok_span *)work->spans.data)[i];
    if (!cut(tok, &cutter, opcode, operands, span) ||
        (cutter.holds && !push(&cutter, cutter.held.begin, cutter.held.end)))
      return false;
  }
  plm_tok_vec spans = work->spans;
  work->spans = work->other_spans;
  work->other_spans = spans;
  work->num_spans = cutter.count;
  return true;
}

/* Rewrites each word into work->other: with `mark` in front where it is wanted
 * and, for Metaspace, instead of each space. */
static bool prefix_words(plm_tok_work *work, uint32_t mark, uint32_t scheme,
                         bool replace_spaces) {
  plm_tok_span *spans = (plm_tok_span *)work->spans.data;
  const uint32_t *text = plm_tok_chars(&work->part);
  work->other.length = 0;
  if (!plm_tok_room(&work->other, work->part.length + work->num_spans))
    return false;
  uint32_t *out = plm_tok_chars(&work->other);
  size_t count = 0;
  for (size_t i = 0; i < work->num_spans; ++i) {
    size_t begin = spans[i].begin, end = spans[i].end;
    spans[i].begin = (uint32_t)count;
    bool marked = text[begin] == mark || (replace_spaces && text[begin] == ' ');
    bool wanted =
        scheme == PLM_TOK_PREPEND_ALWAYS ||
        (scheme == PLM_TOK_PREPEND_FIRST && begin == 0 && work->front);
    if (wanted && !marked)
      out[count++] = mark;
    for (size_t j = begin; j < end; ++j)
      out[count++] = replace_spaces && text[j] == ' ' ? mark : text[j];
    spans[i].end = (uint32_t)count;
  }
  work->other.length = count;
  plm_tok_string part = work->part;
  work->part = work->other;
  work->other = part;
  return true;
}

/* A byte's character: itself if it is a printable one of Latin-1, else one
 * from U+0100 on, in order. */
static uint32_t byte_char(uint32_t byte) {
  if (byte < 33)
    return 0x100 + byte;
  if (byte >= 127 && byte <= 160)
    return 0x121 + (byte - 127);
  return byte == 173 ? 0x143 : byte;
}

static size_t put_bytes(uint32_t *out, uint32_t c) {
  if (c - 33 < 94) {
    *out = c;
    return 1;
  }
  char bytes[4];
  uint32_t size = plm_tok_put(bytes, c);
  for (uint32_t i = 0; i < size; ++i)
    out[i] = byte_char((unsigned char)bytes[i]);
  return size;
}

bool plm_tok_bytes(const plm_tok_string *text, plm_tok_string *to) {
  to->length = 0;
  if (!plm_tok_room(to, text->length * 4))
    return false;
  for (size_t i = 0; i < text->length; ++i)
    to->length +=
        put_bytes(plm_tok_chars(to) + to->length, plm_tok_chars(text)[i]);
  return true;
}

static bool words_to_bytes(plm_tok_work *work) {
  plm_tok_span *spans = (plm_tok_span *)work->spans.data;
  const uint32_t *text = plm_tok_chars(&work->part);
  work->other.length = 0;
  if (!plm_tok_room(&work->other, work->part.length * 4))
    return false;
  uint32_t *out = plm_tok_chars(&work->other);
  size_t count = 0;
  for (size_t i = 0; i < work->num_spans; ++i) {
    size_t begin = spans[i].begin, end = spans[i].end;
    spans[i].begin = (uint32_t)count;
    for (size_t j = begin; j < end; ++j)
      count += put_bytes(out + count, text[j]);
    spans[i].end = (uint32_t)count;
  }
  work->other.length = count;
  plm_tok_string part = work->part;
  work->part = work->other;
  work->other = part;
  return true;
}

static bool step(const plm_tok *tok, plm_tok_work *work, uint32_t opcode,
                 const uint32_t *operands) {
  switch (opcode) {
  case PLM_TOK_SPLIT_BERT:
  case PLM_TOK_SPLIT_SPACE:
  case PLM_TOK_SPLIT_WORDS:
    return cut_all(tok, work, opcode, operands, PLM_TOK_ISOLATED, false);
  case PLM_TOK_SPLIT_PUNCTUATION:
    return cut_all(tok, work, opcode, operands, operands[0], false);
  case PLM_TOK_SPLIT_DIGITS:
    return cut_all(tok, work, opcode, operands,
                   operands[0] ? PLM_TOK_ISOLATED : PLM_TOK_CONTIGUOUS, false);
  case PLM_TOK_METASPACE:
    return prefix_words(work, operands[0], operands[1], true) &&
           (!operands[2] ||
            cut_all(tok, work, opcode, operands, PLM_TOK_WITH_NEXT, false));
  case PLM_TOK_BYTE_LEVEL:
    return (!(operands[0] & 1) ||
            prefix_words(work, ' ', PLM_TOK_PREPEND_ALWAYS, false)) &&
           (!(operands[0] & 2) || cut_all(tok, work, PLM_TOK_SPLIT_GPT2,
                                          operands, PLM_TOK_ISOLATED, false)) &&
           words_to_bytes(work);
  default:
    return cut_all(tok, work, opcode, operands, operands[0], operands[1]);
  }
}

bool plm_tok_split(const plm_tok *tok, plm_tok_work *work) {
  if (work->part.length > UINT32_MAX / 4 ||
      !plm_tok_reserve(&work->spans, 0, 1, sizeof(plm_tok_span)))
    return false;
  plm_tok_span *spans = (plm_tok_span *)work->spans.data;
  spans[0].begin = 0;
  spans[0].end = (uint32_t)work->part.length;
  work->num_spans = work->part.length != 0;
  const uint32_t *at = tok->splitter;
  const uint32_t *end = at + tok->splitter_words;
  while (at < end) {
    if (!step(tok, work, at[0] & 255, at + 1))
      return false;
    at += 1 + (at[0] >> 8);
  }
  return true;
}
