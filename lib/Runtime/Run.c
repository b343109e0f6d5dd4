/*===- Run.c - One run --------------------------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The order matters: nothing reads data before shapes are known to be right,
 * nothing computes before values are, and outputs are prepared before the
 * model runs, so that a run that is refused has written nothing.
 *===----------------------------------------------------------------------===*/

#include "Internal.h"

static plm_status check_arguments(plm_context *context,
                                  const plm_tensor *inputs, size_t num_inputs,
                                  const plm_tensor *outputs,
                                  size_t num_outputs) {
  const plm_gen_model *model = context->model;
  plm_rt_message *message = &context->message;
  if (num_inputs != model->num_inputs)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "the model has %u inputs, not %zu",
                       (unsigned)model->num_inputs, num_inputs);
  if (num_outputs != model->num_outputs)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "the model has %u outputs, not %zu",
                       (unsigned)model->num_outputs, num_outputs);
  if ((!inputs && num_inputs) || (!outputs && num_outputs))
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT, "plm_run: %s is NULL",
                       !inputs && num_inputs ? "inputs" : "outputs");
  if (!plm_rt_pool_usable(&context->pool))
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "the context was created before fork() and its threads "
                       "are the parent's: create one in this process");
  return PLM_OK;
}

/* "batch = 2, sequence = 600" */
static void format_symbols(char *buffer, size_t size,
                           const plm_context *context) {
  size_t length = 0;
  buffer[0] = 0;
  for (uint32_t i = 0; i < context->model->num_symbols; ++i)
    length = plm_rt_append(buffer, size, length, "%s%s = %lld", i ? ", " : "",
                           context->model->symbol_names[i],
                           (long long)context->dims[i]);
}

static plm_status check_constraints(plm_context *context) {
  const plm_gen_model *model = context->model;
  int32_t violated = model->check ? model->check(context->dims) : -1;
  if (violated < 0)
    return PLM_OK;
  char symbols[256];
  format_symbols(symbols, sizeof(symbols), context);
  return plm_rt_fail(&context->message, PLM_ERROR_SHAPE, "%s; got %s",
                     model->constraint_messages[violated], symbols);
}

/* Size of the arena for the current symbols and the given derived dimensions;
 * the slots are laid out for them. */
static int64_t plan_for(plm_context *context, const int64_t *derived) {
  const plm_gen_model *model = context->model;
  memcpy(context->dims + model->num_symbols, derived,
         PLM_NUM_DERIVED_DIMS * sizeof(int64_t));
  return model->plan(context->dims, context->pool.threads, context->slots);
}

/* For want of `size` bytes; -1: of more than can be addressed. */
static plm_status refuse_arena(plm_context *context, int64_t size) {
  char symbols[256];
  format_symbols(symbols, sizeof(symbols), context);
  if (size < 0)
    return plm_rt_fail(&context->message, PLM_ERROR_MEMORY,
                       "a run with %s needs more memory than can be addressed",
                       symbols);
  return plm_rt_fail(&context->message, PLM_ERROR_MEMORY,
                     "not enough memory: a run with %s needs %lld bytes",
                     symbols, (long long)size);
}

/* The slots lie close together, as the packed rows of this run allow. The
 * arena itself is made large enough for a mask that keeps everything, or the
 * next run at the same size might have to allocate; pages that are not touched
 * cost nothing. */
static plm_status prepare_arena(plm_context *context) {
  if (context->variant->mask) /* laid out by compute_mask, and in use */
    return PLM_OK;
  int64_t derived[PLM_NUM_DERIVED_DIMS];
  memcpy(derived, context->dims + context->model->num_symbols, sizeof(derived));
  int64_t most = plan_for(context, context->most);
  int64_t size = plan_for(context, derived);
  if (size >= 0) {
    if (most > size && plm_rt_buffer_reserve(&context->arena, (size_t)most))
      return PLM_OK;
    if (plm_rt_buffer_reserve(&context->arena, (size_t)size))
      return PLM_OK;
  }
  return refuse_arena(context, size);
}

/* Calls a function of the model on all threads. */
static plm_status run_threads(plm_context *context,
                              void (*function)(plm_frame *, int64_t, int64_t)) {
  const plm_gen_model *model = context->model;
  plm_frame *frame = &context->frame;
  frame->inputs = context->input_data;
  frame->outputs = context->output_data;
  frame->dims = context->dims;
  frame->arena = context->arena.data;
  frame->slots = context->slots;
  frame->weights = model->weights;
  frame->error = 0;
  frame->barrier = &context->pool.barrier;
  plm_rt_pool_run(&context->pool, function, frame);
  int64_t error = __atomic_load_n(&frame->error, __ATOMIC_ACQUIRE);
  if (error == 0)
    return PLM_OK;
  return plm_rt_fail(&context->message, PLM_ERROR_VALUE, "%s",
                     model->index_check_messages[error - 1]);
}

/* The rows are not known before the mask is, and what else is computed on the
 * way to it stays in the arena for the rest of the run. So the slots are laid
 * out for a mask that keeps everything. */
static plm_status compute_mask(plm_context *context) {
  if (!context->variant->mask)
    return PLM_OK;
  int64_t size = plan_for(context, context->most);
  if (size < 0 || !plm_rt_buffer_reserve(&context->arena, (size_t)size))
    return refuse_arena(context, size);
  return run_threads(context, context->variant->mask);
}

plm_status plm_rt_run(plm_context *context, const plm_tensor *inputs,
                      size_t num_inputs, plm_tensor *outputs,
                      size_t num_outputs) {
  plm_status status =
      check_arguments(context, inputs, num_inputs, outputs, num_outputs);
  if (status == PLM_OK)
    status = plm_rt_check_inputs(context, inputs);
  if (status == PLM_OK)
    status = check_constraints(context);
  if (status == PLM_OK)
    status = plm_rt_check_values(context, inputs);
  if (status == PLM_OK)
    status = plm_rt_count_positions(context);
  if (status == PLM_OK)
    status = compute_mask(context);
  if (status == PLM_OK)
    status = plm_rt_pack(context, inputs);
  if (status == PLM_OK)
    status = plm_rt_prepare_outputs(context, outputs);
  if (status == PLM_OK)
    status = prepare_arena(context);
  if (status == PLM_OK)
    status = run_threads(context, context->variant->run);
  if (status != PLM_OK)
    return status;
  for (size_t i = 0; i < num_outputs; ++i)
    if (!outputs[i].data) {
      outputs[i].data = context->output_data[i];
      outputs[i].capacity = context->output_bytes[i];
    }
  context->message.text[0] = 0;
  return PLM_OK;
}

plm_status plm_run(plm_context *context, const plm_tensor *inputs,
                   size_t num_inputs, plm_tensor *outputs, size_t num_outputs) {
  if (!context)
    return plm_rt_fail(plm_rt_thread_message(), PLM_ERROR_ARGUMENT,
                       "plm_run: context is NULL");
  /* The message of a running context belongs to the thread that runs it, so
   * the refusal is remembered by this thread. */
  const plm_context **refused = plm_rt_thread_refused();
  if (atomic_exchange(&context->busy, 1)) {
    *refused = context;
    return PLM_ERROR_ARGUMENT;
  }
  if (*refused == context)
    *refused = NULL;
  plm_status status =
      context->model == &plm_generated
          ? plm_rt_run(context, inputs, num_inputs, outputs, num_outputs)
          : plm_rt_fail(&context->message, PLM_ERROR_ARGUMENT,
                        "plm_run: the context is another library's");
  atomic_store(&context->busy, 0);
  return status;
}
