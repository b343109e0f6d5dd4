//===- Counters.h - What a pass did, in numbers -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mlir::Statistic counts nothing in the packaged MLIR (built with NDEBUG and
// without LLVM_ENABLE_STATS) and has another size in a Debug build, so passes
// report through this instead:
//
//   addCounter(getOperation(), getArgument(), "parameters removed", n);
//
// Whoever runs the passes installs a CounterSink for the context and reads it
// afterwards; without one, counters are dropped. `plmc-opt --plmc-counters`
// prints every counter to stderr as it is added.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_COUNTERS_H
#define PLMC_SUPPORT_COUNTERS_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <string>
#include <vector>

namespace mlir {
class MLIRContext;
class Operation;
} // namespace mlir

namespace plmc {

struct Counter {
  std::string pass; // the pass's argument, e.g. "plm-prune-outputs"
  std::string name; // what is counted, with its unit: "bytes removed"
  int64_t value = 0;
};

/// Collects the counters of all passes that run in one context while it lives.
/// One sink a context at a time. Safe to add to from several threads.
class CounterSink {
public:
  explicit CounterSink(mlir::MLIRContext *context);
  ~CounterSink();
  CounterSink(const CounterSink &) = delete;
  CounterSink &operator=(const CounterSink &) = delete;

  /// In the order of first use; values added to one name are summed.
  std::vector<Counter> get() const;

private:
  friend void addCounter(mlir::Operation *, llvm::StringRef, llvm::StringRef,
                         int64_t);
  mlir::MLIRContext *context;
  std::vector<Counter> counters;
};

/// Adds `value` to the counter `name` of `pass` in the sink of op's context.
void addCounter(mlir::Operation *op, llvm::StringRef pass, llvm::StringRef name,
                int64_t value);

} // namespace plmc

#endif // PLMC_SUPPORT_COUNTERS_H
