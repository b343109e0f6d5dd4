//===- Svg.h - Small pictures -----------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_REPORT_SVG_H
#define PLMC_REPORT_SVG_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <string>
#include <vector>

namespace plmc {

/// Text that is safe in XML and HTML, in quotes too.
std::string escapeXML(llvm::StringRef text);

/// A bar in parts, one beside the other.
struct Bar {
  std::string label, note; // left of it, and right of its end
  std::vector<double> parts;
};

/// Horizontal bars on one scale, with a legend of the parts' names if there are
/// several. Parts below zero, or no numbers, are left out.
std::string barChart(llvm::ArrayRef<Bar> bars,
                     llvm::ArrayRef<std::string> partNames);

} // namespace plmc

#endif // PLMC_REPORT_SVG_H
