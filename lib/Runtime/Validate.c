/*===- Validate.c - Shapes and values of inputs -------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Inputs come from anywhere. What generated code relies on is checked here,
 * before it runs: it indexes tables with token ids and trusts shapes.
 *===----------------------------------------------------------------------===*/

#include "Internal.h"

size_t plm_rt_dtype_size(int32_t dtype) {
  switch (dtype) {
  case PLM_F64:
  case PLM_I64:
    return 8;
  case PLM_F32:
  case PLM_I32:
    return 4;
  case PLM_F16:
  case PLM_BF16:
    return 2;
  case PLM_BOOL:
  case PLM_U8:
  case PLM_I8:
    return 1;
  default:
    return 0;
  }
}

const char *plm_rt_dtype_name(int32_t dtype) {
  static const char *const names[] = {"unknown", "f32", "f64", "i32", "i64",
                                      "bool",    "u8",  "i8",  "f16", "bf16"};
  return names[dtype >= PLM_F32 && dtype <= PLM_BF16 ? dtype : 0];
}

/* "[batch, 384]" */
static void format_declared(char *buffer, size_t size,
                            const plm_gen_model *model,
                            const plm_gen_tensor *tensor) {
  size_t length = plm_rt_append(buffer, size, 0, "[");
  for (int32_t i = 0; i < tensor->rank; ++i) {
    const char *comma = i ? ", " : "";
    int64_t dim = tensor->dims[i];
    if (dim >= 0)
      length =
          plm_rt_append(buffer, size, length, "%s%lld", comma, (long long)dim);
    else
      length = plm_rt_append(buffer, size, length, "%s%s", comma,
                             model->symbol_names[-(dim + 1)]);
  }
  plm_rt_append(buffer, size, length, "]");
}

void plm_rt_format_index(char *buffer, size_t size, const plm_tensor *tensor,
                         int64_t flat) {
  int64_t index[PLM_MAX_RANK];
  for (int32_t i = tensor->rank - 1; i >= 0; --i) {
    index[i] = flat % tensor->shape[i];
    flat /= tensor->shape[i];
  }
  size_t length = plm_rt_append(buffer, size, 0, "[");
  for (int32_t i = 0; i < tensor->rank; ++i)
    length = plm_rt_append(buffer, size, length, "%s%lld", i ? ", " : "",
                           (long long)index[i]);
  plm_rt_append(buffer, size, length, "]");
}

/* The first use of a symbol binds it; later uses must agree. */
static plm_status bind_dim(plm_context *context, uint32_t input, int32_t axis,
                           int64_t size) {
  const plm_gen_model *model = context->model;
  const char *name = model->inputs[input].name;
  int64_t declared = model->inputs[input].dims[axis];
  if (declared >= 0) {
    if (size == declared)
      return PLM_OK;
    return plm_rt_fail(&context->message, PLM_ERROR_SHAPE,
                       "input '%s': dimension %d is %lld; it must be %lld",
                       name, axis, (long long)size, (long long)declared);
  }
  int64_t symbol = -(declared + 1);
  const char *symbol_name = model->symbol_names[symbol];
  if (size < 1)
    return plm_rt_fail(&context->message, PLM_ERROR_SHAPE,
                       "input '%s': dimension %d (%s) is %lld; it must be at "
                       "least 1",
                       name, axis, symbol_name, (long long)size);
  int32_t binder = context->bound_by[symbol];
  if (binder < 0) {
    context->bound_by[symbol] = (int32_t)input;
    context->dims[symbol] = size;
    return PLM_OK;
  }
  if (context->dims[symbol] == size)
    return PLM_OK;
  return plm_rt_fail(&context->message, PLM_ERROR_SHAPE,
                     "input '%s': dimension %d (%s) is %lld, but input '%s' "
                     "has %s = %lld",
                     name, axis, symbol_name, (long long)size,
                     model->inputs[binder].name, symbol_name,
                     (long long)context->dims[symbol]);
}

static plm_status check_input(plm_context *context, uint32_t i,
                              const plm_tensor *given) {
  const plm_gen_tensor *expected = &context->model->inputs[i];
  plm_rt_message *message = &context->message;
  const char *name = expected->name;
  if (given->dtype != expected->dtype)
    return plm_rt_fail(message, PLM_ERROR_DTYPE,
                       "input '%s' has dtype %s (%d); it must be %s", name,
                       plm_rt_dtype_name(given->dtype), given->dtype,
                       plm_rt_dtype_name(expected->dtype));
  if (given->rank != expected->rank) {
    char declared[256];
    format_declared(declared, sizeof(declared), context->model, expected);
    return plm_rt_fail(message, PLM_ERROR_SHAPE,
                       "input '%s' has rank %d; it must be %d: %s", name,
                       given->rank, expected->rank, declared);
  }
  int64_t bytes = (int64_t)plm_rt_dtype_size(expected->dtype);
  for (int32_t axis = 0; axis < expected->rank; ++axis) {
    plm_status status = bind_dim(context, i, axis, given->shape[axis]);
    if (status != PLM_OK)
      return status;
    if (__builtin_mul_overflow(bytes, given->shape[axis], &bytes))
      return plm_rt_fail(message, PLM_ERROR_SHAPE,
                         "input '%s' would have more than 2^63 bytes", name);
  }
  if (!given->data)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT, "input '%s': data is NULL",
                       name);
  if ((uintptr_t)given->data % plm_rt_dtype_size(expected->dtype) != 0)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "input '%s': data is not aligned to its %zu-byte "
                       "elements",
                       name, plm_rt_dtype_size(expected->dtype));
  context->input_data[i] = given->data;
  return PLM_OK;
}

plm_status plm_rt_check_inputs(plm_context *context, const plm_tensor *inputs) {
  const plm_gen_model *model = context->model;
  for (uint32_t i = 0; i < model->num_symbols; ++i) {
    context->bound_by[i] = -1;
    context->dims[i] = 0;
  }
  for (uint32_t i = 0; i < model->num_inputs; ++i) {
    plm_status status = check_input(context, i, &inputs[i]);
    if (status != PLM_OK)
      return status;
  }
  return PLM_OK;
}

/* Index of the first value outside [0, limit), or -1. */
#define DEFINE_FIND_OUTSIDE(name, type)                                        \
  static int64_t name(const type *values, int64_t count, int64_t limit) {      \
    for (int64_t i = 0; i < count; ++i)                                        \
      if ((uint64_t)(int64_t)values[i] >= (uint64_t)limit)                     \
        return i;                                                              \
    return -1;                                                                 \
  }
DEFINE_FIND_OUTSIDE(find_outside_i64, int64_t)
DEFINE_FIND_OUTSIDE(find_outside_i32, int32_t)
DEFINE_FIND_OUTSIDE(find_outside_i8, int8_t)
DEFINE_FIND_OUTSIDE(find_outside_u8, uint8_t)

static int64_t find_outside(const plm_tensor *tensor, int64_t count,
                            int64_t limit) {
  switch (tensor->dtype) {
  case PLM_I64:
    return find_outside_i64(tensor->data, count, limit);
  case PLM_I32:
    return find_outside_i32(tensor->data, count, limit);
  case PLM_I8:
    return find_outside_i8(tensor->data, count, limit);
  case PLM_U8:
  case PLM_BOOL:
    return find_outside_u8(tensor->data, count, limit);
  default:
    return -1;
  }
}

static int64_t integer_at(const plm_tensor *tensor, int64_t index) {
  switch (tensor->dtype) {
  case PLM_I64:
    return ((const int64_t *)tensor->data)[index];
  case PLM_I32:
    return ((const int32_t *)tensor->data)[index];
  case PLM_I8:
    return ((const int8_t *)tensor->data)[index];
  default:
    return ((const uint8_t *)tensor->data)[index];
  }
}

int64_t plm_rt_count_elements(const plm_tensor *tensor) {
  int64_t count = 1;
  for (int32_t i = 0; i < tensor->rank; ++i)
    count *= tensor->shape[i];
  return count;
}

static plm_status check_range(plm_context *context, uint32_t input,
                              const plm_tensor *tensor, int64_t limit) {
  int64_t at = find_outside(tensor, plm_rt_count_elements(tensor), limit);
  if (at < 0)
    return PLM_OK;
  char index[192];
  plm_rt_format_index(index, sizeof(index), tensor, at);
  return plm_rt_fail(&context->message, PLM_ERROR_VALUE,
                     "input '%s' has %lld at %s; values must be in 0 to %lld",
                     context->model->inputs[input].name,
                     (long long)integer_at(tensor, at), index,
                     (long long)limit - 1);
}

plm_status plm_rt_check_values(plm_context *context, const plm_tensor *inputs) {
  const plm_gen_model *model = context->model;
  for (uint32_t i = 0; i < model->num_id_checks; ++i) {
    const plm_gen_id_check *check = &model->id_checks[i];
    plm_status status = check_range(context, (uint32_t)check->input,
                                    &inputs[check->input], check->limit);
    if (status != PLM_OK)
      return status;
  }
  for (uint32_t i = 0; i < model->num_inputs; ++i)
    if (model->inputs[i].dtype == PLM_BOOL) {
      plm_status status = check_range(context, i, &inputs[i], 2);
      if (status != PLM_OK)
        return status;
    }
  return PLM_OK;
}
