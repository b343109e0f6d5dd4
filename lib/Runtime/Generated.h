/*===- Generated.h - Between the runtime and generated code --------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The runtime (C, this folder) validates, packs, plans and owns memory and
 * threads. Generated code computes. They meet in the two structures below,
 * whose layout lib/CodeGen/RuntimeInterface.h repeats for the compiler; a
 * change here is a change there.
 *
 * Order of one run:
 *   1. the runtime checks dtypes and ranks and binds dimension symbols;
 *   2. model->check tests the constraints on the symbols;
 *   3. token ids and mask values are checked;
 *   4. a mask that the model computes from its inputs is computed: the arena is
 *      laid out for a mask that keeps everything, and every thread calls
 *      variant->mask(frame, thread, threads);
 *   5. the mask becomes a list of live rows ("packing": see Pack.c), which
 * gives the derived dimensions;
 *   6. model->plan lays out the arena, unless step 4 has left values in it; the
 *      arena grows if it must;
 *   7. every thread calls variant->run(frame, thread, threads).
 *===----------------------------------------------------------------------===*/

#ifndef PLMC_RUNTIME_GENERATED_H
#define PLMC_RUNTIME_GENERATED_H

#include <stdint.h>

/* What a run hands to generated code. Offsets are part of the interface. */
typedef struct plm_frame {
  const void *const *inputs; /*  0: data of each input */
  void *const *outputs;      /*  8: data of each output */
  const int64_t *dims;       /* 16: symbols, then the derived dimensions */
  char *arena;               /* 24: 64-byte aligned */
  const int64_t *slots;      /* 32: byte offset in the arena of each slot */
  const char *weights;       /* 40: the weight section */
  const int32_t *row_source; /* 48: [tokens] packed row -> b * sequence + s */
  const int32_t *seq_start;  /* 56: [batch + 1] first packed row */
  const int32_t *seq_keys;   /* 64: [batch] rows that may be attended to;
                                    they come first in their sequence */
  const int32_t *first_row;  /* 72: [batch] packed row of position 0, or -1 */
  int64_t error;             /* 80: 0, or 1 + the number of the index check
                                    that failed (stored atomically) */
  void *barrier;             /* 88: the runtime's, opaque */
  const uint8_t *keep;       /* 96: [batch * sequence] the computed mask, where
                                    variant->mask has left it */
  uint64_t *ticks;           /* 104: [1 + num_steps] or NULL: run() leaves the
                                     last time stamp in the first and adds
                                     what step i has taken to 1 + i */
} plm_frame;

/* Derived dimensions follow the num_symbols input symbols in frame->dims. */
enum {
  PLM_DIM_TOKENS = 0,   /* packed rows of the whole batch */
  PLM_DIM_MAX_ROWS = 1, /* packed rows of the longest sequence */
  PLM_NUM_DERIVED_DIMS = 2
};

typedef struct plm_gen_tensor {
  const char *name;
  int32_t dtype; /* plm_dtype */
  int32_t rank;
  /* Inputs only: [rank]; v >= 0 is a fixed size, v < 0 is symbol -(v + 1). */
  const int64_t *dims;
} plm_gen_tensor;

/* All values of integer input `input` must lie in [0, limit). */
typedef struct plm_gen_id_check {
  int32_t input;
  int32_t reserved;
  int64_t limit;
} plm_gen_id_check;

enum {
  PLM_PACK_NONE = 0,          /* no packing arrays are needed */
  PLM_PACK_ALL = 1,           /* every position is a row; kept ones are keys */
  PLM_PACK_KEPT = 2,          /* kept positions only */
  PLM_PACK_KEPT_AND_FIRST = 3 /* and position 0, as a non-key if masked */
};

/* The code for one kind of CPU. A library may hold several; they share the
 * weights, whose layout serves all of them. */
typedef struct plm_gen_variant {
  uint64_t cpu_features; /*  0: bits of enum plm_cpu_feature that it needs */
  const char *cpu_name;  /*  8: e.g. "x86-64-v3" */
  /* Computes the keep mask and stores frame->keep; NULL if there is no need. */
  void (*mask)(plm_frame *frame, int64_t thread, int64_t threads); /* 16 */
  void (*run)(plm_frame *frame, int64_t thread, int64_t threads);  /* 24 */
} plm_gen_variant;

typedef struct plm_gen_model {
  uint32_t abi_version;         /*  0 */
  uint32_t num_inputs;          /*  4 */
  uint32_t num_outputs;         /*  8 */
  uint32_t num_symbols;         /* 12 */
  uint32_t num_slots;           /* 16 */
  uint32_t num_id_checks;       /* 20 */
  int32_t pack_mode;            /* 24 */
  int32_t mask_input;           /* 28: input whose elements, in their order, are
                                       the keep mask [B, S], or -1 */
  uint32_t num_variants;        /* 32 */
  uint32_t num_steps;           /* 36: of run(), see plm_frame.ticks */
  const plm_gen_tensor *inputs; /* 40 */
  const plm_gen_tensor *outputs;           /* 48: dims unused */
  const char *const *symbol_names;         /* 56: [num_symbols] */
  const char *description;                 /* 64: JSON */
  const plm_gen_variant *variants;         /* 72: the best one first */
  const plm_gen_id_check *id_checks;       /* 80 */
  const char *const *constraint_messages;  /* 88 */
  const char *const *index_check_messages; /* 96 */
  const char *weights;                     /* 104 */
  /* Index of the first violated constraint, or -1. `dims`: symbols only. */
  int32_t (*check)(const int64_t *dims); /* 112 */
  /* Slot offsets and the size of the arena in bytes; -1 on overflow. */
  int64_t (*plan)(const int64_t *dims, int64_t threads,
                  int64_t *slots); /* 120 */
  /* Shapes of all outputs, one after the other. */
  void (*output_dims)(const int64_t *dims, int64_t *shapes); /* 128 */
  /* B and S, the number and the length of the sequences that are packed. */
  void (*token_dims)(const int64_t *dims, int64_t *sizes); /* 136: [2] */
  /* An image (TokenizeImage.h), or NULL. */
  const char *tokenizer;  /* 144 */
  int64_t tokenizer_size; /* 152 */
} plm_gen_model;

/* CPU features that generated code may rely on. */
enum plm_cpu_feature {
  PLM_CPU_SSE42 = 1 << 0,
  PLM_CPU_POPCNT = 1 << 1,
  PLM_CPU_AVX = 1 << 2,
  PLM_CPU_AVX2 = 1 << 3,
  PLM_CPU_FMA = 1 << 4,
  PLM_CPU_F16C = 1 << 5,
  PLM_CPU_BMI2 = 1 << 6, /* with BMI1 and LZCNT */
  PLM_CPU_AVX512F = 1 << 7,
  PLM_CPU_AVX512BW = 1 << 8,
  PLM_CPU_AVX512CD = 1 << 9,
  PLM_CPU_AVX512DQ = 1 << 10,
  PLM_CPU_AVX512VL = 1 << 11,
  PLM_CPU_AVX512VNNI = 1 << 12,
  PLM_CPU_AVX512BF16 = 1 << 13,
  PLM_CPU_AVXVNNI = 1 << 14,
  PLM_CPU_AMX_TILE = 1 << 15, /* and the process may use them */
  PLM_CPU_AMX_INT8 = 1 << 16,
  PLM_CPU_AMX_BF16 = 1 << 17
};

/* Emitted by the compiler; hidden in the library. */
extern const plm_gen_model plm_generated;

/* Called by generated code between steps that depend on one another. */
void plm_rt_barrier(plm_frame *frame, int64_t threads);

#endif /* PLMC_RUNTIME_GENERATED_H */
