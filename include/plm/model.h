/*===- plm/model.h - The C ABI of every model emitted by plmc ------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * A library that plmc emits exports the functions below and nothing else. It
 * needs libc alone. One process may load any number of such libraries
 * (dlopen + dlsym, or link one of them).
 *
 *   plm_model   the library's one model: immutable, shared by all threads.
 *   plm_context what one run needs (arena, threads). A context serves one
 *               call at a time; any number of contexts may run at once.
 *
 * Every function that can fail returns a plm_status; the matching one-line
 * message comes from plm_last_error (of the context, or of the calling
 * thread when there is no context). No input crashes the process.
 *
 * Usable from C11, C++ and, through plain pointers and integers, ctypes.
 *===----------------------------------------------------------------------===*/

#ifndef PLM_MODEL_H
#define PLM_MODEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Raised when a function or structure below changes incompatibly. */
#define PLM_ABI_VERSION 1
#define PLM_MAX_RANK 8

typedef enum plm_status {
  PLM_OK = 0,
  PLM_ERROR_ARGUMENT = 1, /* null pointer, wrong count, wrong version */
  PLM_ERROR_DTYPE = 2,    /* an input's or output's element type */
  PLM_ERROR_SHAPE = 3,    /* rank, a fixed dimension, dimensions that
                             disagree, a length over the position table */
  PLM_ERROR_VALUE = 4,    /* a token id out of range, a mask value that is
                             neither 0 nor 1, an index out of range */
  PLM_ERROR_MEMORY = 5,   /* allocation failed */
  PLM_ERROR_CPU = 6,      /* this CPU lacks what the library was built for */
  PLM_ERROR_BUFFER = 7    /* a caller's output buffer is too small */
} plm_status;

typedef enum plm_dtype {
  PLM_F32 = 1,
  PLM_F64 = 2,
  PLM_I32 = 3,
  PLM_I64 = 4,
  PLM_BOOL = 5, /* one byte, 0 or 1 */
  PLM_U8 = 6,
  PLM_I8 = 7,
  PLM_F16 = 8,
  PLM_BF16 = 9
} plm_dtype;

/* A dense, row-major tensor. For an output, data == NULL asks the context to
 * provide the memory: it is then valid until the context's next run or its
 * destruction. Otherwise `capacity` is the buffer's size in bytes. The library
 * fills in dtype, rank and shape of outputs. `capacity` of an input is not
 * read. */
typedef struct plm_tensor {
  void *data;
  size_t capacity;
  int64_t shape[PLM_MAX_RANK];
  int32_t rank;
  int32_t dtype;
} plm_tensor;

typedef struct plm_model plm_model;
typedef struct plm_context plm_context;

/* PLM_ABI_VERSION of the library. */
uint32_t plm_abi_version(void);

/* The library's model. Fails with PLM_ERROR_CPU on a CPU that lacks the
 * features that the library was compiled for, and with PLM_ERROR_ARGUMENT if
 * `abi_version` is not the library's. Cheap; nothing to close. */
plm_status plm_open(uint32_t abi_version, const plm_model **model);

/* Inputs, outputs, dtypes, symbolic dimensions and the build record, as JSON
 * (docs/abi.md gives the schema). Static storage, never NULL. `model` may be
 * NULL: so a machine whose CPU plm_open refuses can ask too. */
const char *plm_describe(const plm_model *model);

/* A context that runs with `threads` threads, the caller's included;
 * 0 means one per CPU available to the process. */
plm_status plm_context_create(const plm_model *model, int32_t threads,
                              plm_context **context);
void plm_context_destroy(plm_context *context);

/* Runs the model. `inputs` and `outputs` are in the order of plm_describe and
 * must have exactly the counts given there. After the first run at a size,
 * runs at that size or a smaller one allocate nothing. */
plm_status plm_run(plm_context *context, const plm_tensor *inputs,
                   size_t num_inputs, plm_tensor *outputs, size_t num_outputs);

/* Texts for plm_run_text: UTF-8, of `lengths` bytes each; lengths == NULL: they
 * end with a NUL. With `pairs` not NULL, text i is encoded together with
 * pairs[i]. `max_length` is the most ids of a text, 0 what the tokenizer says;
 * the model's own limit holds in any case, and what is too long is cut off. */
typedef struct plm_texts {
  const char *const *texts;
  const size_t *lengths;
  const char *const *pairs;
  const size_t *pair_lengths;
  size_t count;
  uint32_t max_length;
} plm_texts;

/* Tokenizes the texts, fills the model's inputs (ids, mask, types, positions,
 * told by their names) and runs it: one sequence a text. PLM_ERROR_ARGUMENT if
 * the library has no tokenizer (plmc compress --tokenizer=FILE) or the model
 * an input that texts do not give. */
plm_status plm_run_text(plm_context *context, const plm_texts *texts,
                        plm_tensor *outputs, size_t num_outputs);

/* For profiling. From now on, runs of the context add the time that step i of
 * the model has taken to ticks[1 + i], and leave the time at their end in
 * ticks[0]; the steps are listed in the description. `count`, the room in
 * `ticks`, must be at least one more than there are steps. Times are of the
 * CPU's constant-rate counter, read by the thread that called plm_run. NULL
 * ends it. */
plm_status plm_context_profile(plm_context *context, uint64_t *ticks,
                               size_t count);

/* The message of the last failure: one line, no newline; "" after a success.
 * With context == NULL, of plm_open or plm_context_create on this thread. */
const char *plm_last_error(const plm_context *context);

#ifdef __cplusplus
}
#endif

#endif /* PLM_MODEL_H */
