//===- Roofline.h - Speed over arithmetic intensity -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_REPORT_ROOFLINE_H
#define PLMC_REPORT_ROOFLINE_H

#include "llvm/Support/raw_ostream.h"
#include <string>
#include <vector>

namespace plmc {

/// The roofline model (Williams, Waterman, Patterson 2009): no kernel is faster
/// than the arithmetic peak, nor than its intensity times the bandwidth.
struct Roofline {
  struct Ceiling {
    std::string name;
    double value; // GFLOP/s of a peak, GB/s of a bandwidth
  };
  struct Kernel {
    std::string name;
    double intensity; // FLOP/byte
    double speed;     // GFLOP/s
    double share;     // of the run's time, 0 to 1: the dot's size
  };
  std::string title;
  std::vector<Ceiling> peaks, bandwidths;
  std::vector<Kernel> kernels;

  void printSVG(llvm::raw_ostream &os) const;
};

} // namespace plmc

#endif // PLMC_REPORT_ROOFLINE_H
