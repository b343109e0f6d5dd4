/*===- RunText.c - Texts in, outputs out ---------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * plm_run_text = tokenize, fill the model's inputs, plm_run. What an input
 * holds is told by its name, as exporters write it: ids, types (or segments),
 * positions, a mask. Texts are tokenized by all threads of the context, each
 * with its own memory, which is kept as the rest of the context's is.
 *
 * How long a text may be is what the caller says, or the tokenizer, but never
 * more than the model's own constraints allow (the position table): that limit
 * is found by asking them.
 *===----------------------------------------------------------------------===*/

#include "Tokenize.h"

typedef struct plm_rt_encoded {
  const int32_t *ids, *types;
  size_t count;
} plm_rt_encoded;

typedef struct plm_rt_share {
  plm_tok_work work;
  plm_tok_vec kept; /* int32_t: ids, then types, of this thread's texts */
  size_t num_kept;
  plm_status status;
  plm_rt_message message;
} plm_rt_share;

struct plm_rt_texts {
  plm_tok tok;
  plm_rt_buffer encoded; /* plm_rt_encoded [count] */
  plm_rt_buffer inputs;  /* what the input tensors hold */
  const plm_texts *given;
  uint32_t max_length;
  plm_rt_share shares[]; /* [threads] */
};

typedef enum role { IDS, TYPES, POSITIONS, MASK, OTHER } role;

static bool contains(const char *text, const char *part) {
  for (; *text; ++text) {
    size_t i = 0;
    while (part[i] && (text[i] | 32) == part[i])
      ++i;
    if (!part[i])
      return true;
  }
  return false;
}

static role role_of(const char *name) {
  if (contains(name, "mask"))
    return MASK;
  if (contains(name, "type") || contains(name, "segment"))
    return TYPES;
  if (contains(name, "position"))
    return POSITIONS;
  if (contains(name, "ids") || contains(name, "token"))
    return IDS;
  return OTHER;
}

void plm_rt_texts_free(plm_context *context) {
  plm_rt_texts *texts = context->texts;
  if (!texts)
    return;
  for (int32_t i = 0; i < context->pool.threads; ++i) {
    plm_tok_work_free(&texts->shares[i].work);
    free(texts->shares[i].kept.data);
  }
  plm_rt_buffer_free(&texts->encoded);
  plm_rt_buffer_free(&texts->inputs);
  free(texts);
  context->texts = NULL;
}

static plm_status open_tokenizer(plm_context *context) {
  const plm_gen_model *model = context->model;
  plm_rt_message *message = &context->message;
  if (context->texts)
    return PLM_OK;
  plm_rt_texts *texts = plm_rt_allocate_zeroed(sizeof(plm_rt_texts) +
                                               (size_t)context->pool.threads *
                                                   sizeof(plm_rt_share));
  if (!texts)
    return plm_rt_fail(message, PLM_ERROR_MEMORY,
                       "not enough memory for a tokenizer");
  plm_status status = plm_tok_open(&texts->tok, model->tokenizer,
                                   (size_t)model->tokenizer_size, message);
  if (status != PLM_OK) {
    free(texts);
    return status;
  }
  context->texts = texts;
  return PLM_OK;
}

/* The input that takes the ids, or -1. Every input must be one that texts
 * give, and have the shape of the ids. */
static plm_status find_ids(plm_context *context, int32_t *ids) {
  const plm_gen_model *model = context->model;
  *ids = -1;
  for (uint32_t i = 0; i < model->num_inputs; ++i)
    if (role_of(model->inputs[i].name) == IDS && *ids < 0)
      *ids = (int32_t)i;
  for (uint32_t i = 0; i < model->num_inputs; ++i) {
    const plm_gen_tensor *input = &model->inputs[i];
    role r = role_of(input->name);
    if (*ids < 0 || r == OTHER || (r == IDS && (int32_t)i != *ids) ||
        input->rank != 2 || input->dims[0] != model->inputs[*ids].dims[0] ||
        input->dims[1] != model->inputs[*ids].dims[1])
      return plm_rt_fail(&context->message, PLM_ERROR_ARGUMENT,
                         "texts do not say what the input '%s' is to hold: "
                         "tokenize them and call plm_run",
                         input->name);
  }
  if (*ids < 0)
    return plm_rt_fail(&context->message, PLM_ERROR_ARGUMENT,
                       "the model has no inputs");
  return PLM_OK;
}

/* True if the model takes `count` sequences of `length`. */
static bool is_allowed(plm_context *context, const plm_gen_tensor *ids,
                       int64_t count, int64_t length) {
  const plm_gen_model *model = context->model;
  int64_t sizes[2] = {count, length};
  for (int axis = 0; axis < 2; ++axis)
    if (ids->dims[axis] < 0)
      context->dims[-(ids->dims[axis] + 1)] = sizes[axis];
  return !model->check || model->check(context->dims) < 0;
}

/* The longest sequence that the model takes; 0: no limit is known. */
static int64_t longest_allowed(plm_context *context, const plm_gen_tensor *ids,
                               int64_t count) {
  if (ids->dims[1] >= 0)
    return ids->dims[1];
  int64_t low = 1, high = 1 << 20;
  if (!is_allowed(context, ids, count, low) ||
      is_allowed(context, ids, count, high))
    return 0;
  while (high - low > 1) {
    int64_t middle = (low + high) / 2;
    if (is_allowed(context, ids, count, middle))
      low = middle;
    else
      high = middle;
  }
  return low;
}

static size_t length_of(const char *text, const size_t *lengths, size_t i) {
  if (lengths)
    return lengths[i];
  size_t length = 0;
  while (text && text[length])
    ++length;
  return length;
}

static plm_status encode_one(plm_rt_texts *texts, plm_rt_share *share,
                             size_t i) {
  const plm_texts *given = texts->given;
  plm_tok_input input = {given->texts[i], NULL, 0, 0, texts->max_length, false};
  input.size = length_of(input.text, given->lengths, i);
  if (given->pairs) {
    input.pair = given->pairs[i];
    if (!input.pair)
      return plm_rt_fail(&share->message, PLM_ERROR_ARGUMENT,
                         "plm_run_text: pairs[%zu] is NULL", i);
    input.pair_size = length_of(input.pair, given->pair_lengths, i);
  }
  plm_tok_output output;
  plm_status status = plm_tok_encode(&texts->tok, &share->work, &input, &output,
                                     &share->message);
  if (status != PLM_OK)
    return status;
  size_t count = output.count;
  if (!plm_tok_reserve(&share->kept, share->num_kept,
                       share->num_kept + 2 * count, sizeof(int32_t)))
    return plm_rt_fail(&share->message, PLM_ERROR_MEMORY,
                       "not enough memory for the ids of the texts");
  int32_t *kept = (int32_t *)share->kept.data + share->num_kept;
  if (count) {
    memcpy(kept, output.ids, count * sizeof(int32_t));
    memcpy(kept + count, output.types, count * sizeof(int32_t));
  }
  share->num_kept += 2 * count;
  ((plm_rt_encoded *)texts->encoded.data)[i].count = count;
  return PLM_OK;
}

/* The texts of one thread. `kept` may move while it grows: where ids lie is
 * written down at the end. */
static void encode_share(plm_frame *frame, int64_t thread, int64_t threads) {
  plm_context *context =
      (plm_context *)((char *)frame - offsetof(plm_context, frame));
  plm_rt_texts *texts = context->texts;
  plm_rt_share *share = &texts->shares[thread];
  share->num_kept = 0;
  share->status = PLM_OK;
  size_t count = texts->given->count;
  for (size_t i = (size_t)thread; i < count && share->status == PLM_OK;
       i += (size_t)threads)
    share->status = encode_one(texts, share, i);
  if (share->status != PLM_OK)
    return;
  const int32_t *kept = (const int32_t *)share->kept.data;
  for (size_t i = (size_t)thread; i < count; i += (size_t)threads) {
    plm_rt_encoded *encoded = (plm_rt_encoded *)texts->encoded.data + i;
    encoded->ids = kept;
    encoded->types = kept + encoded->count;
    kept += 2 * encoded->count;
  }
}

static void store(char *to, int32_t dtype, int64_t index, int64_t value) {
  switch (dtype) {
  case PLM_I64:
    ((int64_t *)to)[index] = value;
    break;
  case PLM_I32:
    ((int32_t *)to)[index] = (int32_t)value;
    break;
  case PLM_F32:
    ((float *)to)[index] = (float)value;
    break;
  case PLM_F64:
    ((double *)to)[index] = (double)value;
    break;
  case PLM_F16: /* masks only: 0 or 1 */
    ((uint16_t *)to)[index] = value ? 0x3c00 : 0;
    break;
  case PLM_BF16:
    ((uint16_t *)to)[index] = value ? 0x3f80 : 0;
    break;
  default:
    to[index] = (char)value;
  }
}

static void fill(const plm_rt_texts *texts, const plm_gen_tensor *input,
                 char *to, int64_t count, int64_t length) {
  role r = role_of(input->name);
  int32_t pad = texts->tok.header->pad_id;
  for (int64_t b = 0; b < count; ++b) {
    const plm_rt_encoded *encoded =
        (const plm_rt_encoded *)texts->encoded.data + b;
    int64_t own = (int64_t)encoded->count;
    for (int64_t s = 0; s < length; ++s) {
      bool inside = s < own;
      int64_t value = r == IDS     ? (inside    ? encoded->ids[s]
                                      : pad < 0 ? 0
                                                : pad)
                      : r == TYPES ? (inside ? encoded->types[s] : 0)
                      : r == MASK  ? inside
                                   : s;
      store(to, input->dtype, b * length + s, value);
    }
  }
}

static plm_status encode_all(plm_context *context, const plm_gen_tensor *ids,
                             const plm_texts *given, int64_t *length) {
  plm_rt_texts *texts = context->texts;
  plm_rt_message *message = &context->message;
  int64_t limit = longest_allowed(context, ids, (int64_t)given->count);
  uint32_t wanted =
      given->max_length ? given->max_length : texts->tok.header->max_length;
  texts->max_length =
      limit && (!wanted || wanted > limit) ? (uint32_t)limit : wanted;
  texts->given = given;
  if (given->count > SIZE_MAX / sizeof(plm_rt_encoded) ||
      !plm_rt_buffer_reserve(&texts->encoded,
                             given->count * sizeof(plm_rt_encoded)))
    return plm_rt_fail(message, PLM_ERROR_MEMORY,
                       "not enough memory for %zu texts", given->count);
  plm_rt_pool_run(&context->pool, encode_share, &context->frame);
  for (int32_t i = 0; i < context->pool.threads; ++i)
    if (texts->shares[i].status != PLM_OK)
      return plm_rt_fail(message, texts->shares[i].status, "%s",
                         texts->shares[i].message.text);
  int64_t longest = 1, shortest = INT64_MAX;
  for (size_t i = 0; i < given->count; ++i) {
    int64_t n = (int64_t)((plm_rt_encoded *)texts->encoded.data)[i].count;
    longest = n > longest ? n : longest;
    shortest = n < shortest ? n : shortest;
  }
  *length = ids->dims[1] >= 0 ? ids->dims[1] : longest;
  bool masked = false;
  for (uint32_t i = 0; i < context->model->num_inputs; ++i)
    masked |= role_of(context->model->inputs[i].name) == MASK;
  if (!masked && shortest != *length)
    return plm_rt_fail(message, PLM_ERROR_SHAPE,
                       "the texts have %lld to %lld ids, and the model takes "
                       "no mask: run texts of one length together",
                       (long long)shortest, (long long)longest);
  return PLM_OK;
}

static plm_status run_text(plm_context *context, const plm_texts *given,
                           plm_tensor *outputs, size_t num_outputs) {
  const plm_gen_model *model = context->model;
  plm_rt_message *message = &context->message;
  if (!given || !given->texts || !given->count)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "plm_run_text: there are no texts");
  for (size_t i = 0; i < given->count; ++i)
    if (!given->texts[i])
      return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                         "plm_run_text: texts[%zu] is NULL", i);
  if (!plm_rt_pool_usable(&context->pool))
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "the context was created before fork() and its threads "
                       "are the parent's: create one in this process");
  /* A constant of the library's: without a tokenizer all of the code for texts
   * goes when the library is made. */
  if (!plm_generated.tokenizer)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "the library has no tokenizer: make it with `plmc "
                       "compress --tokenizer=FILE`");
  int32_t which;
  int64_t length;
  plm_status status = open_tokenizer(context);
  if (status == PLM_OK)
    status = find_ids(context, &which);
  if (status == PLM_OK)
    status = encode_all(context, &model->inputs[which], given, &length);
  if (status != PLM_OK)
    return status;
  /* All inputs in one block, behind their descriptions. */
  plm_rt_texts *texts = context->texts;
  size_t count = given->count, elements, bytes;
  if (__builtin_mul_overflow(count, (size_t)length, &elements) ||
      __builtin_mul_overflow(elements, (size_t)8 * model->num_inputs, &bytes) ||
      !plm_rt_buffer_reserve(&texts->inputs,
                             bytes + model->num_inputs * sizeof(plm_tensor)))
    return plm_rt_fail(message, PLM_ERROR_MEMORY,
                       "not enough memory for %zu texts of %lld ids", count,
                       (long long)length);
  plm_tensor *inputs = (plm_tensor *)texts->inputs.data;
  char *data = (char *)(inputs + model->num_inputs);
  for (uint32_t i = 0; i < model->num_inputs; ++i, data += elements * 8) {
    plm_tensor input = {data,
                        elements * 8,
                        {(int64_t)count, length},
                        2,
                        model->inputs[i].dtype};
    inputs[i] = input;
    fill(texts, &model->inputs[i], data, (int64_t)count, length);
  }
  return plm_rt_run(context, inputs, model->num_inputs, outputs, num_outputs);
}

plm_status plm_run_text(plm_context *context, const plm_texts *texts,
                        plm_tensor *outputs, size_t num_outputs) {
  if (!context)
    return plm_rt_fail(plm_rt_thread_message(), PLM_ERROR_ARGUMENT,
                       "plm_run_text: context is NULL");
  const plm_context **refused = plm_rt_thread_refused();
  if (atomic_exchange(&context->busy, 1)) {
    *refused = context;
    return PLM_ERROR_ARGUMENT;
  }
  if (*refused == context)
    *refused = NULL;
  plm_status status = run_text(context, texts, outputs, num_outputs);
  atomic_store(&context->busy, 0);
  return status;
}
