//===- Npz.h - NumPy archives -----------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_NPZ_H
#define PLMC_SUPPORT_NPZ_H

#include "plmc/Support/HostTensor.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>

namespace plmc {

using NamedTensors = std::map<std::string, HostTensor>;

/// Reads every array of an .npz file (stored or deflated; C order). Errors
/// name the file and the array.
llvm::Expected<NamedTensors> readNpz(llvm::StringRef path);
/// Writes beside, then renames.
llvm::Error writeNpz(llvm::StringRef path, const NamedTensors &tensors);

} // namespace plmc

#endif // PLMC_SUPPORT_NPZ_H
