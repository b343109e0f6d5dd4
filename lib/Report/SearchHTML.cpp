//===- SearchHTML.cpp - A search for a budget as part of a page -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Report/SearchReport.h"
#include "plmc/Report/Svg.h"
#include "plmc/Report/Table.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <cmath>

namespace plmc {

namespace {

/// A logarithmic axis on pixels.
struct LogAxis {
  double low, high; // natural logarithms
  double from, to;  // pixels
  static LogAxis of(double least, double most, double from, double to) {
    return {std::log(least / 1.15), std::log(most * 1.15), from, to};
  }
  double at(double value) const {
    return from + (std::log(value) - low) / (high - low) * (to - from);
  }
  /// 1, 2 and 5 times the powers of ten in it.
  std::vector<double> ticks() const {
    std::vector<double> result;
    for (int d = int(std::floor(low / std::log(10))); d <= high / std::log(10);
         ++d)
      for (double digit : {1.0, 2.0, 5.0})
        if (double value = digit * std::pow(10, d);
            std::log(value) >= low && std::log(value) <= high)
          result.push_back(value);
    return result;
  }
};

bool isDrawn(const SearchReport::Point &point) {
  return point.bytes > 0 && std::isfinite(point.loss) && point.loss > 0;
}

} // namespace

/// All models, size to the right and loss upwards; the line joins those that no
/// other beats in both.
static std::string paretoPlot(const SearchReport &search) {
  constexpr int width = 780, height = 420;
  double leastBytes = HUGE_VAL, mostBytes = 0, leastLoss = HUGE_VAL,
         mostLoss = 0;
  std::vector<SearchReport::Point> points;
  llvm::copy_if(search.points, std::back_inserter(points), isDrawn);
  if (points.empty())
    return "";
  for (const SearchReport::Point &point : points) {
    leastBytes = std::min(leastBytes, double(point.bytes));
    mostBytes = std::max(mostBytes, double(point.bytes));
    leastLoss = std::min(leastLoss, point.loss);
    mostLoss = std::max(mostLoss, point.loss);
  }
  if (search.sizeLimit && *search.sizeLimit > 0) {
    leastBytes = std::min(leastBytes, double(*search.sizeLimit));
    mostBytes = std::max(mostBytes, double(*search.sizeLimit));
  }
  LogAxis x = LogAxis::of(leastBytes, mostBytes, 70, width - 20);
  LogAxis y = LogAxis::of(leastLoss, mostLoss, height - 45, 30);
  std::string picture;
  llvm::raw_string_ostream os(picture);
  os << "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 "
     << width << " " << height << "\" width=\"" << width << "\" height=\""
     << height << "\" font-family=\"sans-serif\" font-size=\"12\">\n";
  auto line = [&](double x0, double y0, double x1, double y1,
                  const char *style) {
    os << llvm::format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" ",
                       x0, y0, x1, y1)
       << style << "/>\n";
  };
  auto text = [&](double x0, double y0, llvm::StringRef what,
                  const char *anchor) {
    os << llvm::format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" "
                       "fill=\"currentColor\">",
                       x0, y0, anchor)
       << escapeXML(what) << "</text>\n";
  };
  const char *grid = "stroke=\"#888\" stroke-opacity=\"0.3\"";
  for (double tick : x.ticks()) {
    line(x.at(tick), y.from, x.at(tick), y.to, grid);
    text(x.at(tick), y.from + 16, formatBytes(uint64_t(tick)), "middle");
  }
  for (double tick : y.ticks()) {
    line(x.from, y.at(tick), x.to, y.at(tick), grid);
    text(x.from - 6, y.at(tick) + 4, formatNumber(tick), "end");
  }
  text(x.from, 18, search.lossName, "start");
  text(x.to, height - 10, "size of the library", "end");
  if (search.sizeLimit && *search.sizeLimit > 0) {
    double at = x.at(double(*search.sizeLimit));
    line(at, y.from, at, y.to, "stroke=\"#ee6677\" stroke-dasharray=\"5 4\"");
    text(at + 4, y.to + 10, "size allowed", "start");
  }
  std::vector<SearchReport::Point> front;
  llvm::copy_if(points, std::back_inserter(front),
                [](const SearchReport::Point &p) { return p.onFront; });
  llvm::sort(front, [](const auto &a, const auto &b) {
    return std::pair(a.bytes, a.loss) < std::pair(b.bytes, b.loss);
  });
  os << "<polyline fill=\"none\" stroke=\"#4477aa\" points=\"";
  for (const SearchReport::Point &point : front)
    os << llvm::format("%.1f,%.1f ", x.at(double(point.bytes)),
                       y.at(point.loss));
  os << "\"/>\n";
  for (const SearchReport::Point &point : points) {
    double cx = x.at(double(point.bytes)), cy = y.at(point.loss);
    os << llvm::format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4\" fill=\"%s\">",
                       cx, cy, point.calibrated ? "#4477aa" : "#999999")
       << "<title>"
       << escapeXML(formatBytes(uint64_t(point.bytes)) + ", loss " +
                    formatNumber(point.loss) + ": " + point.plan)
       << "</title></circle>\n";
    if (point.chosen)
      os << llvm::format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"8\" "
                         "fill=\"none\" stroke=\"#ee6677\" "
                         "stroke-width=\"2\"/>\n",
                         cx, cy);
  }
  os << "</svg>\n";
  return picture;
}

/// Layers down, roles across; the more a cell costs, the redder it is.
static std::string heatMap(const SearchReport &search) {
  std::vector<std::string> roles;
  llvm::MapVector<int64_t,
                  std::vector<std::vector<const SearchReport::Sensitivity *>>>
      rows;
  double least = HUGE_VAL, most = 0;
  for (const SearchReport::Sensitivity &one : search.sensitivities) {
    if (!llvm::is_contained(roles, one.role))
      roles.push_back(one.role);
    if (one.loss && *one.loss > 0 && std::isfinite(*one.loss)) {
      least = std::min(least, *one.loss);
      most = std::max(most, *one.loss);
    }
  }
  for (const SearchReport::Sensitivity &one : search.sensitivities) {
    auto &row = rows[one.layer];
    row.resize(roles.size());
    row[llvm::find(roles, one.role) - roles.begin()].push_back(&one);
  }
  std::string table;
  llvm::raw_string_ostream os(table);
  os << "<table class=\"heat\">\n<tr><th>layer</th>";
  for (const std::string &role : roles)
    os << "<th>" << escapeXML(role) << "</th>";
  os << "</tr>\n";
  auto cell = [&](const SearchReport::Sensitivity &one) {
    double shade = 0;
    if (one.loss && *one.loss > 0 && std::isfinite(*one.loss))
      shade = most > least
                  ? std::log(*one.loss / least) / std::log(most / least)
                  : 1;
    os << llvm::format("<td style=\"background:rgba(238,102,119,%.2f)\" ",
                       0.05 + 0.85 * shade)
       << "title=\"" << escapeXML(llvm::join(one.weights, ", ")) << "\">"
       << escapeXML(!one.loss                   ? "not measured"
                    : !std::isfinite(*one.loss) ? "not finite"
                                                : formatNumber(*one.loss))
       << " <span class=\"note\">" << one.bits << " bits</span></td>";
  };
  for (auto &[layer, cells] : rows) {
    // Weights that have a role in common get a row each.
    size_t height = 1;
    for (auto &here : cells)
      height = std::max(height, here.size());
    for (size_t i = 0; i < height; ++i) {
      os << "<tr><th>" << (layer < 0 ? "" : std::to_string(layer)) << "</th>";
      for (auto &here : cells)
        if (i < here.size())
          cell(*here[i]);
        else
          os << "<td></td>";
      os << "</tr>\n";
    }
  }
  os << "</table>\n";
  return table;
}

std::string searchToHTML(const SearchReport &search) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "<h2>Search for the budget</h2>\n<p>"
     << escapeXML(llvm::join(search.conditions, ", ")) << ": "
     << (search.met ? "met" : "<span class=\"bad\">not met</span>") << ", by "
     << search.points.size() << " models in "
     << escapeXML(formatSeconds(search.seconds))
     << (search.interrupted ? ", interrupted" : "") << ".</p>\n"
     << "<p>Blue: calibrated; grey: rounded, to see what a choice costs. The "
        "line joins those that no other beats in both; the ring is the one "
        "that was taken.</p>\n"
     << paretoPlot(search);
  if (!search.sensitivities.empty())
    os << "<p>What weights cost alone, rounded to 3 bits without calibration ("
       << escapeXML(search.lossName) << "), and the bits that they got:</p>\n"
       << heatMap(search);
  return text;
}

} // namespace plmc
