//===- X86Target.h - x86-64 CPUs --------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TARGET_X86_X86TARGET_H
#define PLMC_TARGET_X86_X86TARGET_H

#include "plmc/CodeGen/TargetInfo.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace plmc {

/// What --cpu means: "native", "x86-64-v2", "-v3", "-v4", or an LLVM CPU name
/// of at least level v2. An error lists the levels and says how to go on.
llvm::Expected<TargetInfo> resolveX86Target(llvm::StringRef cpu);

/// The CPUs that one library may hold code for (--cpu=any), the most capable
/// first: every CPU of level v2 and up runs one of them.
std::vector<TargetInfo> allX86Targets();

/// The vector width and register tile of a level. Code for a tile runs on any
/// CPU, LLVM splits vectors that are too wide; so the tile of AVX-512 can be
/// tested where there is none.
/// "x86-64-v4+amx" is the schedule of AMX: where the CPU lacks that, the code
/// runs only if the test replaces its tile instructions by something else.
void setRegisterTile(TargetInfo &target, llvm::StringRef level);

/// Takes AMX away: code that does not use it should not ask for it.
void dropTiles(TargetInfo &target);

} // namespace plmc

#endif // PLMC_TARGET_X86_X86TARGET_H
