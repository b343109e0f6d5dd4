//===- Profile.h - plmc profile ---------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_PROFILE_H
#define PLMC_DRIVER_PROFILE_H

#include "plmc/Driver/Error.h"

namespace plmc {

struct ProfileOptions {
  std::string library;
  std::string shape = "1x128"; // BATCHxLENGTH
  int threads = 1;
  double seconds = 1;
  bool steps = false; // one row for each step, not for each kernel
  bool json = false;
  std::string roofline; // SVG to write, or empty
};

/// plmc profile: where the time of a run goes, by kernel and by layer, beside
/// what the machine can do at best. Random ids, no padding.
llvm::Error profile(const ProfileOptions &options, llvm::raw_ostream &out);

/// plmc peak: what one core can do at best, as JSON.
llvm::Error peak(double secondsEach, llvm::raw_ostream &out);

} // namespace plmc

#endif // PLMC_DRIVER_PROFILE_H
