//===- EmulatedTiles.h - AMX on CPUs that lack it ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_UNIT_EMULATEDTILES_H
#define PLMC_TEST_UNIT_EMULATEDTILES_H

#include "llvm/IR/Module.h"
#include <csignal>
#include <cstdint>
#include <string>

namespace plmc::test {

/// Lets a library for this CPU have tile instructions all the same
/// (CompileOptions::rewriteCode, with the tiles of "x86-64-v4+amx").
void allowTiles(llvm::Module &module);

/// While there is one, tile instructions that the CPU refuses are emulated.
class EmulatedTiles {
public:
  EmulatedTiles();
  ~EmulatedTiles();

  /// Asks for AMX: if the process may use it, nothing is emulated.
  static bool native();
  /// What the unit would have refused since the last call, or "".
  static std::string takeError();
  /// Products of tiles since the last call.
  static int64_t takeProducts();
  /// All threads that have configured their unit have released it.
  static bool released();

private:
  struct sigaction before;
};

} // namespace plmc::test

#endif // PLMC_TEST_UNIT_EMULATEDTILES_H
