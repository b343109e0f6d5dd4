//===- Presets.cpp - Recipes inside plmc ----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Recipe/Recipe.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/StringExtras.h"

using llvm::StringRef;

namespace plmc {

namespace {
struct Preset {
  StringRef name, text;
};
} // namespace

static constexpr Preset presets[] = {
#include "Presets.inc" // generated from Presets/*.yaml
};

std::vector<std::string> presetNames() {
  std::vector<std::string> names;
  for (const Preset &preset : presets)
    if (!preset.name.contains('.'))
      names.push_back(preset.name.str());
  return names;
}

StringRef presetText(StringRef name) {
  for (const Preset &preset : presets)
    if (preset.name == name)
      return preset.text;
  return "";
}

llvm::Expected<Recipe> presetRecipe(StringRef name, bool calibrated) {
  StringRef text = presetText(name);
  if (StringRef better = presetText((name + ".calibrated").str());
      calibrated && !better.empty())
    text = better;
  if (text.empty() || name.contains('.'))
    return recipeError({("--preset=" + name).str(), true},
                       "known are " + llvm::join(presetNames(), ", "));
  return parseRecipe(text, ("preset '" + name + "'").str());
}

} // namespace plmc
