/*===- Outputs.c - Shapes and buffers of outputs ------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A caller either brings a buffer or leaves data == NULL and reads the
 * context's, which is kept from run to run. A caller that hands back a tensor
 * which the context filled in last time means the latter again: the natural
 * loop over one plm_tensor must not fail as soon as a batch is larger.
 *===----------------------------------------------------------------------===*/

#include "Internal.h"

/* Bytes of the output; false if there is no such shape. */
static bool output_bytes(const int64_t *shape, int32_t rank, int32_t dtype,
                         size_t *result) {
  int64_t bytes = (int64_t)plm_rt_dtype_size(dtype);
  bool empty = false;
  for (int32_t i = 0; i < rank; ++i) {
    if (shape[i] < 0)
      return false;
    if (shape[i] == 0)
      empty = true;
    else if (__builtin_mul_overflow(bytes, shape[i], &bytes))
      return false;
  }
  *result = empty ? 0 : (size_t)bytes;
  return true;
}

static plm_status prepare_buffer(plm_context *context, uint32_t i,
                                 plm_tensor *output) {
  const char *name = context->model->outputs[i].name;
  size_t bytes = context->output_bytes[i];
  plm_rt_buffer *own = &context->output_buffers[i];
  if (output->data && output->data == own->data)
    output->data = NULL;
  if (!output->data) {
    if (!plm_rt_buffer_reserve(own, bytes))
      return plm_rt_fail(&context->message, PLM_ERROR_MEMORY,
                         "not enough memory for output '%s' (%zu bytes)", name,
                         bytes);
    context->output_data[i] = own->data;
    return PLM_OK;
  }
  if (output->capacity < bytes)
    return plm_rt_fail(&context->message, PLM_ERROR_BUFFER,
                       "output '%s' needs %zu bytes; its buffer has %zu", name,
                       bytes, output->capacity);
  size_t alignment = plm_rt_dtype_size(output->dtype);
  if ((uintptr_t)output->data % alignment != 0)
    return plm_rt_fail(&context->message, PLM_ERROR_ARGUMENT,
                       "output '%s': data is not aligned to its %zu-byte "
                       "elements",
                       name, alignment);
  context->output_data[i] = output->data;
  return PLM_OK;
}

plm_status plm_rt_prepare_outputs(plm_context *context, plm_tensor *outputs) {
  const plm_gen_model *model = context->model;
  model->output_dims(context->dims, context->output_shapes);
  /* All shapes first: whoever brought one buffer that is too small learns the
   * sizes of all. */
  const int64_t *shape = context->output_shapes;
  for (uint32_t i = 0; i < model->num_outputs; ++i) {
    const plm_gen_tensor *declared = &model->outputs[i];
    if (!output_bytes(shape, declared->rank, declared->dtype,
                      &context->output_bytes[i]))
      return plm_rt_fail(&context->message, PLM_ERROR_SHAPE,
                         "output '%s' has no possible size for these inputs",
                         declared->name);
    outputs[i].dtype = declared->dtype;
    outputs[i].rank = declared->rank;
    for (int32_t axis = 0; axis < declared->rank; ++axis)
      outputs[i].shape[axis] = shape[axis];
    shape += declared->rank;
  }
  for (uint32_t i = 0; i < model->num_outputs; ++i) {
    plm_status status = prepare_buffer(context, i, &outputs[i]);
    if (status != PLM_OK)
      return status;
  }
  return PLM_OK;
}
