//===- Version.cpp - Which plmc this is -----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Version.h"

llvm::StringRef plmc::versionText() { return PLMC_VERSION; }
