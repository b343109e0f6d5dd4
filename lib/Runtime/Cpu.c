/*===- Cpu.c - What this CPU offers -------------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Runs before anything that was compiled for the model's CPU, so the runtime
 * itself is compiled for baseline x86-64.
 *
 * A feature counts only if the operating system saves its registers: cpuid
 * says what the silicon can do, xgetbv what the kernel has switched on.
 *
 * The registers of AMX are 8 KB, so Linux (since 5.16) gives them only to a
 * process that asks, once for all its threads, present and future. We ask where
 * it matters alone: the CPU has AMX and the library code for it. A kernel that
 * refuses (a signal stack is too small for the registers) leaves the other
 * variants.
 *===----------------------------------------------------------------------===*/

#include "Internal.h"

typedef struct feature_name {
  uint64_t bit;
  const char *name;
} feature_name;

/* In the order of the levels that bring them. */
static const feature_name feature_names[] = {
    {PLM_CPU_SSE42, "sse4.2"},
    {PLM_CPU_POPCNT, "popcnt"},
    {PLM_CPU_AVX, "avx"},
    {PLM_CPU_AVX2, "avx2"},
    {PLM_CPU_FMA, "fma"},
    {PLM_CPU_F16C, "f16c"},
    {PLM_CPU_BMI2, "bmi2"},
    {PLM_CPU_AVX512F, "avx512f"},
    {PLM_CPU_AVX512BW, "avx512bw"},
    {PLM_CPU_AVX512CD, "avx512cd"},
    {PLM_CPU_AVX512DQ, "avx512dq"},
    {PLM_CPU_AVX512VL, "avx512vl"},
    {PLM_CPU_AVX512VNNI, "avx512vnni"},
    {PLM_CPU_AVX512BF16, "avx512bf16"},
    {PLM_CPU_AVXVNNI, "avxvnni"},
    {PLM_CPU_AMX_TILE, "amx-tile"},
    {PLM_CPU_AMX_INT8, "amx-int8"},
    {PLM_CPU_AMX_BF16, "amx-bf16"},
};
#define NUM_FEATURES (sizeof(feature_names) / sizeof(feature_names[0]))

#define AMX ((uint64_t)(PLM_CPU_AMX_TILE | PLM_CPU_AMX_INT8 | PLM_CPU_AMX_BF16))
#define LEVEL_2 ((uint64_t)(PLM_CPU_SSE42 | PLM_CPU_POPCNT))
#define LEVEL_3                                                                \
  (LEVEL_2 | PLM_CPU_AVX | PLM_CPU_AVX2 | PLM_CPU_FMA | PLM_CPU_F16C |         \
   PLM_CPU_BMI2)
#define LEVEL_4                                                                \
  (LEVEL_3 | PLM_CPU_AVX512F | PLM_CPU_AVX512BW | PLM_CPU_AVX512CD |           \
   PLM_CPU_AVX512DQ | PLM_CPU_AVX512VL)

#if defined(__x86_64__)

typedef struct cpuid_result {
  uint32_t a, b, c, d;
} cpuid_result;

static cpuid_result cpuid(uint32_t leaf, uint32_t subleaf) {
  cpuid_result r;
  __asm__ volatile("cpuid"
                   : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
                   : "a"(leaf), "c"(subleaf));
  return r;
}

static uint64_t enabled_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

static uint64_t bit_if(uint32_t word, int position, uint64_t bit) {
  return word >> position & 1 ? bit : 0;
}

uint64_t plm_rt_cpu_features(void) {
  uint32_t leaves = cpuid(0, 0).a;
  cpuid_result one = cpuid(1, 0);
  uint64_t found =
      bit_if(one.c, 20, PLM_CPU_SSE42) | bit_if(one.c, 23, PLM_CPU_POPCNT);

  bool osxsave = one.c >> 27 & 1;
  uint64_t state = osxsave ? enabled_state() : 0;
  bool has_ymm = (state & 0x06) == 0x06; /* XMM and the upper halves */
  bool has_zmm = has_ymm && (state & 0xe0) == 0xe0;         /* opmask, ZMM */
  bool has_tiles = has_zmm && (state & 0x60000) == 0x60000; /* shapes, data */

  cpuid_result seven = {0, 0, 0, 0}, seven_one = {0, 0, 0, 0};
  if (leaves >= 7) {
    seven = cpuid(7, 0);
    if (seven.a >= 1)
      seven_one = cpuid(7, 1);
  }
  uint32_t extended = cpuid(0x80000000u, 0).a;
  bool lzcnt =
      extended >= 0x80000001u && (cpuid(0x80000001u, 0).c >> 5 & 1) != 0;
  bool bmi1 = seven.b >> 3 & 1;
  if (bmi1 && lzcnt)
    found |= bit_if(seven.b, 8, PLM_CPU_BMI2);
  if (has_ymm)
    found |= bit_if(one.c, 28, PLM_CPU_AVX) | bit_if(one.c, 12, PLM_CPU_FMA) |
             bit_if(one.c, 29, PLM_CPU_F16C) |
             bit_if(seven.b, 5, PLM_CPU_AVX2) |
             bit_if(seven_one.a, 4, PLM_CPU_AVXVNNI);
  if (has_zmm)
    found |= bit_if(seven.b, 16, PLM_CPU_AVX512F) |
             bit_if(seven.b, 17, PLM_CPU_AVX512DQ) |
             bit_if(seven.b, 28, PLM_CPU_AVX512CD) |
             bit_if(seven.b, 30, PLM_CPU_AVX512BW) |
             bit_if(seven.b, 31, PLM_CPU_AVX512VL) |
             bit_if(seven.c, 11, PLM_CPU_AVX512VNNI) |
             bit_if(seven_one.a, 5, PLM_CPU_AVX512BF16);
  if (has_tiles)
    found |= bit_if(seven.d, 24, PLM_CPU_AMX_TILE) |
             bit_if(seven.d, 25, PLM_CPU_AMX_INT8) |
             bit_if(seven.d, 22, PLM_CPU_AMX_BF16);
  return found;
}

bool plm_rt_ask_for_tiles(void) {
  enum { SYS_ARCH_PRCTL = 158, ARCH_REQ_XCOMP_PERM = 0x1023, TILE_DATA = 18 };
  return syscall(SYS_ARCH_PRCTL, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0;
}

#else

uint64_t plm_rt_cpu_features(void) { return 0; }
bool plm_rt_ask_for_tiles(void) { return false; }

#endif

static const char *best_level(uint64_t available) {
  if ((available & LEVEL_4) == LEVEL_4)
    return "x86-64-v4";
  if ((available & LEVEL_3) == LEVEL_3)
    return "x86-64-v3";
  if ((available & LEVEL_2) == LEVEL_2)
    return "x86-64-v2";
  return "x86-64";
}

/* For want of what `variant` needs beyond `available`. */
static void refuse(const plm_gen_variant *variant, uint64_t available,
                   plm_rt_message *message) {
  uint64_t missing = variant->cpu_features & ~available;
  char list[256] = "";
  size_t length = 0;
  for (size_t i = 0; i < NUM_FEATURES; ++i)
    if (missing & feature_names[i].bit) {
      length = plm_rt_append(list, sizeof(list), length, "%s%s",
                             length ? ", " : "", feature_names[i].name);
      missing &= ~feature_names[i].bit;
    }
  if (missing) /* a library newer than this table */
    plm_rt_append(list, sizeof(list), length, "%sfeature bits %#llx",
                  length ? ", " : "", (unsigned long long)missing);
  plm_rt_fail(message, PLM_ERROR_CPU,
              "this library was compiled for %s; this CPU lacks %s: recompile "
              "with plmc --cpu=%s or native",
              variant->cpu_name ? variant->cpu_name : "another CPU", list,
              best_level(available));
}

static bool equal(const char *a, const char *b) {
  while (*a && *a == *b)
    ++a, ++b;
  return *a == *b;
}

uint64_t plm_rt_granted_features(const plm_gen_model *model, uint64_t found,
                                 const char *wanted, bool (*ask)(void)) {
  if (!(found & AMX))
    return found;
  for (uint32_t i = 0; i < model->num_variants; ++i) {
    const plm_gen_variant *variant = &model->variants[i];
    if (variant->cpu_features & AMX && !(variant->cpu_features & ~found) &&
        (!wanted || !*wanted || equal(wanted, variant->cpu_name)))
      return ask() ? found : found & ~AMX;
  }
  return found;
}

const plm_gen_variant *plm_rt_choose_variant(const plm_gen_model *model,
                                             uint64_t available,
                                             const char *wanted,
                                             plm_rt_message *message) {
  const plm_gen_variant *last = NULL;
  for (uint32_t i = 0; i < model->num_variants; ++i) {
    const plm_gen_variant *variant = &model->variants[i];
    if (wanted && *wanted && !equal(wanted, variant->cpu_name))
      continue;
    if (!(variant->cpu_features & ~available))
      return variant;
    last = variant;
  }
  if (last)
    refuse(last, available, message);
  else
    plm_rt_fail(message, PLM_ERROR_CPU,
                "PLM_CPU is '%s', for which this library has no code: unset it "
                "or use one of the names in its description",
                wanted ? wanted : "");
  return NULL;
}
