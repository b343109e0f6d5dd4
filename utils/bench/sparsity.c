/*===- sparsity.c - Is 2:4 sparsity faster than dense int8? -------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 *   clang -O3 -march=native utils/bench/sparsity.c -o sparsity && ./sparsity
 *
 * Of each four weights of an output in a row two are zero (2:4). CPUs have no
 * instruction for it, but a register of weights may hold the two that are not,
 * from eight columns instead of four, and a shuffle picks their inputs: half of
 * the vpdpbusd, and a vpshufb for each of the rest. Register tiles in C as they
 * are in a library, for AVX-512 with VNNI; weights and inputs at random.
 *
 *   dense   what a library has
 *   bytes   where to pick from is a byte a weight: in all, as many as dense
 *   packed  it is two bits a weight, unpacked for each tile: 5/8 of dense
 *
 * passes/Pruning/README.md has what came out.
 *===----------------------------------------------------------------------===*/

#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 6, PANEL = 4, LANES = 16 }; /* a tile: 6 rows, 64 outputs */

typedef struct {
  const uint8_t *inputs;   /* [ROWS, k] */
  const int8_t *weights;   /* by steps of 4 or 8 columns, PANEL registers each */
  const uint8_t *places;   /* of weights within their 8 columns */
  int32_t *outputs;
  int64_t k, stride;
} tile;

static void store(const tile *t, __m512i sums[ROWS][PANEL]) {
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < PANEL; j++)
      _mm512_storeu_si512(t->outputs + i * t->stride + j * LANES, sums[i][j]);
}

__attribute__((noinline)) static void dense(const tile *t) {
  __m512i sums[ROWS][PANEL] = {0};
  for (int64_t k = 0; k < t->k; k += 4) {
    __m512i w[PANEL];
    for (int j = 0; j < PANEL; j++)
      w[j] = _mm512_loadu_si512(t->weights + (k / 4 * PANEL + j) * 64);
    for (int i = 0; i < ROWS; i++) {
      int32_t four;
      memcpy(&four, t->inputs + i * t->k + k, 4);
      __m512i x = _mm512_set1_epi32(four);
      for (int j = 0; j < PANEL; j++)
        sums[i][j] = _mm512_dpbusd_epi32(sums[i][j], x, w[j]);
    }
  }
  store(t, sums);
}

/* Two bits a weight, a byte an output: to a byte a weight, the last two of them
 * from the second four columns. */
static __m512i unpack(const uint8_t *places) {
  __m512i d = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)places));
  d = _mm512_or_si512(d, _mm512_slli_epi32(d, 12));
  d = _mm512_or_si512(d, _mm512_slli_epi32(d, 6));
  d = _mm512_and_si512(d, _mm512_set1_epi32(0x03030303));
  return _mm512_or_si512(d, _mm512_set1_epi32(0x04040000));
}

static inline __attribute__((always_inline)) void sparse(const tile *t,
                                                         int packed) {
  __m512i sums[ROWS][PANEL] = {0};
  for (int64_t k = 0; k < t->k; k += 8) {
    __m512i w[PANEL], places[PANEL];
    for (int j = 0; j < PANEL; j++) {
      int64_t at = k / 8 * PANEL + j;
      w[j] = _mm512_loadu_si512(t->weights + at * 64);
      places[j] = packed ? unpack(t->places + at * 16)
                         : _mm512_loadu_si512(t->places + at * 64);
    }
    for (int i = 0; i < ROWS; i++) {
      int64_t eight;
      memcpy(&eight, t->inputs + i * t->k + k, 8);
      __m512i x = _mm512_set1_epi64(eight);
      for (int j = 0; j < PANEL; j++)
        sums[i][j] = _mm512_dpbusd_epi32(
            sums[i][j], _mm512_shuffle_epi8(x, places[j]), w[j]);
    }
  }
  store(t, sums);
}

__attribute__((noinline)) static void bytes(const tile *t) { sparse(t, 0); }
__attribute__((noinline)) static void packed(const tile *t) { sparse(t, 1); }

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *randomBytes(size_t size, unsigned most) {
  uint8_t *data = malloc(size);
  if (!data)
    exit(1);
  for (size_t i = 0; i < size; i++)
    data[i] = (uint8_t)((unsigned)rand() % most);
  return data;
}

static void measure(int64_t m, int64_t k, int64_t n) {
  static void (*const kernels[3])(const tile *) = {dense, bytes, packed};
  static const int64_t share[3] = {1, 2, 2}, places[3] = {1, 2, 8};
  uint8_t *inputs = randomBytes((size_t)(m * k), 256);
  int8_t *weights = randomBytes((size_t)(n * k), 256);
  uint8_t *where = randomBytes((size_t)(n * k), 8);
  int32_t *outputs = malloc((size_t)(m * n) * sizeof(int32_t));
  double least[3] = {1e9, 1e9, 1e9};
  int repeats = 1 + (int)(2e8 / (double)(m * n * k));
  for (int round = 0; round < 50; round++)
    for (int kind = 0; kind < 3; kind++) {
      double start = now();
      for (int r = 0; r < repeats; r++)
        for (int64_t column = 0; column < n; column += PANEL * LANES)
          for (int64_t row = 0; row < m; row += ROWS) {
            tile t = {inputs + row * k, weights + column * k / share[kind],
                      where + column * k / places[kind],
                      outputs + row * n + column, k, n};
            kernels[kind](&t);
          }
      double time = (now() - start) / repeats;
      if (time < least[kind])
        least[kind] = time;
    }
  printf("| %lld | %lld x %lld | %.1f | %.1f | %.2f | %.1f | %.2f |\n",
         (long long)m, (long long)k, (long long)n, least[0] * 1e6,
         least[1] * 1e6, least[0] / least[1], least[2] * 1e6,
         least[0] / least[2]);
  free(inputs);
  free(weights);
  free(where);
  free(outputs);
}

int main(void) {
  if (!__builtin_cpu_supports("avx512vnni")) {
    fprintf(stderr, "sparsity: this CPU has no AVX-512 VNNI\n");
    return 1;
  }
  printf("| rows | weight | dense, us | bytes, us | ratio | packed, us | ratio |\n"
         "|--:|---|--:|--:|--:|--:|--:|\n");
  static const int64_t weights[][2] = {
      {384, 384}, {384, 1536}, {1536, 384}, {768, 3072}};
  for (int w = 0; w < 4; w++)
    for (int64_t m = 6; m <= 126; m *= 21)
      measure(m, weights[w][0], weights[w][1]);
  return 0;
}
