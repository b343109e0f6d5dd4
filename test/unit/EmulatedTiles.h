//===- EmulatedTiles.h - AMX on CPUs that lack it ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_UNIT_EMULATEDTILES_H
#define PLMC_TEST_UNIT_EMULATEDTILES_H

#include "llvm/IR/Module.h"
#include <atomic>
#include <cstdint>

namespace plmc::test {

/// Replaces the tile instructions of a module by calls into this process.
void emulateTiles(llvm::Module &module);

/// How many products of tiles have been computed.
extern std::atomic<int64_t> tileProducts;

} // namespace plmc::test

#endif // PLMC_TEST_UNIT_EMULATEDTILES_H
