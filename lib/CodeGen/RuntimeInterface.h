//===- RuntimeInterface.h - lib/Runtime/Generated.h for the compiler ---*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_RUNTIMEINTERFACE_H
#define PLMC_LIB_CODEGEN_RUNTIMEINTERFACE_H

#include <cstdint>

namespace plmc::runtime {

/// Byte offsets in struct plm_frame.
enum FrameOffset : int64_t {
  FrameInputs = 0,
  FrameOutputs = 8,
  FrameDims = 16,
  FrameArena = 24,
  FrameSlots = 32,
  FrameWeights = 40,
  FrameRowSource = 48,
  FrameSeqStart = 56,
  FrameSeqKeys = 64,
  FrameFirstRow = 72,
  FrameError = 80,
  FrameKeep = 96,
  FrameTicks = 104,
};

/// Derived dimensions, after the input symbols.
enum DerivedDim : int64_t { DimTokens = 0, DimMaxRows = 1, NumDerivedDims = 2 };

constexpr uint32_t abiVersion = 1;

} // namespace plmc::runtime

#endif // PLMC_LIB_CODEGEN_RUNTIMEINTERFACE_H
