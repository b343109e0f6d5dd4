/*===- MachinePeak.c - What one core can do at best ---------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Multiply-adds in registers and bytes read. Compiled once for each level of
 * x86-64, with the name of its one function in PLMC_MEASURE; MachinePeak.cpp
 * calls the one for this CPU.
 *
 * Each loop keeps ACCS independent chains, more than latency x units of any
 * present core (4 x 2), and few enough for 16 registers. The empty asm holds
 * each chain in a register and keeps the compiler from seeing through it. The
 * best of many short stretches counts: a neighbour can only slow us down.
 *===----------------------------------------------------------------------===*/

#include "MachinePeak.h"
#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__AVX512F__)
#define WIDTH 64
#define REG "+v"
#elif defined(__AVX2__)
#define WIDTH 32
#define REG "+x"
#else
#define WIDTH 16
#define REG "+x"
#endif
#define ACCS 12
#define FOR_ACCS(i)                                                            \
  _Pragma("clang loop unroll(full)") for (int i = 0; i < ACCS; ++i)

typedef float Floats __attribute__((vector_size(WIDTH)));
typedef int32_t Ints __attribute__((vector_size(WIDTH)));

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static double seconds = 0.3; /* for each figure */

/* Defines NAME(): billions of operations a second of STEP on accumulators
 * acc[i] of TYPE, where one step is OPS operations. a and b: operands, zero,
 * but not so that the compiler could know. */
#define DEFINE_PEAK(NAME, TYPE, OPS, STEP)                                     \
  static double NAME(void) {                                                   \
    TYPE acc[ACCS], a, b;                                                      \
    memset(acc, 0, sizeof acc);                                                \
    memset(&a, 0, sizeof a);                                                   \
    memset(&b, 0, sizeof b);                                                   \
    __asm__ volatile("" : REG(a), REG(b));                                     \
    double best = 0;                                                           \
    for (double end = now() + seconds; now() < end;) {                         \
      const int steps = 20000;                                                 \
      double start = now();                                                    \
      for (int s = 0; s < steps; ++s)                                          \
        FOR_ACCS(i) {                                                          \
          acc[i] = STEP;                                                       \
          __asm__ volatile("" : REG(acc[i]));                                  \
        }                                                                      \
      double rate = (double)steps * ACCS * (OPS) / (now() - start) * 1e-9;     \
      best = rate > best ? rate : best;                                        \
    }                                                                          \
    return best;                                                               \
  }

/* One instruction where the CPU has it (-ffp-contract=fast). */
DEFINE_PEAK(peakF32, Floats, WIDTH / 4 * 2, acc[i] + a * b)

#if defined(__AVX512BF16__)
DEFINE_PEAK(peakBf16, __m512, 64,
            _mm512_dpbf16_ps(acc[i], (__m512bh)a, (__m512bh)b))
#endif
#if defined(__AVX512VNNI__)
DEFINE_PEAK(peakInt8, __m512i, 128, _mm512_dpbusd_epi32(acc[i], a, b))
#elif defined(__AVXVNNI__)
DEFINE_PEAK(peakInt8, __m256i, 64, _mm256_dpbusd_avx_epi32(acc[i], a, b))
#elif defined(__AVX2__)
/* Three instructions for what VNNI does in one. */
DEFINE_PEAK(peakInt8, __m256i, 64,
            _mm256_add_epi32(acc[i],
                             _mm256_madd_epi16(_mm256_maddubs_epi16(a, acc[i]),
                                               b)))
#endif

/* GB/s of reading `bytes` over and over. */
static double readRate(const char *data, size_t bytes) {
  const size_t step = 8 * WIDTH;
  double best = 0;
  for (double end = now() + seconds; now() < end;) {
    size_t read = 0;
    double start = now();
    do {
      Ints acc[8];
      memset(acc, 0, sizeof acc);
      for (size_t at = 0; at + step <= bytes; at += step)
        _Pragma("clang loop unroll(full)") for (int i = 0; i < 8; ++i) acc[i] |=
            *(const Ints *)(data + at + i * WIDTH);
      for (int i = 0; i < 8; ++i)
        __asm__ volatile("" : REG(acc[i]));
      read += bytes;
    } while (read < (size_t)16 << 20);
    double rate = read / (now() - start) * 1e-9;
    best = rate > best ? rate : best;
  }
  return best;
}

int PLMC_MEASURE(double secondsEach, plmc_peak *peak) {
  seconds = secondsEach;
  const size_t megabyte = (size_t)1 << 20, most = 256 * megabyte;
  char *data = aligned_alloc(4096, most);
  if (!data)
    return 0;
  memset(data, 1, most);
  memset(peak, 0, sizeof *peak);
  peak->width = WIDTH * 8;
  peak->f32 = peakF32();
#if defined(__AVX512BF16__)
  peak->bf16 = peakBf16();
#endif
#if defined(__AVX2__)
  peak->int8 = peakInt8();
#endif
  peak->read256KB = readRate(data, megabyte / 4);
  peak->read4MB = readRate(data, 4 * megabyte);
  peak->read256MB = readRate(data, most);
  free(data);
  return 1;
}
