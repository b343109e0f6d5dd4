//===- Part.h - A part of a calibration file --------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What is fitted to some sequences must be judged by others. So that a pass,
// which knows nothing but a path, sees its part of a file only, the path may
// say which:
//
//   calib.npz                         all of it
//   calib.npz#fit                     what passes may look at
//   calib.npz#held-out                the others
//   calib.npz#fit=800,max-length=128  the first 800, cut to 128 tokens
//   a.txt;b.txt#fit,tokenizer=t.json  texts, a line a sequence, of two files
//
// `fit=N` are the first N sequences and `held-out=N` those after them. Without
// a number every fifth is held out: a file may be sorted.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_PART_H
#define PLMC_CALIBRATION_PART_H

#include "plmc/Calibration/CalibrationSet.h"

namespace plmc {

struct CalibrationPart {
  enum class Kind { All, Fit, HeldOut };
  std::string path;
  Kind kind = Kind::All;
  int64_t sequences = 0; // of Fit; 0: four of five
  int64_t maxLength = 0; // tokens; 0: as they are
  std::string tokenizer; // of texts; "": none

  /// The files of `path`.
  std::vector<std::string> files() const;

  /// What follows the last '#' is part of the name if it is none of the above,
  /// or if there is a file of the whole name.
  static CalibrationPart parse(llvm::StringRef text);
  std::string text() const;

  /// Removes the sequences that are not in the part and cuts the others.
  void apply(CalibrationSet &set) const;
};

} // namespace plmc

#endif // PLMC_CALIBRATION_PART_H
