//===- Bench.h - plmc bench -------------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_BENCH_H
#define PLMC_DRIVER_BENCH_H

#include "plmc/Driver/Error.h"

namespace plmc {

struct BenchOptions {
  std::string library;
  std::vector<std::string> shapes = {"1x8", "1x128"}; // BATCHxLENGTH
  std::vector<int> threads = {1};
  double seconds = 1; // per shape and thread count
  bool json = false;
};

/// plmc bench: random ids, no padding. Prints median and least milliseconds of
/// a run, and tokens per second at the median.
llvm::Error bench(const BenchOptions &options, llvm::raw_ostream &out);

} // namespace plmc

#endif // PLMC_DRIVER_BENCH_H
