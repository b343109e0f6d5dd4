//===- Parse.cpp - YAML to a recipe ---------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "YamlTree.h"
#include "plmc/Recipe/Recipe.h"
#include "plmc/Recipe/Steps.h"
#include "plmc/Support/Text.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace plmc {

Error recipeError(const RecipeOrigin &origin, const Twine &message) {
  std::string text = origin.text + ": " + message.str();
  if (origin.commandLine)
    return llvm::createStringError(
        std::make_error_code(std::errc::invalid_argument), text);
  return llvm::createStringError(text);
}

namespace {

class RecipeReader {
public:
  RecipeReader(StringRef title) : title(title) { recipe.title = title; }
  Expected<Recipe> read(const YamlNode &root);

private:
  RecipeOrigin at(const YamlNode &node) const {
    return {title + ":" + std::to_string(node.line), false};
  }
  Error fail(const YamlNode &node, const Twine &message) const {
    return recipeError(at(node), message);
  }
  Error expect(const YamlNode &node, YamlNode::Kind kind, StringRef name,
               StringRef example) const;
  Error readText(const YamlNode &node, StringRef name, std::string &text) const;
  template <typename T>
  Error readNumber(const YamlNode &node, StringRef name, T &number) const;
  Error readCalibration(const YamlNode &node);
  Error readStep(const YamlNode &node);
  Error readOption(RecipeStep &step, StringRef name, const YamlNode &node);

  std::string title;
  Recipe recipe;
};

} // namespace

Error RecipeReader::expect(const YamlNode &node, YamlNode::Kind kind,
                           StringRef name, StringRef example) const {
  if (node.kind == kind)
    return Error::success();
  YamlNode wanted;
  wanted.kind = kind;
  return fail(node, name + " is " + node.kindName() + ", not " +
                        wanted.kindName() + "; e.g. " + example);
}

Error RecipeReader::readText(const YamlNode &node, StringRef name,
                             std::string &text) const {
  if (node.kind != YamlNode::Kind::Scalar)
    return fail(node, name + " is " + node.kindName() + ", not one value");
  text = node.scalar;
  return Error::success();
}

template <typename T>
Error RecipeReader::readNumber(const YamlNode &node, StringRef name,
                               T &number) const {
  std::string text;
  if (Error error = readText(node, name, text))
    return error;
  if (StringRef(text).getAsInteger(10, number) || int64_t(number) < 0)
    return fail(node, name + ": '" + text + "' is no integer from 0 on");
  return Error::success();
}

Error RecipeReader::readCalibration(const YamlNode &node) {
  if (Error error = expect(node, YamlNode::Kind::Map, "calibration",
                           "calibration: { file: calibration.npz }"))
    return error;
  RecipeCalibration &result = recipe.calibration;
  result.origin = at(node);
  for (auto [key, value] : llvm::zip(node.keys, node.items)) {
    Error error = Error::success();
    if (key == "file" && value.kind == YamlNode::Kind::List) {
      for (const YamlNode &item : value.items)
        if (!error)
          error =
              readText(item, "calibration.file", result.files.emplace_back());
    } else if (key == "file") {
      error = readText(value, "calibration.file", result.files.emplace_back());
    } else if (key == "tokenizer") {
      error = readText(value, "calibration.tokenizer", result.tokenizer);
    } else if (key == "sequences") {
      error = readNumber(value, "calibration.sequences", result.sequences);
    } else if (key == "max-length") {
      error = readNumber(value, "calibration.max-length", result.maxLength);
    } else if (key == "sha256") {
      error = readText(value, "calibration.sha256", result.sha256);
    } else {
      error =
          fail(value, "calibration has no '" + key + "'" +
                          nearestName(key, {"file", "tokenizer", "sequences",
                                            "max-length", "sha256"}));
    }
    if (error)
      return error;
  }
  for (const std::string &file : result.files)
    if (file.empty())
      return fail(node, "calibration.file is an empty name");
  return Error::success();
}

Error RecipeReader::readOption(RecipeStep &step, StringRef name,
                               const YamlNode &node) {
  RecipeOption option;
  option.name = name.str();
  option.origin = at(node);
  option.isList = node.kind == YamlNode::Kind::List;
  std::string full = step.name + "." + option.name;
  if (!option.isList) {
    if (Error error = readText(node, full, option.values.emplace_back()))
      return error;
  } else {
    for (const YamlNode &item : node.items)
      if (Error error = readText(item, "an item of " + full,
                                 option.values.emplace_back()))
        return error;
  }
  step.options.push_back(std::move(option));
  return Error::success();
}

Error RecipeReader::readStep(const YamlNode &node) {
  RecipeStep step;
  step.origin = at(node);
  if (node.kind == YamlNode::Kind::Scalar) { // no options
    step.name = node.scalar;
  } else {
    if (Error error = expect(node, YamlNode::Kind::Map, "a step",
                             "- quantize: { bits: 4 }"))
      return error;
    if (node.keys.size() != 1)
      return fail(node, "a step is one name with its options, e.g. "
                        "'- quantize: { bits: 4 }'; here are " +
                            Twine(node.keys.size()) +
                            " names (are the options indented?)");
    step.name = node.keys[0];
    const YamlNode &options = node.items[0];
    if (options.kind != YamlNode::Kind::Null) {
      if (Error error = expect(options, YamlNode::Kind::Map, step.name,
                               "- quantize: { bits: 4 }"))
        return error;
      for (auto [key, value] : llvm::zip(options.keys, options.items))
        if (Error error = readOption(step, key, value))
          return error;
    }
  }
  recipe.steps.push_back(std::move(step));
  return Error::success();
}

Expected<Recipe> RecipeReader::read(const YamlNode &root) {
  if (root.kind == YamlNode::Kind::Null)
    return llvm::createStringError(
        title + ": is empty; a recipe begins with 'version: 1'");
  if (Error error =
          expect(root, YamlNode::Kind::Map, "the recipe", "version: 1"))
    return std::move(error);
  // First, as another version may mean anything by the rest.
  auto version = llvm::find(root.keys, "version");
  if (version == root.keys.end())
    return fail(root, "there is no 'version'; this plmc reads 'version: 1'");
  const YamlNode &number = root.items[version - root.keys.begin()];
  if (number.scalar != "1")
    return fail(number, "version is '" + number.scalar +
                            "', this plmc reads 'version: 1'");
  for (auto [key, value] : llvm::zip(root.keys, root.items)) {
    Error error = Error::success();
    if (key == "version") {
      continue;
    } else if (key == "plmc") {
      error = readText(value, key, recipe.version);
    } else if (key == "seed") {
      error = readNumber(value, key, recipe.seed);
    } else if (key == "calibration") {
      error = readCalibration(value);
    } else if (key == "steps") {
      if (value.kind != YamlNode::Kind::Null)
        error = expect(value, YamlNode::Kind::List, key,
                       "steps: [ quantize: { bits: 4 } ]");
      for (const YamlNode &item : value.items)
        if (!error)
          error = readStep(item);
    } else {
      error = fail(value, "a recipe has no '" + key + "'" +
                              nearestName(key, {"version", "plmc", "seed",
                                                "calibration", "steps"}));
    }
    if (error)
      return std::move(error);
  }
  return std::move(recipe);
}

Expected<Recipe> parseRecipe(StringRef text, StringRef title) {
  Expected<YamlNode> root = parseYaml(text, title);
  if (!root)
    return root.takeError();
  return RecipeReader(title).read(*root);
}

Expected<Recipe> readRecipe(StringRef path) {
  llvm::sys::fs::file_status status;
  std::error_code code = llvm::sys::fs::status(path, status);
  if (!code && status.type() != llvm::sys::fs::file_type::regular_file)
    return llvm::createStringError("'" + path + "' is no regular file");
  if (!code && status.getSize() > (1 << 20))
    return llvm::createStringError(path +
                                   ": is larger than 1 MB; that is no recipe");
  llvm::ErrorOr<std::unique_ptr<llvm::MemoryBuffer>> buffer =
      code ? code : llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return llvm::createStringError("reading the recipe '" + path +
                                   "': " + buffer.getError().message());
  Expected<Recipe> recipe = parseRecipe((*buffer)->getBuffer(), path);
  if (recipe)
    recipe->calibration.folder = llvm::sys::path::parent_path(path).str();
  return recipe;
}

} // namespace plmc
