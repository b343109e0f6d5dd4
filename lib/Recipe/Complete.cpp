//===- Complete.cpp - Checks steps against their passes -------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "plmc/Recipe/Recipe.h"
#include "plmc/Recipe/Steps.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using llvm::Error;

namespace plmc {

/// What the recipe gives to each pass that has an option of this name.
static std::vector<RecipeOption> sharedOptions(const Recipe &recipe) {
  std::vector<RecipeOption> result;
  auto add = [&](StringRef name, std::string value,
                 const RecipeOrigin &origin) {
    result.push_back({name.str(), {std::move(value)}, false, origin, true});
  };
  const RecipeCalibration &calibration = recipe.calibration;
  add("seed", std::to_string(recipe.seed), {recipe.title, false});
  if (!calibration.files.empty())
    add("calibration", calibration.part(/*heldOut=*/false), calibration.origin);
  if (!calibration.tokenizer.empty())
    add("tokenizer", calibration.tokenizerPath(), calibration.origin);
  return result;
}

static const StepOption *findOption(ArrayRef<StepOption> options,
                                    StringRef name) {
  for (const StepOption &option : options)
    if (option.name == name)
      return &option;
  return nullptr;
}

/// MLIR's text of options is split at blanks and knows quotes and braces, in
/// lists also brackets, but no way to write them as themselves.
static Error checkText(const RecipeOption &given, const std::string &full,
                       bool isList) {
  StringRef special = isList ? "{}'\"\n\r\t[]()" : "{}'\"\n\r\t";
  for (StringRef value : given.values)
    if (value.find_first_of(special) != StringRef::npos)
      return recipeError(given.origin,
                         full + ": '" + value +
                             "' has a quote, a bracket or a line end, which "
                             "the options of a pass cannot hold");
  return Error::success();
}

static Error checkOption(const StepInfo &step, const RecipeOption &given,
                         ArrayRef<StepOption> options) {
  std::string full = (step.name + "." + given.name).str();
  const StepOption *known = findOption(options, given.name);
  if (!known) {
    std::vector<std::string> names;
    for (const StepOption &option : options)
      names.push_back(option.name);
    std::string hint = nearestName(given.name, names);
    if (hint.empty())
      hint = names.empty() ? "; it has none"
                           : "; it has: " + llvm::join(names, ", ");
    return recipeError(given.origin, "step '" + step.name +
                                         "' has no option '" + given.name +
                                         "'" + hint);
  }
  if (given.isList && !known->isList)
    return recipeError(given.origin,
                       full + " is a list, not one " + known->typeName());
  for (StringRef value : given.values) {
    SmallVector<StringRef> parts{value};
    if (known->isList && !given.isList) {
      parts.clear();
      value.split(parts, ',');
    }
    for (StringRef part : parts)
      if (!known->accepts(part.trim()))
        return recipeError(given.origin, full + ": '" + part.trim() +
                                             "' is not of type " +
                                             known->typeName());
  }
  if (known->isList && given.isList)
    for (StringRef value : given.values)
      if (value.contains(','))
        return recipeError(given.origin,
                           full + ": '" + value +
                               "' has a comma, which divides the items of a "
                               "list");
  return checkText(given, full, known->isList);
}

static Error checkStep(RecipeStep &step, ArrayRef<RecipeOption> shared) {
  const StepInfo *info = findStep(step.name);
  if (!info) {
    std::vector<std::string> names;
    for (const StepInfo &known : allSteps())
      names.push_back(known.name.str());
    std::string hint = nearestName(step.name, names);
    if (hint.empty())
      hint = "; known are: " + llvm::join(names, ", ");
    return recipeError(step.origin,
                       "there is no step '" + step.name + "'" + hint);
  }
  if (!info->isAvailable())
    return recipeError(step.origin, "step '" + step.name + "' needs the pass " +
                                        info->pass +
                                        ", which is not in this build of plmc");
  std::vector<StepOption> options = passOptions(info->pass);
  for (const RecipeOption &option : shared)
    if (findOption(options, option.name) && !step.find(option.name))
      step.options.push_back(option);
  for (const RecipeOption &option : step.options)
    if (Error error = checkOption(*info, option, options))
      return error;
  return Error::success();
}

Error completeRecipe(Recipe &recipe) {
  std::vector<RecipeOption> shared = sharedOptions(recipe);
  for (RecipeStep &step : recipe.steps)
    if (Error error = checkStep(step, shared))
      return error;
  return Error::success();
}

/// As PassOptions prints them: "name=value", in braces where there is a blank.
static std::string optionText(const RecipeOption &option, bool isList) {
  std::string value = llvm::join(option.values, ",");
  bool braces = isList || value.empty() || StringRef(value).contains(' ');
  return option.name + "=" + (braces ? "{" + value + "}" : value);
}

Error addStep(OpPassManager &pm, const RecipeStep &step) {
  const StepInfo *info = findStep(step.name);
  const PassInfo *pass = info ? PassInfo::lookup(info->pass) : nullptr;
  if (!pass)
    return recipeError(step.origin, "there is no step '" + step.name + "'");
  std::vector<StepOption> known = passOptions(info->pass);
  std::string text;
  for (const RecipeOption &option : step.options) {
    const StepOption *type = findOption(known, option.name);
    // An empty list is what no list is.
    if (type && type->isList && llvm::join(option.values, "").empty())
      continue;
    text +=
        (text.empty() ? "" : " ") + optionText(option, type && type->isList);
  }
  std::string message;
  if (succeeded(pass->addToPipeline(pm, text, [&](const Twine &what) {
        message = what.str();
        return failure();
      })))
    return Error::success();
  return recipeError(step.origin, "step '" + step.name +
                                      "': its pass refuses the options '" +
                                      text + "': " + message);
}

} // namespace plmc
