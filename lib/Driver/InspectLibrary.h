//===- InspectLibrary.h - plmc inspect of a library -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_INSPECTLIBRARY_H
#define PLMC_LIB_DRIVER_INSPECTLIBRARY_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace plmc {

/// Prints what an emitted library says about itself; as JSON, unchanged.
llvm::Error inspectLibrary(llvm::StringRef path, bool json,
                           llvm::raw_ostream &out);

/// "f32 [batch, sequence, 384]".
std::string shapeText(llvm::StringRef type,
                      const std::vector<std::string> &dims);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_INSPECTLIBRARY_H
