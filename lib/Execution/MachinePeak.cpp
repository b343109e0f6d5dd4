//===- MachinePeak.cpp - What one core can do at best -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Execution/MachinePeak.h"
#include "MachinePeak.h"

using namespace plmc;

llvm::Expected<MachinePeak> plmc::measurePeak(double secondsEach) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  auto measure = plmc_measure_v2;
  if (__builtin_cpu_supports("x86-64-v4"))
    measure = __builtin_cpu_supports("avx512vnni") &&
                      __builtin_cpu_supports("avx512bf16")
                  ? plmc_measure_v4_dot
                  : plmc_measure_v4;
  else if (__builtin_cpu_supports("x86-64-v3"))
    measure = plmc_measure_v3;
  plmc_peak found;
  if (!measure(secondsEach, &found))
    return llvm::createStringError(
        "not enough memory to measure its speed: 256 MB are needed");
  return MachinePeak{found.width,     found.f32,     found.bf16,     found.int8,
                     found.read256KB, found.read4MB, found.read256MB};
#else
  (void)secondsEach;
  return llvm::createStringError("the machine's peak is measured on x86-64");
#endif
}
