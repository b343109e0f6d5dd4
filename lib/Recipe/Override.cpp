//===- Override.cpp - --set -----------------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "YamlTree.h"
#include "plmc/Recipe/Recipe.h"
#include "plmc/Recipe/Steps.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/StringExtras.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace plmc {

namespace {

struct Assignment {
  StringRef step, option; // of "step.option" or "step[2].option"
  size_t number = 0;      // 0: not given
  YamlNode value;
  RecipeOrigin origin;
};

} // namespace

static Error setShared(Recipe &recipe, StringRef path, StringRef value) {
  // What a recipe says, said again at its end.
  bool nested = path.starts_with("calibration.");
  std::string name = path.substr(nested ? strlen("calibration.") : 0).str();
  std::string entry =
      nested ? "calibration: { \"" + name + "\": " + value.str() + " }"
             : "\"" + name + "\": " + value.str();
  RecipeOrigin origin{("--set " + path + "=" + value).str(), true};
  Expected<Recipe> parsed = parseRecipe("version: 1\n" + entry, "--set");
  if (!parsed) {
    // Drop "--set:2: ".
    std::string text = llvm::toString(parsed.takeError());
    StringRef message = text;
    if (message.consume_front("--set:"))
      message = message.split(": ").second;
    return recipeError(origin, message);
  }
  if (!nested) {
    recipe.seed = parsed->seed;
    return Error::success();
  }
  RecipeCalibration &to = recipe.calibration, &from = parsed->calibration;
  to.origin = origin;
  if (name == "file") {
    to.files = from.files;
    to.sha256.clear(); // it was of other data
    // Named on the command line, so relative to where that is.
    to.tokenizer = to.tokenizerPath();
    to.folder.clear();
  } else if (name == "tokenizer") {
    to.files = to.paths();
    to.tokenizer = from.tokenizer;
    to.folder.clear();
  } else if (name == "sequences") {
    to.sequences = from.sequences;
  } else if (name == "max-length") {
    to.maxLength = from.maxLength;
  } else {
    to.sha256 = from.sha256;
  }
  return Error::success();
}

/// The steps of the name; none is an error that lists what there is.
static Expected<RecipeStep *> chooseStep(Recipe &recipe,
                                         const Assignment &wanted) {
  std::vector<RecipeStep *> found;
  std::vector<std::string> names;
  for (RecipeStep &step : recipe.steps) {
    names.push_back(step.name);
    if (step.name == wanted.step)
      found.push_back(&step);
  }
  if (found.empty()) {
    std::string hint = nearestName(wanted.step, names);
    if (hint.empty())
      hint = names.empty() ? "; it has none"
                           : "; it has: " + llvm::join(names, ", ");
    return recipeError(wanted.origin,
                       "the recipe has no step '" + wanted.step + "'" + hint);
  }
  if (!wanted.number && found.size() > 1)
    return recipeError(wanted.origin, "the recipe has " + Twine(found.size()) +
                                          " steps '" + wanted.step +
                                          "'; say which: " + wanted.step +
                                          "[1]." + wanted.option);
  if (wanted.number > found.size())
    return recipeError(wanted.origin, "the recipe has " + Twine(found.size()) +
                                          " steps '" + wanted.step + "'");
  return found[wanted.number ? wanted.number - 1 : 0];
}

Error overrideRecipe(Recipe &recipe, StringRef assignment) {
  RecipeOrigin origin{("--set " + assignment).str(), true};
  auto [path, value] = assignment.split('=');
  if (path == "seed" || path.starts_with("calibration."))
    return setShared(recipe, path, value);
  auto [step, option] = path.split('.');
  if (!assignment.contains('=') || step.empty() || option.empty())
    return recipeError(origin, "is not of the form STEP.OPTION=VALUE, e.g. "
                               "quantize.bits=4 (or seed=1, "
                               "calibration.file=FILE)");
  Assignment wanted{step, option, 0, {}, origin};
  if (step.contains('[')) {
    auto [name, rest] = step.split('[');
    if (!rest.consume_back("]") || rest.getAsInteger(10, wanted.number) ||
        !wanted.number)
      return recipeError(origin, "'" + step + "' is not of the form STEP[2]");
    wanted.step = name;
  }
  Expected<YamlNode> parsed = parseYaml(value, "--set");
  if (!parsed) {
    llvm::consumeError(parsed.takeError());
    return recipeError(origin, "'" + value + "' is no YAML value");
  }
  Expected<RecipeStep *> target = chooseStep(recipe, wanted);
  if (!target)
    return target.takeError();
  RecipeOption given{option.str(), {}, false, origin};
  if (parsed->kind == YamlNode::Kind::Map)
    return recipeError(origin, "'" + value + "' is a map, not a value");
  given.isList = parsed->kind == YamlNode::Kind::List;
  if (given.isList) {
    for (const YamlNode &item : parsed->items)
      given.values.push_back(item.scalar);
  } else {
    given.values.push_back(parsed->scalar);
  }
  (*target)->set(std::move(given));
  return Error::success();
}

} // namespace plmc
