/*===- Pack.c - From a mask to a list of rows ---------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The problem. A batch of sentences comes as a rectangle [batch, sequence]
 * with a mask; in real batches a half of it is padding. Every layer of an
 * encoder but attention works on each position by itself, so padding can be
 * left out before the first layer and put back (as zeros) after the last.
 *
 * The list. The kept positions of all sequences, one after the other, are the
 * rows of one matrix [tokens, hidden], and row_source[row] is the position
 * b * sequence + s that a row came from (its s also selects the position
 * embedding). seq_start[b] to seq_start[b + 1] are the rows of sequence b.
 * Matrix products see one tall dense matrix; attention runs per sequence over
 * its own rows. Padding may be on the right, on the left or in holes: only the
 * list differs.
 *
 * Rows that nobody may attend to. Two kinds of row are wanted though masked:
 * all of them, when the values at padding are asked for (PLM_PACK_ALL), and
 * position 0, when the model reads it whatever the mask says, as a pooler
 * does (PLM_PACK_KEPT_AND_FIRST). They query but are no keys. Within a
 * sequence the keys therefore come first, seq_keys[b] of them, and then the
 * query-only rows: attention runs over the leading rows of a sequence as keys
 * and needs no mask. Order within a sequence means nothing to it.
 * first_row[b] is the row of position 0, wherever that landed.
 *
 * A sequence without a kept position has no keys: its query-only rows attend
 * to nothing, which gives zeros by definition, and in PLM_PACK_KEPT it has no
 * rows at all. Even tokens == 0 is possible.
 *
 * Row numbers are int32: half the memory traffic, and more than 2^31 rows
 * would be terabytes of activations.
 *===----------------------------------------------------------------------===*/

#include "Internal.h"

/* keep[i] = values[i] != 0; index of the first value that is neither 0 nor 1,
 * or -1. For floats the two are bit patterns; -0 counts as 0. */
#define DEFINE_DECODE(name, type, is_zero, is_one)                             \
  static int64_t name(const type *values, int64_t count, uint8_t *keep) {      \
    for (int64_t i = 0; i < count; ++i) {                                      \
      type v = values[i];                                                      \
      if (!(is_zero) && !(is_one))                                             \
        return i;                                                              \
      keep[i] = is_one;                                                        \
    }                                                                          \
    return -1;                                                                 \
  }
DEFINE_DECODE(decode_i64, int64_t, v == 0, v == 1)
DEFINE_DECODE(decode_i32, int32_t, v == 0, v == 1)
DEFINE_DECODE(decode_u8, uint8_t, v == 0, v == 1)
DEFINE_DECODE(decode_f32, float, v == 0.0f, v == 1.0f)
DEFINE_DECODE(decode_f64, double, v == 0.0, v == 1.0)
DEFINE_DECODE(decode_f16, uint16_t, (v & 0x7fff) == 0, v == 0x3c00)
DEFINE_DECODE(decode_bf16, uint16_t, (v & 0x7fff) == 0, v == 0x3f80)

static int64_t decode(const plm_tensor *mask, int64_t start, int64_t count,
                      uint8_t *keep) {
  const char *data =
      (const char *)mask->data + (size_t)start * plm_rt_dtype_size(mask->dtype);
  switch (mask->dtype) {
  case PLM_I64:
    return decode_i64((const int64_t *)data, count, keep);
  case PLM_I32:
    return decode_i32((const int32_t *)data, count, keep);
  case PLM_F32:
    return decode_f32((const float *)data, count, keep);
  case PLM_F64:
    return decode_f64((const double *)data, count, keep);
  case PLM_F16:
    return decode_f16((const uint16_t *)data, count, keep);
  case PLM_BF16:
    return decode_bf16((const uint16_t *)data, count, keep);
  default: /* -1 as an i8 is 255 */
    return decode_u8((const uint8_t *)data, count, keep);
  }
}

typedef struct pack_arrays {
  int32_t *row_source;
  int32_t *seq_start;
  int32_t *seq_keys;
  int32_t *first_row;
  uint8_t *keep; /* [sequence], scratch */
} pack_arrays;

/* Sized for a mask that keeps everything: a run at a size seen before must not
 * allocate, whatever its mask. The caller has bounded batch * sequence. */
static bool place_arrays(plm_rt_buffer *buffer, int64_t batch, int64_t sequence,
                         pack_arrays *arrays) {
  const size_t aligned = PLM_RT_ALIGNMENT - 1;
  size_t source = ((size_t)(batch * sequence) * 4 + aligned) & ~aligned;
  size_t per_sequence = ((size_t)(batch + 1) * 4 + aligned) & ~aligned;
  if (!plm_rt_buffer_reserve(buffer,
                             source + 3 * per_sequence + (size_t)sequence))
    return false;
  char *at = buffer->data;
  arrays->row_source = (int32_t *)at;
  arrays->seq_start = (int32_t *)(at += source);
  arrays->seq_keys = (int32_t *)(at += per_sequence);
  arrays->first_row = (int32_t *)(at += per_sequence);
  arrays->keep = (uint8_t *)(at += per_sequence);
  return true;
}

/* Appends the rows of sequence b, whose first is `row`; returns how many. */
static int32_t pack_sequence(const pack_arrays *arrays, int32_t mode, int64_t b,
                             int64_t sequence, int32_t row) {
  const uint8_t *keep = arrays->keep;
  int32_t *source = arrays->row_source + row;
  int32_t base = (int32_t)(b * sequence);
  int32_t rows = 0;
  for (int64_t s = 0; s < sequence; ++s) {
    source[rows] = base + (int32_t)s; /* overwritten unless kept */
    rows += keep[s];
  }
  arrays->seq_keys[b] = rows;
  arrays->first_row[b] = keep[0] ? row : -1;
  if (!keep[0] && mode != PLM_PACK_KEPT)
    arrays->first_row[b] = row + rows; /* first of the query-only rows */
  if (mode == PLM_PACK_ALL) {
    for (int64_t s = 0; s < sequence; ++s)
      if (!keep[s])
        source[rows++] = base + (int32_t)s;
  } else if (mode == PLM_PACK_KEPT_AND_FIRST && !keep[0]) {
    source[rows++] = base;
  }
  return rows;
}

plm_status plm_rt_count_positions(plm_context *context) {
  const plm_gen_model *model = context->model;
  context->most[PLM_DIM_TOKENS] = 0;
  context->most[PLM_DIM_MAX_ROWS] = 0;
  if (model->pack_mode == PLM_PACK_NONE)
    return PLM_OK;
  int64_t sizes[2], positions;
  model->token_dims(context->dims, sizes);
  if (sizes[0] < 0 || sizes[1] < 1)
    return plm_rt_fail(&context->message, PLM_ERROR_SHAPE,
                       "inputs of these shapes make %lld sequences of length "
                       "%lld",
                       (long long)sizes[0], (long long)sizes[1]);
  if (__builtin_mul_overflow(sizes[0], sizes[1], &positions) ||
      positions > INT32_MAX)
    return plm_rt_fail(&context->message, PLM_ERROR_SHAPE,
                       "%lld sequences of length %lld are too many: at most "
                       "2147483647 positions can run at once",
                       (long long)sizes[0], (long long)sizes[1]);
  context->batch = sizes[0];
  context->sequence = sizes[1];
  context->most[PLM_DIM_TOKENS] = positions;
  context->most[PLM_DIM_MAX_ROWS] = sizes[1];
  return PLM_OK;
}

plm_status plm_rt_pack(plm_context *context, const plm_tensor *inputs) {
  const plm_gen_model *model = context->model;
  int64_t *derived = context->dims + model->num_symbols;
  plm_frame *frame = &context->frame;
  derived[PLM_DIM_TOKENS] = 0;
  derived[PLM_DIM_MAX_ROWS] = 0;
  frame->row_source = frame->seq_start = NULL;
  frame->seq_keys = frame->first_row = NULL;
  if (model->pack_mode == PLM_PACK_NONE)
    return PLM_OK;

  int64_t batch = context->batch, sequence = context->sequence;
  const plm_tensor *mask =
      model->mask_input >= 0 ? &inputs[model->mask_input] : NULL;
  const char *mask_name = mask ? model->inputs[model->mask_input].name : NULL;
  if (mask && plm_rt_count_elements(mask) != batch * sequence)
    return plm_rt_fail(&context->message, PLM_ERROR_SHAPE,
                       "input '%s' has %lld elements; a mask of %lld sequences "
                       "of length %lld needs %lld",
                       mask_name, (long long)plm_rt_count_elements(mask),
                       (long long)batch, (long long)sequence,
                       (long long)(batch * sequence));
  pack_arrays arrays;
  if (!place_arrays(&context->packing, batch, sequence, &arrays))
    return plm_rt_fail(&context->message, PLM_ERROR_MEMORY,
                       "not enough memory for %lld sequences of length %lld",
                       (long long)batch, (long long)sequence);
  if (!mask && !context->variant->mask)
    memset(arrays.keep, 1, (size_t)sequence);

  int32_t row = 0, max_rows = 0;
  for (int64_t b = 0; b < batch; ++b) {
    if (context->variant->mask) /* computed: 0 or 1 */
      memcpy(arrays.keep, frame->keep + b * sequence, (size_t)sequence);
    int64_t bad = mask ? decode(mask, b * sequence, sequence, arrays.keep) : -1;
    if (bad >= 0) {
      char index[192];
      plm_rt_format_index(index, sizeof(index), mask, b * sequence + bad);
      return plm_rt_fail(&context->message, PLM_ERROR_VALUE,
                         "input '%s' has a value at %s that is neither 0 nor 1",
                         mask_name, index);
    }
    arrays.seq_start[b] = row;
    int32_t rows = pack_sequence(&arrays, model->pack_mode, b, sequence, row);
    row += rows;
    if (rows > max_rows)
      max_rows = rows;
  }
  arrays.seq_start[batch] = row;
  derived[PLM_DIM_TOKENS] = row;
  derived[PLM_DIM_MAX_ROWS] = max_rows;
  frame->row_source = arrays.row_source;
  frame->seq_start = arrays.seq_start;
  frame->seq_keys = arrays.seq_keys;
  frame->first_row = arrays.first_row;
  return PLM_OK;
}
