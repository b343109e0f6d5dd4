//===- Interrupt.h - A signal that asks for an early end --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_INTERRUPT_H
#define PLMC_SUPPORT_INTERRUPT_H

namespace plmc {

/// While it lives, the first SIGINT only raises a flag, for work that can end
/// early with what it has. The second does what it did before. A signal that
/// was ignored stays so.
class InterruptGuard {
public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard &) = delete;
  InterruptGuard &operator=(const InterruptGuard &) = delete;
};

/// Long steps ask this between their parts, and end with an error.
bool wasInterrupted();

} // namespace plmc

#endif // PLMC_SUPPORT_INTERRUPT_H
