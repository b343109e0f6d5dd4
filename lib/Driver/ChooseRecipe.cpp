//===- ChooseRecipe.cpp - The recipe of a run -----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything that changes a model is a step, whoever asked for it. Options that
// were there before recipes become steps at fixed places: --outputs the first,
// as nothing need be done to what goes away, --precision the last, as it writes
// weights in a form that other passes leave alone. A step that the recipe has
// already is not added to, nor is its place guessed: that is refused, and --set
// is named, which changes it where it stands.
//
//===----------------------------------------------------------------------===//

#include "ChooseRecipe.h"
#include "mlir/Pass/PassRegistry.h"
#include "plmc/Calibration/Part.h"
#include "plmc/Driver/Version.h"
#include "plmc/InitAll.h"
#include "plmc/Support/ReadFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace plmc {

void registerPassesOnce() {
  static bool registered = [] {
    if (!PassInfo::lookup("plm-prune-outputs"))
      registerAllPasses();
    return true;
  }();
  (void)registered;
}

/// The command line's slips are usage, all others bad input.
static Error coded(Error error) {
  if (!error)
    return error;
  ExitCode code = ExitCode::BadInput;
  std::string message;
  if (error.isA<DriverError>())
    return error;
  llvm::handleAllErrors(std::move(error), [&](const llvm::ErrorInfoBase &e) {
    message = e.message();
    if (e.convertToErrorCode() ==
        std::make_error_code(std::errc::invalid_argument))
      code = ExitCode::Usage;
  });
  return makeError(code, message);
}

static Expected<Recipe> load(const CompressOptions &options) {
  if (!options.recipePath.empty() && !options.preset.empty())
    return makeError(ExitCode::Usage,
                     "--recipe and --preset are both recipes; give one");
  if (!options.recipePath.empty())
    return readRecipe(options.recipePath);
  if (!options.preset.empty())
    return presetRecipe(options.preset, !options.calibration.empty());
  return Recipe();
}

static Error addFlag(Recipe &recipe, bool first, const RecipeStep &step) {
  for (const RecipeStep &there : recipe.steps)
    if (there.name == step.name) {
      const RecipeOption &option = step.options.front();
      return makeError(ExitCode::Usage,
                       step.origin.text + ": the recipe has a step '" +
                           step.name + "' already (" + there.origin.text +
                           "); change that: --set " + step.name + "." +
                           option.name + "=" + llvm::join(option.values, ","));
    }
  recipe.steps.insert(first ? recipe.steps.begin() : recipe.steps.end(), step);
  return Error::success();
}

static Error addFlags(Recipe &recipe, const CompressOptions &options) {
  if (!options.outputs.empty()) {
    RecipeOrigin origin{"--outputs", true};
    if (Error error =
            addFlag(recipe, /*first=*/true,
                    {"prune-outputs",
                     {{"outputs", options.outputs, /*isList=*/true, origin}},
                     origin}))
      return error;
  }
  if (options.precision == "f32")
    return Error::success();
  RecipeOrigin origin{"--precision=" + options.precision, true};
  RecipeStep step{"set-precision",
                  {{"precision", {options.precision}, false, origin}},
                  origin};
  auto add = [&](StringRef name, int64_t value) {
    step.options.push_back(
        {name.str(), {std::to_string(value)}, false, origin});
  };
  if (StringRef(options.precision).starts_with("int") &&
      options.precision != "int8")
    add("group-size", options.groupSize);
  if (options.tableBits)
    add("table-bits", options.tableBits);
  return addFlag(recipe, /*first=*/false, step);
}

static void addCalibration(Recipe &recipe, const CompressOptions &options) {
  RecipeCalibration &calibration = recipe.calibration;
  if (options.calibration.empty() && options.tokenizer.empty())
    return;
  // The recipe's own names are relative to it, those given here are not.
  std::vector<std::string> files = calibration.paths();
  std::string tokenizer = calibration.tokenizerPath();
  calibration.folder.clear();
  calibration.files = options.calibration.empty() ? files : options.calibration;
  calibration.tokenizer =
      options.tokenizer.empty() ? tokenizer : options.tokenizer;
  if (options.calibration.empty())
    return;
  calibration.sha256.clear(); // of the data that it replaces
  calibration.origin = {"--calibration", true};
}

Expected<Recipe> chooseRecipe(const CompressOptions &options) {
  registerPassesOnce();
  Expected<Recipe> recipe = load(options);
  if (!recipe)
    return coded(recipe.takeError());
  addCalibration(*recipe, options);
  if (Error error = addFlags(*recipe, options))
    return std::move(error);
  for (const std::string &assignment : options.overrides)
    if (Error error = overrideRecipe(*recipe, assignment))
      return coded(std::move(error));
  if (Error error = completeRecipe(*recipe))
    return coded(std::move(error));
  if (!recipe->version.empty() && recipe->version != versionText())
    printWarningLine(recipe->title + ": written by plmc " + recipe->version +
                     ", this is " + versionText() +
                     ": the bytes need not be the same");
  recipe->version = versionText().str();
  return recipe;
}

Error hashCalibration(Recipe &recipe) {
  RecipeCalibration &calibration = recipe.calibration;
  if (calibration.files.empty())
    return Error::success();
  llvm::SHA256 hash;
  for (const std::string &path : calibration.paths()) {
    auto buffer = readRegularFile(path);
    if (!buffer)
      return makeError(ExitCode::BadInput,
                       calibration.origin.text + ": calibration data '" + path +
                           "': " + llvm::toString(buffer.takeError()));
    hash.update((*buffer)->getBuffer());
  }
  std::string found = llvm::toHex(hash.final(), /*LowerCase=*/true);
  if (!calibration.sha256.empty() && calibration.sha256 != found)
    return makeError(ExitCode::BadInput,
                     calibration.origin.text +
                         ": the calibration data has sha256 " + found +
                         ", the recipe was made with " + calibration.sha256 +
                         "; use that data, or take the line out");
  calibration.sha256 = found;
  // What steps will read, read once before the model is: a slip in it is bad
  // input, not a pass that fails.
  for (const RecipeStep &step : recipe.steps)
    for (const RecipeOption &option : step.options)
      if (option.name == "calibration")
        return coded(CalibrationSet::read(option.values.front()).takeError());
  return Error::success();
}

bool readsTexts(const Recipe &recipe) {
  auto isText = [](const std::string &path) {
    return !StringRef(path).ends_with_insensitive(".npz");
  };
  return llvm::any_of(recipe.calibration.files, isText) ||
         llvm::any_of(recipe.steps, [](const RecipeStep &step) {
           return step.find("tokenizer") != nullptr;
         });
}

Recipe withoutFolders(Recipe recipe) {
  auto strip = [](std::string &path) {
    path = llvm::sys::path::filename(path).str();
  };
  recipe.calibration.folder.clear();
  for (std::string &file : recipe.calibration.files)
    strip(file);
  strip(recipe.calibration.tokenizer);
  for (RecipeStep &step : recipe.steps)
    for (RecipeOption &option : step.options)
      if (option.name == "tokenizer" || option.name == "output-tokenizer") {
        strip(option.values.front());
      } else if (option.name == "corpus") {
        llvm::for_each(option.values, strip);
      } else if (option.name == "calibration") {
        CalibrationPart part = CalibrationPart::parse(option.values.front());
        std::vector<std::string> files = part.files();
        llvm::for_each(files, strip);
        part.path = llvm::join(files, ";");
        strip(part.tokenizer);
        option.values = {part.text()};
      }
  return recipe;
}

} // namespace plmc
