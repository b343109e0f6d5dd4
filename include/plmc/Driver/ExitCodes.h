//===- ExitCodes.h - What plmc's exit code says -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Stable: scripts depend on them. docs/cli.md has the same list.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_EXITCODES_H
#define PLMC_DRIVER_EXITCODES_H

namespace plmc {

enum class ExitCode : int {
  Ok = 0,
  Internal = 1,    // a mistake of plmc's, or the machine's (disk full)
  Usage = 2,       // the command line: options, values, paths to write to
  BadInput = 3,    // a file to read that is missing or malformed
  Unsupported = 4, // well-formed, but beyond what plmc can do
  VerificationFailed = 5,
  LimitMissed = 6 // --fail-if holds, or --budget does not; all is written
};

} // namespace plmc

#endif // PLMC_DRIVER_EXITCODES_H
