//===- SearchReport.h - What a search for a budget measured -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_REPORT_SEARCHREPORT_H
#define PLMC_REPORT_SEARCHREPORT_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace plmc {

struct SearchReport {
  /// A model that was measured.
  struct Point {
    int64_t bytes = 0;
    double loss = 0;
    std::string plan; // for people
    bool calibrated = false, onFront = false, chosen = false;
  };
  /// What weights that share their bits lose alone, rounded to 3 bits.
  struct Sensitivity {
    int64_t layer = -1; // from 0; -1: before the first
    std::string role;   // "attention input", "feed-forward up"
    std::vector<std::string> weights;
    std::optional<double> loss; // nullopt: not measured
    int64_t bits = 8;           // that were chosen
  };

  std::vector<std::string> conditions; // of the budget
  std::optional<int64_t> sizeLimit;
  std::string lossName; // "noise over signal, 1/cosine^2 - 1"
  bool met = false, interrupted = false;
  double seconds = 0;
  std::vector<Point> points; // in the order of the search
  std::vector<Sensitivity> sensitivities;
};

/// A section of a page, from its heading on.
std::string searchToHTML(const SearchReport &search);

} // namespace plmc

#endif // PLMC_REPORT_SEARCHREPORT_H
