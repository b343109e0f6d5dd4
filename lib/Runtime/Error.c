/*===- Error.c - One-line messages --------------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Messages hold names that come from a model file, so nothing about them is
 * trusted: control characters become '?', and what is too long is cut.
 *===----------------------------------------------------------------------===*/

#include "Internal.h"

static _Thread_local plm_rt_message thread_message;
static _Thread_local const plm_context *thread_refused;

plm_rt_message *plm_rt_thread_message(void) { return &thread_message; }

const plm_context **plm_rt_thread_refused(void) { return &thread_refused; }

static size_t append_list(char *buffer, size_t size, size_t length,
                          const char *format, va_list arguments) {
  if (length + 1 >= size)
    return length;
  int written = vsnprintf(buffer + length, size - length, format, arguments);
  if (written < 0) {
    buffer[length] = 0;
    return length;
  }
  if ((size_t)written >= size - length)
    return size - 1;
  return length + (size_t)written;
}

size_t plm_rt_append(char *buffer, size_t size, size_t length,
                     const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  length = append_list(buffer, size, length, format, arguments);
  va_end(arguments);
  return length;
}

plm_status plm_rt_fail(plm_rt_message *message, plm_status status,
                       const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t length =
      append_list(message->text, sizeof(message->text), 0, format, arguments);
  va_end(arguments);
  for (size_t i = 0; i < length; ++i) {
    unsigned char c = (unsigned char)message->text[i];
    if (c < 0x20 || c == 0x7f)
      message->text[i] = '?';
  }
  if (length + 1 == sizeof(message->text)) {
    /* Cut, perhaps inside a UTF-8 sequence: drop what is left of it. */
    size_t end = length - 3;
    while (end > 0 && ((unsigned char)message->text[end] & 0xc0) == 0x80)
      --end;
    memcpy(message->text + end, "...", 4);
  }
  return status;
}
