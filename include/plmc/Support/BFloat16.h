//===- BFloat16.h - The upper half of a float -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_BFLOAT16_H
#define PLMC_SUPPORT_BFLOAT16_H

#include <cmath>
#include <cstdint>
#include <cstring>

namespace plmc {

/// The nearest bfloat16, ties to even; a quiet NaN for any NaN.
inline uint16_t floatToBF16(float value) {
  if (std::isnan(value))
    return 0x7fc0;
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// `value` with the digits of a bfloat16.
inline float roundToBF16(float value) {
  uint32_t bits = uint32_t(floatToBF16(value)) << 16;
  std::memcpy(&value, &bits, 4);
  return value;
}

/// Whether a bfloat16 holds it exactly.
inline bool isBF16(float value) { return roundToBF16(value) == value; }

} // namespace plmc

#endif // PLMC_SUPPORT_BFLOAT16_H
