//===- Text.h - Text that is safe to show -----------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_TEXT_H
#define PLMC_SUPPORT_TEXT_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace plmc {

/// The text with control characters (line ends and escape sequences among
/// them) and invalid UTF-8 replaced by '?': what comes from a file may hold
/// any bytes.
std::string cleanText(llvm::StringRef text);

/// "; did you mean 'x'?" for the name that is nearest to what was given, or ""
/// where none is near.
std::string nearestName(llvm::StringRef given,
                        llvm::ArrayRef<std::string> known);

} // namespace plmc

#endif // PLMC_SUPPORT_TEXT_H
