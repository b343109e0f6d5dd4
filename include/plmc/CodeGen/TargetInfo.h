//===- TargetInfo.h - What a target can do ----------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CODEGEN_TARGETINFO_H
#define PLMC_CODEGEN_TARGETINFO_H

#include <cstdint>
#include <string>
#include <vector>

namespace plmc {

/// All that kernel generators know of the machine. A new target fills one in.
struct TargetInfo {
  std::string triple;
  std::string cpu;          // for LLVM: -mcpu
  std::string features;     // for LLVM: -mattr, "+avx2,+fma,..."
  std::string name;         // for people: "x86-64-v3"
  uint64_t featureBits = 0; // PLM_CPU_* (lib/Runtime/Generated.h)

  /// f32 lanes of a vector register.
  int64_t lanes = 8;
  /// Register tile of a matrix product: rows x (panelVectors * lanes). The
  /// accumulators, one weight row and one broadcast must fit the registers.
  int64_t tileRows = 6;
  int64_t panelVectors = 2;

  /// Instructions of AVX-512 that LLVM does not find by itself may be asked
  /// for, on whole vectors.
  bool avx512 = false;
  /// There is an instruction, on whole vectors, for sums of products of 8-bit
  /// integers (vpdpbusd) and of bfloat16 (vdpbf16ps).
  bool dotInt8 = false, dotBF16 = false;
  /// There are matrix registers of 16 rows of 64 bytes, and products of them
  /// (Intel AMX: tdpbsud, tdpbf16ps). Only where dotInt8 and dotBF16 are, too.
  bool amxInt8 = false, amxBF16 = false;
  bool hasTiles() const { return amxInt8 || amxBF16; }

  int64_t panelWidth() const { return panelVectors * lanes; }
};

} // namespace plmc

#endif // PLMC_CODEGEN_TARGETINFO_H
