//===- Vocabulary.cpp - The tokenizer that a module's ids are of ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Vocabulary.h"
#include "Output.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "plmc/Calibration/Part.h"
#include "plmc/Driver/Error.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"

using namespace mlir;
using llvm::Error;

namespace plmc {

static bool writesTokenizer(const RecipeStep &step) {
  const RecipeOption *method = step.find("method");
  return step.name == "reduce-vocabulary" && method &&
         method->values != std::vector<std::string>{"alias"};
}

/// What a step has from the recipe, with another tokenizer.
static void inheritTokenizer(RecipeStep &step, const std::string &tokenizer) {
  for (const char *name : {"tokenizer", "calibration"}) {
    const RecipeOption *option = step.find(name);
    if (!option || !option->inherited)
      continue;
    RecipeOption changed = *option;
    if (changed.name == "tokenizer") {
      changed.values = {tokenizer};
    } else {
      CalibrationPart part = CalibrationPart::parse(changed.values.front());
      if (part.tokenizer.empty())
        continue;
      part.tokenizer = tokenizer;
      changed.values = {part.text()};
    }
    step.set(std::move(changed));
  }
}

/// Gives each step that writes a tokenizer the folder that `folderOf` makes of
/// the one that it has, "" for none, and the steps behind that tokenizer.
static void setTokenizerFolders(
    Recipe &recipe,
    llvm::function_ref<std::string(const std::string &)> folderOf) {
  std::string current; // "": the recipe's
  for (RecipeStep &step : recipe.steps) {
    if (!current.empty())
      inheritTokenizer(step, current);
    if (!writesTokenizer(step))
      continue;
    const RecipeOption *known = step.find("output-tokenizer");
    std::string before = known ? known->values.front() : "";
    std::string folder = folderOf(before);
    if (folder != before)
      step.set({"output-tokenizer",
                {folder},
                /*isList=*/false,
                step.origin,
                /*inherited=*/true});
    if (!folder.empty())
      current = folder;
  }
}

void chooseTokenizerFolder(Recipe &recipe, StringRef output) {
  setTokenizerFolders(recipe, [&](const std::string &known) {
    if (!known.empty() || output.empty())
      return known;
    SmallString<128> folder(output);
    llvm::sys::path::replace_extension(folder, ".tokenizer");
    return folder.str().str();
  });
}

NewTokenizers::NewTokenizers(Recipe &recipe) {
  setTokenizerFolders(recipe, [&](const std::string &folder) {
    SmallString<128> temporary;
    if (folder.empty() ||
        llvm::sys::fs::createUniqueDirectory("plmc-tokenizer", temporary))
      return folder;
    for (const char *name : files)
      llvm::sys::RemoveFileOnSignal((temporary + "/" + name).str());
    folders.push_back({temporary.str().str(), folder});
    return temporary.str().str();
  });
}

NewTokenizers::~NewTokenizers() {
  for (auto &[temporary, folder] : folders) {
    llvm::sys::fs::remove_directories(temporary);
    for (const char *name : files)
      llvm::sys::DontRemoveFileOnSignal(temporary + "/" + name);
  }
}

Error NewTokenizers::check() const {
  for (auto &[temporary, folder] : folders) {
    StringRef existing = folder;
    while (!existing.empty() && !llvm::sys::fs::exists(existing))
      existing = llvm::sys::path::parent_path(existing);
    if (existing.empty())
      existing = ".";
    if (!llvm::sys::fs::is_directory(existing) ||
        llvm::sys::fs::access(existing, llvm::sys::fs::AccessMode::Write))
      return makeError(ExitCode::Usage,
                       "output-tokenizer: cannot make the folder '" + folder +
                           "': '" + existing +
                           "' is no folder that can be written to");
  }
  return Error::success();
}

Error NewTokenizers::putInPlace() {
  for (auto &[temporary, folder] : folders) {
    if (std::error_code code = llvm::sys::fs::create_directories(folder))
      return makeError(ExitCode::Internal, "cannot make the folder '" + folder +
                                               "': " + code.message());
    for (const char *name : files) {
      auto text = llvm::MemoryBuffer::getFile(temporary + "/" + name);
      if (!text) // not every kind has all of them
        continue;
      if (Error error =
              writeFile(folder + "/" + name, [&](llvm::raw_ostream &os) {
                os << (*text)->getBuffer();
              }))
        return error;
    }
  }
  return Error::success();
}

static DictionaryAttr vocabularyOf(ModuleOp module) {
  return module->getAttrOfType<DictionaryAttr>("plm.vocabulary");
}

std::string vocabularyHash(ModuleOp module) {
  DictionaryAttr vocabulary = vocabularyOf(module);
  auto hash = vocabulary ? vocabulary.getAs<StringAttr>("hash") : StringAttr();
  return hash ? hash.str() : "";
}

bool hasOtherIds(ModuleOp module, Attribute before) {
  DictionaryAttr now = vocabularyOf(module);
  return now && now != before && now.get("renumbered");
}

Error matchTokenizer(ModuleOp module, const Recipe &recipe,
                     std::unique_ptr<Tokenizer> &tokenizer) {
  std::string hash = vocabularyHash(module);
  if (!tokenizer || hash.empty() || hash == tokenizer->vocabularyHash())
    return Error::success();
  for (const RecipeStep &step : recipe.steps) {
    const RecipeOption *folder = step.find("output-tokenizer");
    if (!writesTokenizer(step) || !folder)
      continue;
    auto opened = Tokenizer::open(folder->values.front());
    if (!opened)
      return withCode(opened.takeError(), ExitCode::BadInput);
    tokenizer = std::move(*opened);
    if (hash == tokenizer->vocabularyHash())
      return Error::success();
  }
  auto ids = vocabularyOf(module).getAs<IntegerAttr>("ids");
  return makeError(ExitCode::BadInput,
                   "--tokenizer: its vocabulary (" + Twine(tokenizer->size()) +
                       " pieces, " + tokenizer->vocabularyHash() +
                       ") is not the model's (" +
                       Twine(ids ? ids.getInt() : 0) + " pieces, " + hash +
                       "); give the one that was written when the model's was "
                       "reduced");
}

} // namespace plmc
