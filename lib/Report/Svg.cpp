//===- Svg.cpp - Small pictures -------------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Report/Svg.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

namespace plmc {

std::string escapeXML(llvm::StringRef text) {
  std::string result;
  // Control characters and broken UTF-8 are no XML.
  for (char c : cleanText(text))
    switch (c) {
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '&':
      result += "&amp;";
      break;
    case '"':
      result += "&quot;";
      break;
    case '\'':
      result += "&#39;";
      break;
    default:
      result += c;
    }
  return result;
}

// Told apart in print, and by those who see red and green alike.
static const char *const colours[] = {"#4477aa", "#ee6677", "#228833",
                                      "#ccbb44", "#66ccee", "#aa3377"};

std::string barChart(llvm::ArrayRef<Bar> bars,
                     llvm::ArrayRef<std::string> partNames) {
  constexpr int labelWidth = 180, barWidth = 420, noteWidth = 180;
  constexpr int row = 24, thickness = 16;
  auto sized = [](double part) {
    return std::isfinite(part) && part > 0 ? part : 0;
  };
  double longest = 0;
  for (const Bar &bar : bars) {
    double sum = 0;
    for (double part : bar.parts)
      sum += sized(part);
    longest = std::max(longest, sum);
  }
  bool legend = partNames.size() > 1;
  int height = row * int(bars.size()) + (legend ? row : 0) + 4;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 "
     << labelWidth + barWidth + noteWidth << " " << height << "\" width=\""
     << labelWidth + barWidth + noteWidth << "\" height=\"" << height
     << "\" font-family=\"sans-serif\" font-size=\"12\">\n";
  auto write = [&](double x, double y, const char *anchor,
                   llvm::StringRef what) {
    os << llvm::format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" "
                       "fill=\"currentColor\">",
                       x, y, anchor)
       << escapeXML(what) << "</text>\n";
  };
  auto box = [&](double x, double y, double width, size_t part) {
    os << llvm::format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                       "height=\"%d\" fill=\"%s\"",
                       x, y, width, thickness,
                       colours[part % std::size(colours)]);
    if (part < partNames.size())
      os << "><title>" << escapeXML(partNames[part]) << "</title></rect>\n";
    else
      os << "/>\n";
  };
  double y = 2;
  for (const Bar &bar : bars) {
    write(labelWidth - 8, y + 13, "end", bar.label);
    double x = labelWidth;
    for (auto [index, part] : llvm::enumerate(bar.parts)) {
      double width = longest > 0 ? sized(part) / longest * barWidth : 0;
      if (width > 0)
        box(x, y, width, index);
      x += width;
    }
    write(x + 6, y + 13, "start", bar.note);
    y += row;
  }
  double x = labelWidth;
  for (auto [index, name] : llvm::enumerate(partNames)) {
    if (!legend)
      break;
    box(x, y + 4, 12, index);
    write(x + 16, y + 16, "start", name);
    x += 30 + 7 * double(name.size());
  }
  os << "</svg>\n";
  return text;
}

} // namespace plmc
