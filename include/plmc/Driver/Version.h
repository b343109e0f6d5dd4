//===- Version.h - Which plmc this is ---------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_VERSION_H
#define PLMC_DRIVER_VERSION_H

#include "llvm/ADT/StringRef.h"

namespace plmc {

/// "0.1.0", from CMake's project().
llvm::StringRef versionText();

} // namespace plmc

#endif // PLMC_DRIVER_VERSION_H
