/*===- TokenizeNormalize.c - The steps of a normalizer -------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Each step rewrites the segment in work->text: in place where the text does
 * not grow, else into work->other, which then changes places with it.
 *
 * work->front counts the segment's first characters that come from the first
 * one of the text as it came: Metaspace asks whether there are any. Characters
 * that are dropped in front count down; what a character is decomposed into
 * counts up.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

static void swap_text(plm_tok_work *work) {
  plm_tok_string text = work->text;
  work->text = work->other;
  work->other = text;
}

static bool is(const plm_tok *tok, uint32_t c, uint32_t bits) {
  return plm_tok_class_of(tok, c) & bits;
}

static bool is_space(const plm_tok *tok, uint32_t c) {
  return is(tok, c, PLM_TOK_IS_SPACE);
}

/* `count` characters in front are gone. */
static void drop_front(plm_tok_work *work, size_t count) {
  work->front -= count < work->front ? count : work->front;
}

/* Keeps the characters that are not of a class. */
static void drop(const plm_tok *tok, plm_tok_work *work, uint32_t bits) {
  uint32_t *text = plm_tok_chars(&work->text);
  size_t length = work->text.length, count = 0;
  for (size_t i = 0; i < length; ++i)
    if (text[i] < 0x80 || !is(tok, text[i], bits))
      text[count++] = text[i];
    else if (count == 0)
      drop_front(work, 1);
  work->text.length = count;
}

static void clean(const plm_tok *tok, plm_tok_work *work) {
  uint32_t *text = plm_tok_chars(&work->text);
  size_t length = work->text.length, count = 0;
  for (size_t i = 0; i < length; ++i) {
    uint32_t c = text[i];
    if (c - 0x20 >= 0x5f) {
      uint32_t bits = plm_tok_class_of(tok, c);
      if (bits & PLM_TOK_IS_CONTROL) {
        if (count == 0)
          drop_front(work, 1);
        continue;
      }
      if (bits & PLM_TOK_IS_SPACE)
        c = ' ';
    }
    text[count++] = c;
  }
  work->text.length = count;
}

static void clean_nmt(plm_tok_work *work) {
  uint32_t *text = plm_tok_chars(&work->text);
  size_t length = work->text.length, count = 0;
  for (size_t i = 0; i < length; ++i) {
    uint32_t c = text[i];
    if ((c >= 1 && c <= 8) || c == 0x0b || (c >= 0x0e && c <= 0x1f) ||
        c == 0x7f || c == 0x8f || c == 0x9f) {
      if (count == 0)
        drop_front(work, 1);
      continue;
    }
    if (c == 9 || c == 0x0a || c == 0x0c || c == 0x0d || c == 0x1680 ||
        (c >= 0x200b && c <= 0x200f) || c == 0x2028 || c == 0x2029 ||
        c == 0x2581 || c == 0xfeff || c == 0xfffd)
      c = ' ';
    text[count++] = c;
  }
  work->text.length = count;
}

static bool pad_ideographs(const plm_tok *tok, plm_tok_work *work) {
  const uint32_t *text = plm_tok_chars(&work->text);
  size_t length = work->text.length, found = 0;
  for (size_t i = 0; i < length; ++i)
    found += text[i] >= 0x3400 && is(tok, text[i], PLM_TOK_IS_IDEOGRAPH);
  if (!found)
    return true;
  work->other.length = 0;
  if (!plm_tok_room(&work->other, length + 2 * found))
    return false;
  uint32_t *out = plm_tok_chars(&work->other);
  size_t count = 0;
  for (size_t i = 0; i < length; ++i) {
    bool pad = text[i] >= 0x3400 && is(tok, text[i], PLM_TOK_IS_IDEOGRAPH);
    if (pad)
      out[count++] = ' ';
    out[count++] = text[i];
    if (pad)
      out[count++] = ' ';
  }
  work->other.length = count;
  swap_text(work);
  return true;
}

/* Each character by itself: no rule looks at its neighbours. */
static bool lowercase(const plm_tok *tok, plm_tok_work *work) {
  uint32_t *text = plm_tok_chars(&work->text);
  size_t length = work->text.length, i = 0;
  uint32_t count;
  for (; i < length; ++i) {
    if (text[i] < 0x80) {
      if (text[i] - 'A' < 26)
        text[i] += 32;
      continue;
    }
    const uint32_t *to = plm_tok_lookup(&tok->lower, text[i], &count);
    if (to && count != 1)
      break; /* U+0130 alone */
    if (to)
      text[i] = *to;
  }
  if (i == length)
    return true;
  work->other.length = 0;
  if (!plm_tok_room(&work->other, length * 4))
    return false;
  uint32_t *out = plm_tok_chars(&work->other);
  size_t written = i;
  memcpy(out, text, i * sizeof(uint32_t));
  for (; i < length; ++i) {
    const uint32_t *to = plm_tok_lookup(&tok->lower, text[i], &count);
    if (!to)
      out[written++] = text[i];
    for (uint32_t j = 0; to && j < count && j < 4; ++j)
      out[written++] = to[j];
  }
  work->other.length = written;
  swap_text(work);
  return true;
}

static void strip(const plm_tok *tok, plm_tok_work *work, uint32_t sides) {
  uint32_t *text = plm_tok_chars(&work->text);
  size_t begin = 0, end = work->text.length;
  if (sides & 1)
    while (begin < end && is_space(tok, text[begin]))
      ++begin;
  if (sides & 2)
    while (end > begin && is_space(tok, text[end - 1]))
      --end;
  if (begin) {
    drop_front(work, begin);
    for (size_t i = begin; i < end; ++i)
      text[i - begin] = text[i];
  }
  work->text.length = end - begin;
}

/* How long the match at `at` is: `pattern` itself, or (NULL) a run of at least
 * `least` spaces. */
static size_t match(const plm_tok *tok, const plm_tok_string *string, size_t at,
                    const uint32_t *pattern, size_t least, bool any_space) {
  const uint32_t *text = plm_tok_chars(string);
  size_t left = string->length - at, n = 0;
  if (pattern) {
    if (least > left)
      return 0;
    while (n < least && text[at + n] == pattern[n])
      ++n;
    return n == least ? n : 0;
  }
  while (n < left &&
         (any_space ? is_space(tok, text[at + n]) : text[at + n] == ' '))
    ++n;
  return n >= least ? n : 0;
}

static bool replace(const plm_tok *tok, plm_tok_work *work,
                    const uint32_t *pattern, size_t least, bool any_space,
                    const uint32_t *to, size_t to_length) {
  const uint32_t *text = plm_tok_chars(&work->text);
  size_t length = work->text.length, found = 0;
  for (size_t i = 0; i < length;) {
    size_t n = match(tok, &work->text, i, pattern, least, any_space);
    found += n != 0;
    i += n ? n : 1;
  }
  if (!found)
    return true;
  work->other.length = 0;
  if (!plm_tok_room(&work->other, length + found * to_length))
    return false;
  uint32_t *out = plm_tok_chars(&work->other);
  size_t count = 0;
  for (size_t i = 0; i < length;) {
    size_t n = match(tok, &work->text, i, pattern, least, any_space);
    if (!n) {
      out[count++] = text[i++];
      continue;
    }
    if (count == 0 && to_length == 0)
      drop_front(work, n);
    memcpy(out + count, to, to_length * sizeof(uint32_t));
    count += to_length;
    i += n;
  }
  work->other.length = count;
  swap_text(work);
  return true;
}

static bool prepend(plm_tok_work *work, const uint32_t *text, size_t length) {
  if (!work->text.length)
    return true;
  work->other.length = 0;
  if (!plm_tok_room(&work->other, length + work->text.length))
    return false;
  uint32_t *out = plm_tok_chars(&work->other);
  memcpy(out, text, length * sizeof(uint32_t));
  memcpy(out + length, work->text.memory.data,
         work->text.length * sizeof(uint32_t));
  work->other.length = length + work->text.length;
  swap_text(work);
  return true;
}

static bool step(const plm_tok *tok, plm_tok_work *work, uint32_t opcode,
                 const uint32_t *operands) {
  switch (opcode) {
  case PLM_TOK_CLEAN:
    clean(tok, work);
    return true;
  case PLM_TOK_PAD_IDEOGRAPHS:
    return pad_ideographs(tok, work);
  case PLM_TOK_DROP_NONSPACING:
    drop(tok, work, PLM_TOK_IS_NONSPACING);
    return true;
  case PLM_TOK_DROP_MARKS:
    drop(tok, work, PLM_TOK_IS_MARK);
    return true;
  case PLM_TOK_LOWERCASE:
    return lowercase(tok, work);
  case PLM_TOK_NFD:
    return plm_tok_decompose(tok, work, &tok->canonical);
  case PLM_TOK_NFKD:
    return plm_tok_decompose(tok, work, &tok->compatible);
  case PLM_TOK_NFC:
    return plm_tok_compose(tok, work, &tok->canonical);
  case PLM_TOK_NFKC:
    return plm_tok_compose(tok, work, &tok->compatible);
  case PLM_TOK_STRIP:
    strip(tok, work, operands[0]);
    return true;
  case PLM_TOK_REPLACE:
    return replace(tok, work, operands + 1, operands[0], false,
                   operands + 2 + operands[0], operands[1 + operands[0]]);
  case PLM_TOK_SQUEEZE:
  case PLM_TOK_SQUEEZE_SPACE:
    return replace(tok, work, NULL, operands[0],
                   opcode == PLM_TOK_SQUEEZE_SPACE, operands + 2, operands[1]);
  case PLM_TOK_PREPEND:
    return prepend(work, operands + 1, operands[0]);
  case PLM_TOK_NMT:
    clean_nmt(work);
    return true;
  case PLM_TOK_CHARSMAP:
    return plm_tok_charsmap(tok, work);
  default:
    return plm_tok_bytes(&work->text, &work->other) && (swap_text(work), true);
  }
}

bool plm_tok_normalize(const plm_tok *tok, plm_tok_work *work) {
  const uint32_t *at = tok->normalizer;
  const uint32_t *end = at + tok->header->normalizer_words;
  while (at < end) {
    if (!step(tok, work, at[0] & 255, at + 1))
      return false;
    at += 1 + (at[0] >> 8);
  }
  return true;
}
