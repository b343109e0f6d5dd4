//===- LabelledSet.cpp - Texts and what is right of them ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/LabelledSet.h"
#include "plmc/Support/ReadFile.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>
#include <optional>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace plmc {

using Cells = llvm::SmallVector<StringRef, 8>;

static Cells cellsOf(StringRef line) {
  Cells cells;
  line.split(cells, '\t');
  return cells;
}

static std::optional<double> number(StringRef cell) {
  double value;
  if (cell.trim().getAsDouble(value) || !std::isfinite(value))
    return std::nullopt;
  return value;
}

namespace {

/// Which cells are what.
struct Columns {
  std::optional<size_t> first, second, label;
};

} // namespace

static bool isOneOf(StringRef name, std::initializer_list<StringRef> known) {
  return llvm::any_of(
      known, [&](StringRef one) { return name.equals_insensitive(one); });
}

/// The columns that a line of names tells; nullopt if it is none. A line with a
/// number is none without the name of the label: it may be one.
static std::optional<Columns> columnsByName(const Cells &names) {
  Columns columns;
  for (auto [index, cell] : llvm::enumerate(names)) {
    StringRef name = cell.trim();
    auto set = [&, at = index](std::optional<size_t> &column) {
      if (!column)
        column = at;
    };
    if (isOneOf(name, {"text", "sentence", "text1", "text_a", "sentence1",
                       "sentence_a", "premise", "question", "question1"}))
      set(columns.first);
    else if (isOneOf(name, {"text2", "text_b", "sentence2", "sentence_b",
                            "hypothesis", "answer", "question2"}))
      set(columns.second);
    else if (isOneOf(name, {"label", "score", "gold_label", "similarity"}))
      set(columns.label);
  }
  bool hasNumber =
      llvm::any_of(names, [](StringRef cell) { return number(cell); });
  if (!columns.first || (!columns.label && hasNumber))
    return std::nullopt;
  return columns;
}

static std::optional<Columns> columnsByPlace(const Cells &cells) {
  size_t count = cells.size();
  if (count == 1)
    return Columns{0, std::nullopt, std::nullopt};
  if (count == 2 || count == 3) {
    bool labelLast = number(cells[count - 1]).has_value();
    if (!labelLast && !number(cells[0]))
      return std::nullopt;
    size_t text = labelLast ? 0 : 1;
    Columns columns{text, std::nullopt, labelLast ? count - 1 : 0};
    if (count == 3)
      columns.second = text + 1;
    return columns;
  }
  // genre, file, year, number, score, sentence, sentence; now and then sources.
  if (count >= 7 && number(cells[4]))
    return Columns{5, 6, 4};
  return std::nullopt;
}

bool LabelledSet::hasClasses() const {
  return llvm::all_of(labels, [](double label) {
    return label >= 0 && label == std::floor(label);
  });
}

Expected<LabelledSet> LabelledSet::parse(StringRef text, StringRef path) {
  LabelledSet set;
  set.path = path.str();
  std::string name = cleanText(path);
  auto fail = [&](size_t line, const Twine &message) {
    return llvm::createStringError(name + ":" + Twine(line) + ": " + message);
  };
  text.consume_front("\xef\xbb\xbf");
  std::optional<Columns> columns;
  bool isPlain = false;
  for (size_t line = 1; !text.empty(); ++line) {
    StringRef row;
    std::tie(row, text) = text.split('\n');
    row = row.rtrim('\r');
    if (row.trim().empty())
      continue;
    Cells cells = cellsOf(row);
    if (!columns) {
      columns = columnsByName(cells);
      if (columns)
        continue;
      columns = columnsByPlace(cells);
      isPlain = cells.size() == 1;
      if (!columns)
        return fail(line,
                    "which cells are the texts and which is the label is not "
                    "clear; begin with a line of names, divided by tabs: "
                    "sentence label, or sentence1 sentence2 score");
    }
    // Of plain lines a tab is a blank like others.
    if (isPlain)
      cells = {row};
    size_t most = std::max({*columns->first, columns->label.value_or(0),
                            columns->second.value_or(0)});
    if (cells.size() <= most)
      return fail(line, "there are " + Twine(cells.size()) +
                            " cells, divided by tabs; at least " +
                            Twine(most + 1) + " are needed");
    if (columns->label) {
      std::optional<double> label = number(cells[*columns->label]);
      if (!label)
        return fail(line, "the label '" + cleanText(cells[*columns->label]) +
                              "' is no number; number the classes 0, 1, ...");
      set.labels.push_back(*label);
    }
    set.first.push_back(cells[*columns->first].str());
    if (columns->second)
      set.second.push_back(cells[*columns->second].str());
    set.lines.push_back(line);
  }
  if (set.first.empty())
    return llvm::createStringError(name + ": there is no text in it");
  return set;
}

Expected<LabelledSet> LabelledSet::read(StringRef path) {
  auto buffer = readRegularFile(path);
  if (!buffer)
    return llvm::createStringError("'" + cleanText(path) +
                                   "': " + llvm::toString(buffer.takeError()));
  return parse((*buffer)->getBuffer(), path);
}

} // namespace plmc
