//===- Table.h - Numbers and tables for people ------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_REPORT_TABLE_H
#define PLMC_REPORT_TABLE_H

#include "llvm/Support/raw_ostream.h"
#include <cstdint>
#include <string>
#include <vector>

namespace plmc {

/// 22713216 -> "22,713,216".
std::string formatCount(int64_t value);
/// 90876928 -> "90.9 MB" (powers of ten).
std::string formatBytes(uint64_t bytes);
/// "1.82 s", "431 ms".
std::string formatSeconds(double seconds);
/// Three significant digits: "3.1e-06", "0.000", "12.4".
std::string formatNumber(double value);

/// Columns as wide as their widest cell, two blanks between them. A column is
/// left-aligned unless `rightAligned` says otherwise.
class Table {
public:
  explicit Table(std::vector<bool> rightAligned)
      : rightAligned(std::move(rightAligned)) {}
  void addRow(std::vector<std::string> cells) {
    rows.push_back(std::move(cells));
  }
  /// Each line starts with `indent` blanks; no line ends in one.
  void print(llvm::raw_ostream &os, unsigned indent = 0) const;

private:
  std::vector<bool> rightAligned;
  std::vector<std::vector<std::string>> rows;
};

} // namespace plmc

#endif // PLMC_REPORT_TABLE_H
