//===- CodePlanes.h - Rows of 2- to 4-bit codes -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A table is read row by row, a vector of neighbouring columns at a time. So
// what a load of up to 16 bytes brings has to become neighbours by one shift:
// byte i of 16 holds values i, i + 16, i + 32, ...
//
//     4 bits:  32 values in 16 bytes, value i in byte i % 16, bits 4 (i / 16)
//     2 bits:  64 values in 16 bytes, value i in byte i % 16, bits 2 (i / 16)
//     1 bit:  128 values in 16 bytes, value i in byte i % 16, bit i / 16
//
// Such a run of 16 bytes is a chunk; chunks of one kind that make up a row are
// a plane. 3 bits are a plane of the low two, and behind it a plane of the
// third. Only the last chunk of a plane may have room to spare.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DIALECT_PLK_CODEPLANES_H
#define PLMC_DIALECT_PLK_CODEPLANES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/MathExtras.h"
#include <cstdint>

namespace plmc::plk {

/// `bits` bits of every code of a row, from bit `shift` on.
struct CodePlane {
  static constexpr int64_t chunkBytes = 16;
  int64_t shift, bits;
  /// Codes of a chunk.
  int64_t chunkSize() const { return chunkBytes * 8 / bits; }
  int64_t bytes(int64_t width) const {
    return llvm::divideCeil(width, chunkSize()) * chunkBytes;
  }
};

/// The planes of codes of `bits` bits, 2 to 4, in the order in which they
/// lie in a row.
inline llvm::ArrayRef<CodePlane> codePlanes(int64_t bits) {
  static constexpr CodePlane of4[] = {{0, 4}}, of3[] = {{0, 2}, {2, 1}},
                             of2[] = {{0, 2}};
  if (bits == 2)
    return of2;
  return bits == 3 ? llvm::ArrayRef(of3) : llvm::ArrayRef(of4);
}

inline int64_t codeRowBytes(int64_t width, int64_t bits) {
  int64_t bytes = 0;
  for (const CodePlane &plane : codePlanes(bits))
    bytes += plane.bytes(width);
  return bytes;
}

} // namespace plmc::plk

#endif // PLMC_DIALECT_PLK_CODEPLANES_H
