//===- ReadFile.h - Files that end ------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_READFILE_H
#define PLMC_SUPPORT_READFILE_H

#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

namespace plmc {

/// The bytes of a regular file. A pipe may wait for ever and a device have no
/// end: these are errors, as are those of the system; all without the name.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
readRegularFile(llvm::StringRef path);

} // namespace plmc

#endif // PLMC_SUPPORT_READFILE_H
