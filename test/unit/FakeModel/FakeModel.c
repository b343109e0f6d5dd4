/*===- FakeModel.c - A hand-written model for tests ---------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "FakeModel.h"
#include "plm/model.h"
#include <stddef.h>

enum { BATCH = 0, SEQUENCE = 1, NUM_SYMBOLS = 2, CHANNELS = 4 };

static int32_t check(const int64_t *dims) {
  return dims[SEQUENCE] > 16 ? 0 : -1;
}

static int64_t plan(const int64_t *dims, int64_t threads, int64_t *slots) {
  int64_t hidden, size;
  slots[0] = 0;
  if (__builtin_mul_overflow(dims[NUM_SYMBOLS + PLM_DIM_TOKENS],
                             (int64_t)(CHANNELS * sizeof(float)), &hidden) ||
      __builtin_add_overflow(hidden, 63, &hidden))
    return -1;
  slots[1] = hidden & ~(int64_t)63;
  if (__builtin_add_overflow(slots[1], threads * 64, &size))
    return -1;
  return size;
}

static void output_dims(const int64_t *dims, int64_t *shapes) {
  shapes[0] = dims[BATCH];
  shapes[1] = dims[SEQUENCE];
  shapes[2] = CHANNELS;
  shapes[3] = dims[BATCH];
  shapes[4] = CHANNELS;
}

static void token_dims(const int64_t *dims, int64_t *sizes) {
  sizes[0] = dims[BATCH];
  sizes[1] = dims[SEQUENCE];
}

/* Three steps, each of which needs the last one of all threads. */
static void run(plm_frame *frame, int64_t thread, int64_t threads) {
  const int64_t *ids = frame->inputs[0];
  float *states = frame->outputs[0];
  float *pooled = frame->outputs[1];
  float *hidden = (float *)(frame->arena + frame->slots[0]);
  int64_t batch = frame->dims[BATCH];
  int64_t values = batch * frame->dims[SEQUENCE] * CHANNELS;
  int64_t tokens = frame->dims[NUM_SYMBOLS + PLM_DIM_TOKENS];

  for (int64_t i = thread; i < values; i += threads)
    states[i] = 0;
  for (int64_t row = thread; row < tokens; row += threads) {
    int64_t id = ids[frame->row_source[row]];
    if (id == 77)
      __atomic_store_n(&frame->error, 1, __ATOMIC_RELEASE);
    for (int c = 0; c < CHANNELS; ++c)
      hidden[row * CHANNELS + c] = (float)(10 * id + c);
  }
  plm_rt_barrier(frame, threads);
  /* The other way round, so that a thread reads what another wrote. */
  for (int64_t row = tokens - 1 - thread; row >= 0; row -= threads)
    for (int c = 0; c < CHANNELS; ++c)
      states[(int64_t)frame->row_source[row] * CHANNELS + c] =
          hidden[row * CHANNELS + c];
  plm_rt_barrier(frame, threads);
  for (int64_t b = thread; b < batch; b += threads)
    for (int c = 0; c < CHANNELS; ++c) {
      float sum = 0;
      for (int32_t key = 0; key < frame->seq_keys[b]; ++key)
        sum += states[(int64_t)frame->row_source[frame->seq_start[b] + key] *
                          CHANNELS +
                      c];
      pooled[b * CHANNELS + c] = sum;
    }
}

static const int64_t batch_sequence[] = {-1, -2};
static const plm_gen_tensor inputs[] = {
    {"input_ids", PLM_I64, 2, batch_sequence},
    {"attention_mask", PLM_I64, 2, batch_sequence},
};
static const plm_gen_tensor outputs[] = {
    {"last_hidden_state", PLM_F32, 3, NULL},
    {"pooled", PLM_F32, 2, NULL},
};
static const char *const symbol_names[] = {"batch", "sequence"};
static const plm_gen_id_check id_checks[] = {{0, 0, 100}};
static const char *const constraints[] = {
    "sequence must be at most 16, the size of the position table"};
static const char *const index_checks[] = {
    "node 'gather' (Gather): index out of range"};
static const char description[] =
    "{\"abi\":1,\"name\":\"fake\",\"target\":\"x86\",\"cpu\":\"x86-64\","
    "\"inputs\":["
    "{\"name\":\"input_ids\",\"dtype\":\"i64\","
    "\"dims\":[\"batch\",\"sequence\"]},"
    "{\"name\":\"attention_mask\",\"dtype\":\"i64\","
    "\"dims\":[\"batch\",\"sequence\"]}],"
    "\"outputs\":["
    "{\"name\":\"last_hidden_state\",\"dtype\":\"f32\","
    "\"dims\":[\"batch\",\"sequence\",\"4\"],\"padding\":\"zero\"},"
    "{\"name\":\"pooled\",\"dtype\":\"f32\",\"dims\":[\"batch\",\"4\"],"
    "\"padding\":\"none\"}],"
    "\"symbols\":[\"batch\",\"sequence\"],"
    "\"parameters\":0,\"weight_bytes\":0,\"build\":{}}";

plm_gen_variant fake_variant = {.cpu_name = "x86-64", .run = run};
plm_gen_model fake_model = {
    .abi_version = PLM_ABI_VERSION,
    .num_inputs = 2,
    .num_outputs = 2,
    .num_symbols = NUM_SYMBOLS,
    .num_slots = 2,
    .num_id_checks = 1,
    .pack_mode = PLM_PACK_KEPT,
    .mask_input = 1,
    .num_variants = 1,
    .num_steps = 3,
    .inputs = inputs,
    .outputs = outputs,
    .symbol_names = symbol_names,
    .description = description,
    .variants = &fake_variant,
    .id_checks = id_checks,
    .constraint_messages = constraints,
    .index_check_messages = index_checks,
    .weights = NULL,
    .check = check,
    .plan = plan,
    .output_dims = output_dims,
    .token_dims = token_dims,
};
