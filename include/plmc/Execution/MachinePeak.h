//===- MachinePeak.h - What one core can do at best -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EXECUTION_MACHINEPEAK_H
#define PLMC_EXECUTION_MACHINEPEAK_H

#include "llvm/Support/Error.h"

namespace plmc {

/// Of one core of this machine. A multiplication and an addition are two
/// operations.
struct MachinePeak {
  int width = 0; // bits of the vectors used
  /// GFLOP/s or GOP/s; 0: this CPU has no instruction for it.
  double f32 = 0, bf16 = 0, int8 = 0;
  /// GB/s of reading this much over and over.
  double read256KB = 0, read4MB = 0, read256MB = 0;
};

/// Takes six times `secondsEach`. An error on other CPUs than x86-64 and where
/// 256 MB of memory are not to be had.
llvm::Expected<MachinePeak> measurePeak(double secondsEach);

} // namespace plmc

#endif // PLMC_EXECUTION_MACHINEPEAK_H
