/*===- Arena.c - Memory that only grows ---------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The arena, the packing arrays and the output buffers of a context keep the
 * largest size they ever had, so that a run at a size seen before allocates
 * nothing.
 *===----------------------------------------------------------------------===*/

#include "Internal.h"

bool plm_rt_align_up(size_t size, size_t *result) {
  if (size > (size_t)PTRDIFF_MAX - PLM_RT_ALIGNMENT)
    return false;
  *result = (size + PLM_RT_ALIGNMENT - 1) & ~(size_t)(PLM_RT_ALIGNMENT - 1);
  return true;
}

bool plm_rt_buffer_reserve(plm_rt_buffer *buffer, size_t size) {
  if (size == 0)
    size = 1; /* data is never NULL, whatever the size */
  if (buffer->data && size <= buffer->capacity)
    return true;
  /* First free, then allocate: contents need not survive, and the peak is
   * lower. */
  plm_rt_buffer_free(buffer);
  size_t rounded;
  if (!plm_rt_align_up(size, &rounded))
    return false;
  buffer->data = aligned_alloc(PLM_RT_ALIGNMENT, rounded);
  if (!buffer->data)
    return false;
  buffer->capacity = rounded;
  return true;
}

void plm_rt_buffer_free(plm_rt_buffer *buffer) {
  free(buffer->data);
  buffer->data = NULL;
  buffer->capacity = 0;
}

void *plm_rt_allocate_zeroed(size_t size) {
  size_t rounded;
  if (!plm_rt_align_up(size ? size : 1, &rounded))
    return NULL;
  void *memory = aligned_alloc(PLM_RT_ALIGNMENT, rounded);
  if (memory)
    memset(memory, 0, rounded);
  return memory;
}
