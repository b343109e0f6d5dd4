//===- ElfCheck.h - Is a library whole? -------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EXECUTION_ELFCHECK_H
#define PLMC_EXECUTION_ELFCHECK_H

#include "llvm/Support/Error.h"

namespace plmc {

/// An error unless the file is a shared library for x86-64 that has all the
/// bytes the loader will map. `fileBytes` is its size.
llvm::Error checkElf(llvm::StringRef path, uint64_t fileBytes);

} // namespace plmc

#endif // PLMC_EXECUTION_ELFCHECK_H
