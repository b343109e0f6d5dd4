//===- Roofline.cpp - Speed over arithmetic intensity -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Report/Roofline.h"
#include "plmc/Report/Svg.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include <algorithm>
#include <cmath>

using namespace plmc;

namespace {

/// Decades of an axis on pixels.
struct LogAxis {
  double low, high; // powers of ten
  double from, to;  // pixels
  double at(double value) const {
    double part = (std::log10(value) - low) / (high - low);
    return from + std::clamp(part, 0.0, 1.0) * (to - from);
  }
};

} // namespace

void Roofline::printSVG(llvm::raw_ostream &os) const {
  constexpr int width = 860, height = 480;
  double top = 1, bottom = 1e9;
  for (const Ceiling &peak : peaks)
    top = std::max(top, peak.value);
  double least = 1, most = 10;
  for (const Kernel &kernel : kernels) {
    bottom = std::min(bottom, kernel.speed);
    least = std::min(least, kernel.intensity);
    most = std::max(most, kernel.intensity);
  }
  LogAxis x{std::floor(std::log10(least)), std::ceil(std::log10(most)), 70,
            width - 250};
  LogAxis y{std::floor(std::log10(std::min(bottom, top / 10))),
            std::ceil(std::log10(top)), height - 50, 40};
  os << "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" << width
     << "\" height=\"" << height
     << "\" font-family=\"sans-serif\" font-size=\"12\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
     << "<text x=\"70\" y=\"22\" font-size=\"14\">" << escapeXML(title)
     << "</text>\n";
  auto line = [&](double x0, double y0, double x1, double y1,
                  const char *style) {
    os << llvm::format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" ",
                       x0, y0, x1, y1)
       << style << "/>\n";
  };
  auto text = [&](double x0, double y0, llvm::StringRef what,
                  const char *style = "") {
    os << llvm::format("<text x=\"%.1f\" y=\"%.1f\" ", x0, y0) << style << ">"
       << escapeXML(what) << "</text>\n";
  };
  auto power = [](int exponent) {
    return exponent >= 0 ? std::to_string(int64_t(std::pow(10, exponent)))
                         : "0." + std::string(-exponent - 1, '0') + "1";
  };
  for (int d = int(x.low); d <= int(x.high); ++d) {
    double at = x.at(std::pow(10, d));
    line(at, y.from, at, y.to, "stroke=\"#ddd\"");
    text(at, y.from + 16, power(d), "text-anchor=\"middle\"");
  }
  for (int d = int(y.low); d <= int(y.high); ++d) {
    double at = y.at(std::pow(10, d));
    line(x.from, at, x.to, at, "stroke=\"#ddd\"");
    text(x.from - 6, at + 4, power(d), "text-anchor=\"end\"");
  }
  text((x.from + x.to) / 2, height - 14, "FLOP per byte",
       "text-anchor=\"middle\"");
  text(12, 34, "GFLOP/s");
  for (const Ceiling &peak : peaks) {
    line(x.from, y.at(peak.value), x.to, y.at(peak.value), "stroke=\"#444\"");
    text(x.to + 6, y.at(peak.value) + 4,
         peak.name + " " + std::to_string(int64_t(peak.value)) + " GFLOP/s");
  }
  for (const Ceiling &bandwidth : bandwidths) {
    // From where it enters the picture to the highest peak.
    double begin =
        std::max(std::pow(10, x.low), std::pow(10, y.low) / bandwidth.value);
    double end = std::min(std::pow(10, x.high), top / bandwidth.value);
    if (end <= begin)
      continue;
    line(x.at(begin), y.at(begin * bandwidth.value), x.at(end),
         y.at(end * bandwidth.value),
         "stroke=\"#888\" stroke-dasharray=\"5 4\"");
    text(x.at(begin) + 4, y.at(begin * bandwidth.value) - 6,
         bandwidth.name + " " + std::to_string(int64_t(bandwidth.value)) +
             " GB/s",
         "fill=\"#666\" font-size=\"10\"");
  }
  static const char *colours[] = {"#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad",
                                  "#d68910", "#16a085", "#7f8c8d", "#d35488"};
  std::vector<Kernel> byShare = kernels;
  llvm::sort(byShare, [](const Kernel &a, const Kernel &b) {
    return a.share > b.share;
  });
  double legend = height - 60 - 18.0 * byShare.size();
  for (auto [index, kernel] : llvm::enumerate(byShare)) {
    const char *colour = colours[index % std::size(colours)];
    auto dot = [&](double x0, double y0, double radius) {
      os << llvm::format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" "
                         "fill=\"%s\" fill-opacity=\"0.75\"/>\n",
                         x0, y0, radius, colour);
    };
    dot(x.at(kernel.intensity), y.at(kernel.speed),
        4 + 14 * std::sqrt(kernel.share));
    dot(x.to + 12, legend + 18.0 * index, 5);
    text(x.to + 22, legend + 18.0 * index + 4,
         kernel.name + " " + std::to_string(int(kernel.share * 100 + 0.5)) +
             " %",
         "font-size=\"10\"");
  }
  os << "</svg>\n";
}
