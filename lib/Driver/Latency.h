//===- Latency.h - How long a library takes ---------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_LATENCY_H
#define PLMC_LIB_DRIVER_LATENCY_H

#include "ShapeInputs.h"

namespace plmc {

struct Latency {
  Shape shape;
  int threads;
  int64_t runs;
  double median, least; // milliseconds
  double tokensPerSecond() const {
    return shape.batch * shape.sequence / (median / 1000);
  }
};

/// Runs random ids without padding for so long, at least three times after one
/// to warm up.
llvm::Expected<Latency> measureLatency(LoadedModel &model, Shape shape,
                                       int threads, double seconds);

/// Milliseconds of a run with one thread while nothing else disturbs it: the
/// least median of several short times, more of them while runs differ much. A
/// search compares models that it times minutes apart.
llvm::Expected<double> measureQuietLatency(LoadedModel &model, Shape shape);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_LATENCY_H
