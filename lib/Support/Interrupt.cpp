//===- Interrupt.cpp - A signal that asks for an early end ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Support/Interrupt.h"
#include <csignal>

namespace plmc {

static volatile std::sig_atomic_t raised = 0;
static struct sigaction before;
static bool installed = false;

static void raiseFlag(int) {
  raised = 1;
  sigaction(SIGINT, &before, nullptr);
}

InterruptGuard::InterruptGuard() {
  raised = 0;
  if (sigaction(SIGINT, nullptr, &before) || before.sa_handler == SIG_IGN)
    return;
  struct sigaction action = {};
  action.sa_handler = raiseFlag;
  action.sa_flags = SA_RESTART;
  installed = sigaction(SIGINT, &action, nullptr) == 0;
}

InterruptGuard::~InterruptGuard() {
  if (installed)
    sigaction(SIGINT, &before, nullptr);
  installed = false;
  raised = 0;
}

bool wasInterrupted() { return raised; }

} // namespace plmc
