//===- Progress.h - One line that says what is going on ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_PROGRESS_H
#define PLMC_LIB_DRIVER_PROGRESS_H

#include "llvm/ADT/Twine.h"

namespace plmc {

/// Overwrites one line of stderr; silent when stderr is no terminal. The line
/// is gone when the object is.
class Progress {
public:
  Progress();
  ~Progress();
  void show(const llvm::Twine &what);
  void clear();

private:
  bool terminal;
  bool shown = false;
};

} // namespace plmc

#endif // PLMC_LIB_DRIVER_PROGRESS_H
