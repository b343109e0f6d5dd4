//===- Table.cpp - Numbers and tables for people --------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Report/Table.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Format.h"
#include <cmath>

namespace plmc {

static std::string formatted(const char *format, double value) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format(format, value);
  return text;
}

std::string formatCount(int64_t value) {
  std::string digits = std::to_string(value);
  size_t first = value < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3; at -= 3)
    digits.insert(at - 3, ",");
  return digits;
}

std::string formatBytes(uint64_t bytes) {
  if (bytes < 1000)
    return std::to_string(bytes) + " B";
  double value = double(bytes);
  const char *const units[] = {"kB", "MB", "GB", "TB"};
  size_t unit = 0;
  for (value /= 1000; value >= 999.5 && unit < 3; value /= 1000)
    ++unit;
  return formatted(value < 99.95 ? "%.1f " : "%.0f ", value) + units[unit];
}

std::string formatSeconds(double seconds) {
  if (seconds < 0.9995)
    return formatted("%.0f ms", seconds * 1000);
  return formatted("%.2f s", seconds);
}

std::string formatNumber(double value) {
  if (value == 0 || !std::isfinite(value))
    return formatted("%g", value);
  if (std::fabs(value) < 1e-3 || std::fabs(value) >= 1e6)
    return formatted("%.2e", value);
  int digits = std::fabs(value) >= 100 ? 1 : std::fabs(value) >= 1 ? 2 : 4;
  std::string format = "%." + std::to_string(digits) + "f";
  return formatted(format.c_str(), value);
}

void Table::print(llvm::raw_ostream &os, unsigned indent) const {
  // Names of a model's nodes and tensors may hold any bytes.
  std::vector<std::vector<std::string>> clean;
  for (const auto &row : rows) {
    clean.emplace_back();
    for (const std::string &cell : row)
      clean.back().push_back(cleanText(cell));
  }
  std::vector<size_t> widths;
  for (const auto &row : clean) {
    widths.resize(std::max(widths.size(), row.size()));
    for (auto [index, cell] : llvm::enumerate(row))
      widths[index] = std::max(widths[index], cell.size());
  }
  for (const auto &row : clean) {
    std::string line(indent, ' ');
    for (auto [index, cell] : llvm::enumerate(row)) {
      std::string padding(widths[index] - cell.size(), ' ');
      bool right = index < rightAligned.size() && rightAligned[index];
      line += (index ? "  " : "") + (right ? padding + cell : cell + padding);
    }
    os << llvm::StringRef(line).rtrim(' ') << "\n";
  }
}

} // namespace plmc
