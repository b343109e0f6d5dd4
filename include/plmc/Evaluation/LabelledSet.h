//===- LabelledSet.h - Texts and what is right of them ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A file of lines whose cells are divided by tabs. Which cell is what is told
// by a first line of names:
//
//   sentence  label                  also text, text_a, premise, question1, ...
//   sentence1 sentence2 score        also sentence_a, hypothesis, question2,
//   ...
//
// or, without one, by the place: TEXT LABEL, TEXT TEXT LABEL (the label may
// come first, if it is the number), or the seven columns of the STS Benchmark.
// Labels are numbers: of a class, or how alike two texts are. Without a label
// among the names, or if the first line has no tab, there are texts alone; what
// is right of them is then in themselves (MaskedTokens.h).
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EVALUATION_LABELLEDSET_H
#define PLMC_EVALUATION_LABELLEDSET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace plmc {

struct LabelledSet {
  std::string path;
  std::vector<std::string> first, second; // second: as many, or none
  std::vector<double> labels;             // as many, or none
  std::vector<size_t> lines;              // of the file, from 1

  bool hasPairs() const { return !second.empty(); }
  bool hasLabels() const { return !labels.empty(); }
  /// True if all labels are whole numbers from 0.
  bool hasClasses() const;

  /// Errors are one line that names the file, and the line of a cell that is
  /// wrong.
  static llvm::Expected<LabelledSet> read(llvm::StringRef path);
  /// The same of a text; `path` is for messages.
  static llvm::Expected<LabelledSet> parse(llvm::StringRef text,
                                           llvm::StringRef path);
};

} // namespace plmc

#endif // PLMC_EVALUATION_LABELLEDSET_H
