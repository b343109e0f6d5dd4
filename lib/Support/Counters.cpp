//===- Counters.cpp - What a pass did, in numbers -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Support/Counters.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/CommandLine.h"
#include <mutex>

using namespace plmc;

/// Kept apart from the option: linking a part of a model in this process, which
/// calibration does, resets all options.
static bool printCounters = false;
static llvm::cl::opt<bool> countersOption(
    "plmc-counters", llvm::cl::desc("Print what each pass counted to stderr"),
    llvm::cl::callback([](const bool &value) { printCounters = value; }));

namespace {
struct Sinks {
  std::mutex mutex;
  llvm::DenseMap<mlir::MLIRContext *, CounterSink *> byContext;
};
} // namespace

static Sinks &sinks() {
  static Sinks instance;
  return instance;
}

CounterSink::CounterSink(mlir::MLIRContext *context) : context(context) {
  std::lock_guard<std::mutex> lock(sinks().mutex);
  sinks().byContext[context] = this;
}

CounterSink::~CounterSink() {
  std::lock_guard<std::mutex> lock(sinks().mutex);
  sinks().byContext.erase(context);
}

std::vector<Counter> CounterSink::get() const {
  std::lock_guard<std::mutex> lock(sinks().mutex);
  return counters;
}

void plmc::addCounter(mlir::Operation *op, llvm::StringRef pass,
                      llvm::StringRef name, int64_t value) {
  std::lock_guard<std::mutex> lock(sinks().mutex);
  if (printCounters)
    llvm::errs() << pass << ": " << name << ": " << value << "\n";
  CounterSink *sink = sinks().byContext.lookup(op->getContext());
  if (!sink)
    return;
  for (Counter &counter : sink->counters)
    if (counter.pass == pass && counter.name == name) {
      counter.value += value;
      return;
    }
  sink->counters.push_back({pass.str(), name.str(), value});
}
