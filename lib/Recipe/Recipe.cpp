//===- Recipe.cpp - What to do to a model, in order -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Recipe/Recipe.h"
#include "plmc/Calibration/Part.h"
#include "plmc/Recipe/Steps.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"

using llvm::StringRef;

namespace plmc {

const RecipeOption *RecipeStep::find(StringRef option) const {
  for (const RecipeOption &one : options)
    if (one.name == option)
      return &one;
  return nullptr;
}

void RecipeStep::set(RecipeOption option) {
  for (RecipeOption &one : options)
    if (one.name == option.name) {
      one = std::move(option);
      return;
    }
  options.push_back(std::move(option));
}

static std::string under(StringRef folder, StringRef file) {
  if (folder.empty() || file.empty() || llvm::sys::path::is_absolute(file))
    return file.str();
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, file);
  return path.str().str();
}

std::vector<std::string> RecipeCalibration::paths() const {
  std::vector<std::string> result;
  for (const std::string &file : files)
    result.push_back(under(folder, file));
  return result;
}

std::string RecipeCalibration::tokenizerPath() const {
  return under(folder, tokenizer);
}

std::string RecipeCalibration::part(bool heldOut) const {
  if (files.empty())
    return "";
  CalibrationPart part;
  part.path = llvm::join(paths(), ";");
  part.tokenizer = tokenizerPath();
  part.kind =
      heldOut ? CalibrationPart::Kind::HeldOut : CalibrationPart::Kind::Fit;
  part.sequences = sequences;
  part.maxLength = maxLength;
  return part.text();
}

bool Recipe::isExact() const {
  return llvm::all_of(steps, [](const RecipeStep &step) {
    const StepInfo *info = findStep(step.name);
    return info && info->exact;
  });
}

} // namespace plmc
