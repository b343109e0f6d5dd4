/*===- Internal.h - Shared by the files of the runtime ------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * One run, and the file that does each part (Run.c holds the order):
 *
 *   Validate.c  dtypes, ranks, shapes; binds the dimension symbols
 *   Pack.c      the mask becomes a list of rows
 *   Arena.c     memory that only ever grows
 *   Threads.c   the threads and their barrier
 *   Error.c     the one-line messages
 *
 * plm_rt_* names are hidden in an emitted library; only include/plm/model.h is
 * exported.
 *===----------------------------------------------------------------------===*/

#ifndef PLMC_RUNTIME_INTERNAL_H
#define PLMC_RUNTIME_INTERNAL_H

#include "Generated.h"
#include "Libc.h"
#include <stdatomic.h>
#include <stdbool.h>

/* The only functions that an emitted library exports. */
#pragma GCC visibility push(default)
#include "plm/model.h"
#pragma GCC visibility pop

/*===-- Messages (Error.c) ------------------------------------------------===*/

#define PLM_RT_MESSAGE_SIZE 512

typedef struct plm_rt_message {
  char text[PLM_RT_MESSAGE_SIZE];
} plm_rt_message;

/* Stores the formatted line, with control characters replaced and cut to size,
 * and returns `status`. */
plm_status plm_rt_fail(plm_rt_message *message, plm_status status,
                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends to a line that is being built in a buffer; the result is always
 * terminated. Returns the new length. */
size_t plm_rt_append(char *buffer, size_t size, size_t length,
                     const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The message of calls that have no context, of this thread. */
plm_rt_message *plm_rt_thread_message(void);

/* Which context this thread was last refused because it was running. */
const plm_context **plm_rt_thread_refused(void);

/*===-- Memory (Arena.c) --------------------------------------------------===*/

#define PLM_RT_ALIGNMENT 64

/* 64-byte aligned memory that grows and is kept. */
typedef struct plm_rt_buffer {
  char *data;
  size_t capacity;
} plm_rt_buffer;

/* False if memory is short; the buffer is then empty. The old contents are
 * lost when it grows. */
bool plm_rt_buffer_reserve(plm_rt_buffer *buffer, size_t size);
void plm_rt_buffer_free(plm_rt_buffer *buffer);
/* Zero-filled, to be given to free(); NULL if memory is short. */
void *plm_rt_allocate_zeroed(size_t size);
/* Rounds up to PLM_RT_ALIGNMENT; false on overflow. */
bool plm_rt_align_up(size_t size, size_t *result);

/*===-- Threads (Threads.c) -----------------------------------------------===*/

#define PLM_RT_MAX_THREADS 1024

typedef struct plm_rt_barrier_state {
  _Atomic uint32_t arrived;
  _Atomic uint32_t phase; /* also the futex word */
  _Atomic uint32_t sleepers;
  uint32_t participants;
  bool spin;
} plm_rt_barrier_state;

typedef struct plm_rt_pool plm_rt_pool;

typedef struct plm_rt_worker {
  plm_rt_pool *pool;
  unsigned long handle;
  int64_t index;
} plm_rt_worker;

struct plm_rt_pool {
  int32_t threads;
  int32_t pid;            /* of the process that has the threads */
  plm_rt_worker *workers; /* [threads - 1] */
  int32_t created;
  bool stop;
  plm_frame *frame;
  void (*run)(plm_frame *frame, int64_t thread, int64_t threads);
  plm_rt_barrier_state barrier;
};

/* CPUs that the process may use, at least 1. */
int32_t plm_rt_available_cpus(void);
/* Creates threads - 1 workers. On failure nothing is left behind. */
plm_status plm_rt_pool_create(plm_rt_pool *pool, int32_t threads,
                              plm_rt_message *message);
void plm_rt_pool_destroy(plm_rt_pool *pool);
/* run(frame, t, threads) on every thread; returns when all have. */
void plm_rt_pool_run(plm_rt_pool *pool,
                     void (*run)(plm_frame *, int64_t, int64_t),
                     plm_frame *frame);
/* False in a child process, where the workers do not exist. */
bool plm_rt_pool_usable(const plm_rt_pool *pool);

/*===-- CPU (Cpu.c) -------------------------------------------------------===*/

/* Bits of enum plm_cpu_feature that this CPU and operating system offer. */
uint64_t plm_rt_cpu_features(void);
/* Asks the operating system for the registers of AMX; true if it grants them.
 */
bool plm_rt_ask_for_tiles(void);
/* `found` without AMX if `ask` is refused; asks only if there is AMX and a
 * variant, `wanted` or any, that could run with it. */
uint64_t plm_rt_granted_features(const plm_gen_model *model, uint64_t found,
                                 const char *wanted, bool (*ask)(void));
/* The model's best variant for a CPU with these features; with `wanted`, not
 * NULL or empty, the one of that name. NULL, with a message, if there is none.
 */
const plm_gen_variant *plm_rt_choose_variant(const plm_gen_model *model,
                                             uint64_t available,
                                             const char *wanted,
                                             plm_rt_message *message);
/* For this CPU; the environment variable PLM_CPU may name one, for tests and
 * comparisons. */
const plm_gen_variant *plm_rt_own_variant(plm_rt_message *message);

/*===-- A context (Context.c) ---------------------------------------------===*/

typedef struct plm_rt_texts plm_rt_texts;

struct plm_context {
  const plm_gen_model *model;
  const plm_gen_variant *variant;
  _Atomic int32_t busy;
  plm_rt_message message;
  plm_rt_pool pool;
  plm_frame frame;

  /* Sized by the model, in one block with the context. */
  int64_t *dims;                      /* [num_symbols + PLM_NUM_DERIVED_DIMS] */
  int64_t most[PLM_NUM_DERIVED_DIMS]; /* the derived ones if all is kept */
  int64_t batch, sequence;            /* of what is packed */
  int32_t *bound_by;             /* [num_symbols] input that bound it, or -1 */
  int64_t *slots;                /* [num_slots] */
  int64_t *output_shapes;        /* [sum of output ranks] */
  size_t *output_bytes;          /* [num_outputs] */
  const void **input_data;       /* [num_inputs] */
  void **output_data;            /* [num_outputs] */
  plm_rt_buffer *output_buffers; /* [num_outputs], for data == NULL */

  plm_rt_buffer arena;
  plm_rt_buffer packing; /* the arrays of Pack.c */
  plm_rt_texts *texts;   /* RunText.c; NULL before the first text */
};

/* Frees context->texts. */
void plm_rt_texts_free(plm_context *context);

/*===-- Steps of a run ----------------------------------------------------===*/

/* plm_run, by whoever has marked the context as busy. */
plm_status plm_rt_run(plm_context *context, const plm_tensor *inputs,
                      size_t num_inputs, plm_tensor *outputs,
                      size_t num_outputs);
/* Bytes of an element; 0 for an unknown dtype. */
size_t plm_rt_dtype_size(int32_t dtype);
const char *plm_rt_dtype_name(int32_t dtype);

/* Checks everything about the inputs but their values; fills context->dims
 * (symbols) and input_data. */
plm_status plm_rt_check_inputs(plm_context *context, const plm_tensor *inputs);
/* Of an input whose shape has been checked. */
int64_t plm_rt_count_elements(const plm_tensor *tensor);
/* Checks token ids and booleans. */
plm_status plm_rt_check_values(plm_context *context, const plm_tensor *inputs);
/* "[1, 5]" for a flat index. */
void plm_rt_format_index(char *buffer, size_t size, const plm_tensor *tensor,
                         int64_t flat);
/* Fills in batch, sequence and `most`. */
plm_status plm_rt_count_positions(plm_context *context);
/* Fills the packing arrays of the frame and the derived dimensions. */
plm_status plm_rt_pack(plm_context *context, const plm_tensor *inputs);
/* Shapes and buffers of the outputs; fills output_data and, in `outputs`,
 * dtype, rank and shape. */
plm_status plm_rt_prepare_outputs(plm_context *context, plm_tensor *outputs);

#endif /* PLMC_RUNTIME_INTERNAL_H */
