//===- CodeCache.h - Machine code of models that are alike ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Calibration compiles a model layer by layer, and a search does so for model
// after model. Layers are alike, and weights are no part of the code, so most
// parts of an encoder are the same machine code; LLVM took 59 % of the time of
// a calibrated quantization of six layers (61 s, 39 s with this). So code is
// known by what it is made from: the LLVM module before it is optimised, which
// holds nothing but the code and the library's tables. Equal modules give equal
// objects, so nothing can be stale.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_CODECACHE_H
#define PLMC_LIB_CODEGEN_CODECACHE_H

#include "NativeCode.h"

namespace plmc {

/// As emitObject, but takes the object from an earlier call of this process
/// that was given an equal module. Safe to call from several threads.
llvm::Expected<std::vector<std::string>>
emitKnownObject(std::unique_ptr<llvm::Module> module, const TargetInfo &target,
                llvm::StringRef path, bool textInput = true);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_CODECACHE_H
