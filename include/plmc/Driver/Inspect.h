//===- Inspect.h - plmc inspect ---------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_INSPECT_H
#define PLMC_DRIVER_INSPECT_H

#include "plmc/Driver/Error.h"

namespace plmc {

/// plmc inspect IN [--json]: what a model (.onnx, .mlir) is, costs, and what of
/// it was recognised; or the description of a library that plmc emitted.
llvm::Error inspect(llvm::StringRef path, bool json, llvm::raw_ostream &out);

} // namespace plmc

#endif // PLMC_DRIVER_INSPECT_H
