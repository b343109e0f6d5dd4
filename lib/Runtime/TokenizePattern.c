/*===- TokenizePattern.c - The regular expressions of GPT-2 and its kin *- C
 * -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Written out by hand: what they do is simple, and there are few.
 *
 * GPT-2, RoBERTa, ModernBERT:
 *   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 * cl100k, Llama 3 (and Qwen, with single digits):
 *   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}
 *   | ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

#define KINDS (PLM_TOK_IS_SPACE | PLM_TOK_IS_LETTER | PLM_TOK_IS_NUMBER)

static uint32_t kind(const plm_tok *tok, uint32_t c) {
  return plm_tok_class_of(tok, c) & KINDS;
}

/* Where the run of characters of one kind (0: none of the three) ends. */
static size_t run_end(const plm_tok *tok, const uint32_t *text, size_t at,
                      size_t end, uint32_t of) {
  while (at < end && kind(tok, text[at]) == of)
    ++at;
  return at;
}

static uint32_t fold(uint32_t c, bool any_case) {
  if (!any_case)
    return c;
  if (c == 0x17f) /* the long s */
    return 's';
  return c - 'A' < 26 ? c + 32 : c;
}

/* How long the contraction behind the apostrophe at `at` is, with it. */
static size_t contraction(const uint32_t *text, size_t at, size_t end,
                          bool any_case) {
  if (text[at] != '\'' || at + 1 >= end)
    return 0;
  uint32_t a = fold(text[at + 1], any_case);
  if (a == 's' || a == 't' || a == 'm' || a == 'd')
    return 2;
  if (at + 2 >= end)
    return 0;
  uint32_t b = fold(text[at + 2], any_case);
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') ||
      (a == 'l' && b == 'l'))
    return 3;
  return 0;
}

/* \s+(?!\S)|\s+ : the last space before a word is the word's. */
static size_t spaces(const plm_tok *tok, const uint32_t *text, size_t at,
                     size_t end) {
  size_t to = run_end(tok, text, at, end, PLM_TOK_IS_SPACE);
  return to == end || to == at + 1 ? to : to - 1;
}

size_t plm_tok_match_gpt2(const plm_tok *tok, const uint32_t *text, size_t at,
                          size_t end) {
  size_t n = contraction(text, at, end, false);
  if (n)
    return at + n;
  size_t word = at + (text[at] == ' ' && at + 1 < end);
  uint32_t of = kind(tok, text[word]);
  if (of != PLM_TOK_IS_SPACE)
    return run_end(tok, text, word + 1, end, of);
  return spaces(tok, text, at, end);
}

static bool is_newline(uint32_t c) { return c == '\r' || c == '\n'; }

size_t plm_tok_match_cl100k(const plm_tok *tok, const uint32_t *text, size_t at,
                            size_t end, uint32_t most_digits) {
  size_t n = contraction(text, at, end, true);
  if (n)
    return at + n;
  uint32_t c = text[at], of = kind(tok, c);
  if (of == PLM_TOK_IS_LETTER)
    return run_end(tok, text, at + 1, end, of);
  if (of != PLM_TOK_IS_NUMBER && !is_newline(c) && at + 1 < end &&
      kind(tok, text[at + 1]) == PLM_TOK_IS_LETTER)
    return run_end(tok, text, at + 2, end, PLM_TOK_IS_LETTER);
  if (of == PLM_TOK_IS_NUMBER) {
    size_t to = at + 1;
    while (to < end && to - at < most_digits &&
           kind(tok, text[to]) == PLM_TOK_IS_NUMBER)
      ++to;
    return to;
  }
  size_t word = at + (c == ' ' && at + 1 < end);
  if (kind(tok, text[word]) == 0) {
    size_t to = run_end(tok, text, word + 1, end, 0);
    while (to < end && is_newline(text[to]))
      ++to;
    return to;
  }
  /* White space: up to its last line end, if it has one. */
  size_t to = run_end(tok, text, at, end, PLM_TOK_IS_SPACE);
  while (to > at && !is_newline(text[to - 1]))
    --to;
  return to > at ? to : spaces(tok, text, at, end);
}
