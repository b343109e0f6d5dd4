//===- NearestEntry.cpp - The nearest of up to 256 points -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Nearly all of the pass's time: points x entries x size. |x - c|^2 less |x|^2
// is |c|^2 - 2 x c; eight entries are compared at once. plmc runs on any
// x86-64, so there is a second version for AVX2. It has no fused multiply-add,
// so that both round alike, and the codes do not depend on the machine.
//
//===----------------------------------------------------------------------===//

#include "NearestEntry.h"
#include "llvm/Support/MathExtras.h"
#include <cstring>
#include <limits>

using namespace plmc;

typedef float Floats __attribute__((vector_size(32)));
typedef int32_t Ints __attribute__((vector_size(32)));

NearestEntry::NearestEntry(llvm::ArrayRef<float> entries, int64_t size)
    : size(size) {
  int64_t count = entries.size() / size;
  vectors = llvm::divideCeil(count, 8);
  int64_t width = vectors * 8;
  columns.assign((1 + size) * width, 0);
  for (int64_t c = 0; c < width; ++c) {
    if (c >= count) {
      columns[c] = std::numeric_limits<float>::infinity();
      continue;
    }
    for (int64_t d = 0; d < size; ++d) {
      float value = entries[c * size + d];
      columns[c] += value * value;
      columns[(1 + d) * width + c] = -2 * value;
    }
  }
}

namespace {
/// A size that is known when this is compiled (or 0) lets the loop be unrolled.
template <int64_t fixedSize>
[[gnu::always_inline]] inline void
search(const float *columns, int64_t vectors, int64_t anySize,
       const float *points, int64_t count, uint8_t *codes, float *distances) {
  const int64_t size = fixedSize ? fixedSize : anySize;
  for (int64_t i = 0; i < count; ++i) {
    const float *point = points + i * size;
    Floats best;
    Ints bestVector = {};
    for (int lane = 0; lane < 8; ++lane)
      best[lane] = std::numeric_limits<float>::infinity();
    for (int64_t v = 0; v < vectors; ++v) {
      Floats distance, column;
      std::memcpy(&distance, columns + v * 8, sizeof(Floats));
      for (int64_t d = 0; d < size; ++d) {
        std::memcpy(&column, columns + ((1 + d) * vectors + v) * 8,
                    sizeof(Floats));
        distance += column * point[d];
      }
      Ints nearer = distance < best;
      best = nearer ? distance : best;
      bestVector = nearer ? Ints{} + int32_t(v) : bestVector;
    }
    float least = best[0];
    int32_t code = bestVector[0] * 8;
    for (int lane = 1; lane < 8; ++lane) {
      int32_t other = bestVector[lane] * 8 + lane;
      if (best[lane] < least || (best[lane] == least && other < code)) {
        least = best[lane];
        code = other;
      }
    }
    codes[i] = uint8_t(code);
    if (distances)
      distances[i] = least;
  }
}

using Search = void (*)(const float *, int64_t, int64_t, const float *, int64_t,
                        uint8_t *, float *);

template <int64_t fixedSize>
void searchBaseline(const float *columns, int64_t vectors, int64_t size,
                    const float *points, int64_t count, uint8_t *codes,
                    float *distances) {
  search<fixedSize>(columns, vectors, size, points, count, codes, distances);
}

template <int64_t fixedSize>
[[gnu::target("avx2")]] void searchAVX2(const float *columns, int64_t vectors,
                                        int64_t size, const float *points,
                                        int64_t count, uint8_t *codes,
                                        float *distances) {
  search<fixedSize>(columns, vectors, size, points, count, codes, distances);
}

Search choose(int64_t size) {
  bool avx2 = __builtin_cpu_supports("avx2");
  switch (size) {
  case 2:
    return avx2 ? searchAVX2<2> : searchBaseline<2>;
  case 4:
    return avx2 ? searchAVX2<4> : searchBaseline<4>;
  case 8:
    return avx2 ? searchAVX2<8> : searchBaseline<8>;
  default:
    return avx2 ? searchAVX2<0> : searchBaseline<0>;
  }
}
} // namespace

void NearestEntry::find(llvm::ArrayRef<float> points, uint8_t *codes,
                        float *distances) const {
  choose(size)(columns.data(), vectors, size, points.data(),
               points.size() / size, codes, distances);
}
