//===- Print.cpp - A recipe as YAML ---------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Recipe/Recipe.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"
#include <nlohmann/json.hpp>

using llvm::StringRef;

namespace plmc {

/// As it is where that can be nothing but text or a number, else in double
/// quotes.
static std::string yamlText(StringRef text) {
  bool plain = !text.empty() && llvm::all_of(text, [](char c) {
    return llvm::isAlnum(c) || StringRef("._/+-").contains(c);
  });
  // "-" and "." begin other things; null, true and numbers mean the same here.
  if (plain && (llvm::isAlnum(text[0]) || text[0] == '/' || text[0] == '-') &&
      text != "-" && text != "null" && text != "---")
    return text.str();
  std::string result = "\"";
  for (char c : text)
    if (c == '"' || c == '\\')
      (result += '\\') += c;
    else if ((unsigned char)c < 0x20)
      result += "\\x" + llvm::utohexstr((unsigned char)c, false, 2);
    else
      result += c;
  return result + "\"";
}

static std::string listOf(llvm::ArrayRef<std::string> values) {
  std::string text = "[";
  for (auto [index, value] : llvm::enumerate(values))
    text += (index ? ", " : "") + yamlText(value);
  return text + "]";
}

static void printCalibration(const RecipeCalibration &calibration,
                             llvm::raw_ostream &os) {
  if (calibration.files.empty())
    return;
  os << "calibration:\n  file: ";
  std::vector<std::string> paths = calibration.paths();
  os << (paths.size() == 1 ? yamlText(paths[0]) : listOf(paths)) << "\n";
  if (!calibration.tokenizer.empty())
    os << "  tokenizer: " << yamlText(calibration.tokenizerPath()) << "\n";
  if (calibration.sequences)
    os << "  sequences: " << calibration.sequences << "\n";
  if (calibration.maxLength)
    os << "  max-length: " << calibration.maxLength << "\n";
  if (!calibration.sha256.empty())
    os << "  sha256: " << yamlText(calibration.sha256) << "\n";
}

std::string printOptions(const RecipeStep &step) {
  std::string text;
  for (const RecipeOption &option : step.options)
    if (!option.inherited)
      text += (text.empty() ? "{ " : ", ") + yamlText(option.name) + ": " +
              (option.isList ? listOf(option.values)
                             : yamlText(option.values.front()));
  return text.empty() ? text : text + " }";
}

std::string printRecipe(const Recipe &recipe) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "version: 1\n";
  if (!recipe.version.empty())
    os << "plmc: " << yamlText(recipe.version) << "\n";
  os << "seed: " << recipe.seed << "\n";
  printCalibration(recipe.calibration, os);
  os << "steps:" << (recipe.steps.empty() ? " []\n" : "\n");
  for (const RecipeStep &step : recipe.steps) {
    std::string options = printOptions(step);
    os << "  - " << yamlText(step.name) << (options.empty() ? ":" : ": ")
       << options << "\n";
  }
  return text;
}

using Json = nlohmann::ordered_json;

/// A number where it would be written the same.
static Json valueOf(const std::string &text) {
  int64_t number;
  if (!StringRef(text).getAsInteger(10, number) &&
      std::to_string(number) == text)
    return number;
  return text;
}

std::string recipeToJSON(const Recipe &recipe) {
  Json json = {{"version", 1}};
  if (!recipe.version.empty())
    json["plmc"] = recipe.version;
  json["seed"] = recipe.seed;
  const RecipeCalibration &calibration = recipe.calibration;
  if (!calibration.files.empty()) {
    Json &entry = json["calibration"] = {{"file", calibration.paths()}};
    if (!calibration.tokenizer.empty())
      entry["tokenizer"] = calibration.tokenizerPath();
    if (calibration.sequences)
      entry["sequences"] = calibration.sequences;
    if (calibration.maxLength)
      entry["max-length"] = calibration.maxLength;
    if (!calibration.sha256.empty())
      entry["sha256"] = calibration.sha256;
  }
  json["steps"] = Json::array();
  for (const RecipeStep &step : recipe.steps) {
    Json options = Json::object();
    for (const RecipeOption &option : step.options)
      if (!option.inherited)
        options[option.name] =
            option.isList ? Json(option.values) : valueOf(option.values[0]);
    json["steps"].push_back({{step.name, std::move(options)}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace plmc
