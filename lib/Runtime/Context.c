/*===- Context.c - What one run needs -----------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A context and all of its tables, whose sizes the model fixes, are one block.
 * What depends on the sizes of a run (arena, packing, output buffers) grows
 * when needed and stays.
 *===----------------------------------------------------------------------===*/

#include "Internal.h"

/* Adds room for `count` elements; returns where they start. */
static size_t take(size_t *total, size_t count, size_t element_size) {
  size_t start = *total;
  *total += (count * element_size + 15) & ~(size_t)15;
  return start;
}

/* Counts come from the compiler and are small: nothing overflows. */
static plm_context *allocate_context(const plm_gen_model *model) {
  size_t output_dims = 0;
  for (uint32_t i = 0; i < model->num_outputs; ++i)
    output_dims += (size_t)model->outputs[i].rank;
  size_t total = 0;
  take(&total, 1, sizeof(plm_context));
  size_t dims =
      take(&total, model->num_symbols + PLM_NUM_DERIVED_DIMS, sizeof(int64_t));
  size_t bound_by = take(&total, model->num_symbols, sizeof(int32_t));
  size_t slots = take(&total, model->num_slots, sizeof(int64_t));
  size_t shapes = take(&total, output_dims, sizeof(int64_t));
  size_t bytes = take(&total, model->num_outputs, sizeof(size_t));
  size_t inputs = take(&total, model->num_inputs, sizeof(void *));
  size_t outputs = take(&total, model->num_outputs, sizeof(void *));
  size_t buffers = take(&total, model->num_outputs, sizeof(plm_rt_buffer));

  char *block = plm_rt_allocate_zeroed(total);
  if (!block)
    return NULL;
  plm_context *context = (plm_context *)block;
  context->model = model;
  context->dims = (int64_t *)(block + dims);
  context->bound_by = (int32_t *)(block + bound_by);
  context->slots = (int64_t *)(block + slots);
  context->output_shapes = (int64_t *)(block + shapes);
  context->output_bytes = (size_t *)(block + bytes);
  context->input_data = (const void **)(block + inputs);
  context->output_data = (void **)(block + outputs);
  context->output_buffers = (plm_rt_buffer *)(block + buffers);
  return context;
}

plm_status plm_context_create(const plm_model *model, int32_t threads,
                              plm_context **context) {
  plm_rt_message *message = plm_rt_thread_message();
  if (!context)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "plm_context_create: context is NULL");
  *context = NULL;
  if (model != (const plm_model *)&plm_generated)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       model ? "plm_context_create: the model is another "
                               "library's"
                             : "plm_context_create: model is NULL");
  if (threads < 0 || threads > PLM_RT_MAX_THREADS)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "threads is %d; it must be in 0 to %d", threads,
                       PLM_RT_MAX_THREADS);
  const plm_gen_variant *variant = plm_rt_own_variant(message);
  if (!variant)
    return PLM_ERROR_CPU;
  plm_context *created = allocate_context(&plm_generated);
  if (!created)
    return plm_rt_fail(message, PLM_ERROR_MEMORY,
                       "not enough memory for a context");
  created->variant = variant;
  plm_status status = plm_rt_pool_create(&created->pool, threads, message);
  if (status != PLM_OK) {
    free(created);
    return status;
  }
  message->text[0] = 0;
  *context = created;
  return PLM_OK;
}

plm_status plm_context_profile(plm_context *context, uint64_t *ticks,
                               size_t count) {
  if (!context)
    return plm_rt_fail(plm_rt_thread_message(), PLM_ERROR_ARGUMENT,
                       "plm_context_profile: context is NULL");
  const plm_context **refused = plm_rt_thread_refused();
  if (atomic_exchange(&context->busy, 1)) {
    *refused = context;
    return PLM_ERROR_ARGUMENT;
  }
  if (*refused == context)
    *refused = NULL;
  plm_status status = PLM_OK;
  size_t needed = (size_t)context->model->num_steps + 1;
  if (ticks && count < needed) {
    status = plm_rt_fail(&context->message, PLM_ERROR_BUFFER,
                         "plm_context_profile: room for %zu time stamps, the "
                         "model has %zu",
                         count, needed);
  } else {
    context->frame.ticks = ticks;
    context->message.text[0] = 0;
  }
  atomic_store(&context->busy, 0);
  return status;
}

void plm_context_destroy(plm_context *context) {
  if (!context)
    return;
  if (*plm_rt_thread_refused() == context)
    *plm_rt_thread_refused() = NULL;
  plm_rt_texts_free(context);
  plm_rt_pool_destroy(&context->pool);
  plm_rt_buffer_free(&context->arena);
  plm_rt_buffer_free(&context->packing);
  for (uint32_t i = 0; i < context->model->num_outputs; ++i)
    plm_rt_buffer_free(&context->output_buffers[i]);
  free(context);
}
