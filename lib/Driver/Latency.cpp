//===- Latency.cpp - How long a library takes -----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Latency.h"
#include "plmc/Driver/Error.h"
#include <algorithm>
#include <chrono>

using llvm::Error;
using llvm::Expected;
using Clock = std::chrono::steady_clock;

namespace plmc {

Expected<Latency> measureLatency(LoadedModel &model, Shape shape, int threads,
                                 double seconds) {
  Expected<std::unique_ptr<LoadedModel::Context>> context =
      model.createContext(threads);
  if (!context)
    return withCode(context.takeError(), ExitCode::Internal);
  Expected<std::vector<HostTensor>> inputs =
      acceptedInputs(model, **context, shape);
  if (!inputs)
    return inputs.takeError();
  std::vector<double> times;
  Clock::time_point start = Clock::now();
  do {
    Clock::time_point before = Clock::now();
    if (Error error = (*context)->runInPlace(*inputs))
      return withCode(std::move(error), ExitCode::Internal);
    times.push_back(
        std::chrono::duration<double, std::milli>(Clock::now() - before)
            .count());
  } while (std::chrono::duration<double>(Clock::now() - start).count() <
               seconds ||
           times.size() < 3);
  std::sort(times.begin(), times.end());
  return Latency{shape, threads, int64_t(times.size()), times[times.size() / 2],
                 times.front()};
}

Expected<double> measureQuietLatency(LoadedModel &model, Shape shape) {
  constexpr int few = 3, many = 20;
  constexpr double secondsEach = 0.1, quiet = 1.04;
  double median = 0, least = 0;
  for (int i = 0; i < many && (i < few || median > quiet * least); ++i) {
    Expected<Latency> one =
        measureLatency(model, shape, /*threads=*/1, secondsEach);
    if (!one)
      return one.takeError();
    median = i ? std::min(median, one->median) : one->median;
    least = i ? std::min(least, one->least) : one->least;
  }
  return median;
}

} // namespace plmc
