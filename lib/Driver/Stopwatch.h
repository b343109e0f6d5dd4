//===- Stopwatch.h - Adds up time -------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_STOPWATCH_H
#define PLMC_LIB_DRIVER_STOPWATCH_H

#include <chrono>

namespace plmc {

/// Adds the time while it lives, in seconds.
class Stopwatch {
public:
  explicit Stopwatch(double &sum) : sum(sum) {}
  ~Stopwatch() {
    sum += std::chrono::duration<double>(Clock::now() - start).count();
  }

private:
  using Clock = std::chrono::steady_clock;
  double &sum;
  Clock::time_point start = Clock::now();
};

} // namespace plmc

#endif // PLMC_LIB_DRIVER_STOPWATCH_H
