/*===- TokenizeText.c - Characters and growing memory --------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A caller's bytes may be anything. What is not UTF-8 becomes U+FFFD, one for
 * each maximal subpart (Unicode 15, section 3.9, "U+FFFD substitution"): the
 * longest beginning of a sequence that could have gone on, or else one byte.
 * Python's bytes.decode(errors="replace") does the same, so results can be
 * compared.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

bool plm_tok_reserve(plm_tok_vec *vec, size_t used, size_t count, size_t size) {
  if (count > SIZE_MAX / 4 / size)
    return false;
  if (count * size <= vec->capacity)
    return true;
  size_t capacity = vec->capacity * 2;
  if (capacity < count * size)
    capacity = count * size;
  if (capacity < 256)
    capacity = 256;
  if (!plm_rt_align_up(capacity, &capacity))
    return false;
  char *data = aligned_alloc(PLM_RT_ALIGNMENT, capacity);
  if (!data)
    return false;
  if (used)
    memcpy(data, vec->data, used * size);
  free(vec->data);
  vec->data = data;
  vec->capacity = capacity;
  return true;
}

void plm_tok_work_free(plm_tok_work *work) {
  plm_tok_vec *all[] = {
      &work->raw.memory,  &work->text.memory, &work->other.memory,
      &work->part.memory, &work->spans,       &work->other_spans,
      &work->bytes,       &work->lattice,     &work->heap,
      &work->ids,         &work->result_ids,  &work->result_types};
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); ++i)
    free(all[i]->data);
  memset(work, 0, sizeof(*work));
}

/* The character at `bytes`, and how many bytes it or the broken part takes. */
static uint32_t decode_one(const unsigned char *bytes, size_t size,
                           size_t *taken) {
  unsigned char lead = bytes[0];
  *taken = 1;
  if (lead < 0x80)
    return lead;
  unsigned length, low = 0x80, high = 0xbf;
  uint32_t c;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
    c = lead & 31;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    c = lead & 15;
    if (lead == 0xe0)
      low = 0xa0; /* shorter ones exist */
    if (lead == 0xed)
      high = 0x9f; /* surrogates */
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    c = lead & 7;
    if (lead == 0xf0)
      low = 0x90;
    if (lead == 0xf4)
      high = 0x8f; /* above U+10FFFF */
  } else {
    return 0xfffd;
  }
  for (unsigned i = 1; i < length; ++i) {
    if (i >= size || bytes[i] < low || bytes[i] > high)
      return 0xfffd;
    c = c << 6 | (bytes[i] & 63);
    ++*taken;
    low = 0x80;
    high = 0xbf;
  }
  return c;
}

bool plm_tok_decode(plm_tok_string *to, const char *text, size_t size) {
  if (!plm_tok_room(to, size)) /* no more characters than bytes */
    return false;
  uint32_t *out = plm_tok_chars(to) + to->length;
  const unsigned char *bytes = (const unsigned char *)text;
  size_t count = 0;
  for (size_t i = 0; i < size;) {
    if (bytes[i] < 0x80) {
      out[count++] = bytes[i++];
      continue;
    }
    size_t taken;
    out[count++] = decode_one(bytes + i, size - i, &taken);
    i += taken;
  }
  to->length += count;
  return true;
}

bool plm_tok_word_bytes(plm_tok_work *work, const uint32_t *word, size_t length,
                        size_t *size) {
  if (!plm_tok_reserve(&work->bytes, 0, length, 4))
    return false;
  char *bytes = work->bytes.data;
  size_t count = 0;
  for (size_t i = 0; i < length; ++i)
    count += plm_tok_put(bytes + count, word[i]);
  *size = count;
  return true;
}
