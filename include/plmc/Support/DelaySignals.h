//===- DelaySignals.h - Not now, in a moment --------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_DELAYSIGNALS_H
#define PLMC_SUPPORT_DELAYSIGNALS_H

#include <csignal>
#include <pthread.h>

namespace plmc {

/// While it lives, signals that end the process wait. For calls into LLVM and
/// LLD that make temporary files of their own, which a signal between their
/// creation and their registration would leave behind. Threads that are
/// started meanwhile inherit this; those of before must not take signals.
class DelaySignals {
public:
  DelaySignals() {
    sigset_t ends;
    sigemptyset(&ends);
    for (int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
      sigaddset(&ends, number);
    pthread_sigmask(SIG_BLOCK, &ends, &before);
  }
  ~DelaySignals() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
  DelaySignals(const DelaySignals &) = delete;
  DelaySignals &operator=(const DelaySignals &) = delete;

private:
  sigset_t before;
};

} // namespace plmc

#endif // PLMC_SUPPORT_DELAYSIGNALS_H
