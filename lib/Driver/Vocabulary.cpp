//===- Vocabulary.cpp - The tokenizer that a module's ids are of ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Vocabulary.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "plmc/Driver/Error.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using llvm::Error;

namespace plmc {

static bool writesTokenizer(const RecipeStep &step) {
  const RecipeOption *method = step.find("method");
  return step.name == "reduce-vocabulary" && method &&
         method->values != std::vector<std::string>{"alias"};
}

void chooseTokenizerFolder(Recipe &recipe, StringRef output) {
  for (RecipeStep &step : recipe.steps) {
    if (output.empty() || !writesTokenizer(step) ||
        step.find("output-tokenizer"))
      continue;
    SmallString<128> folder(output);
    llvm::sys::path::replace_extension(folder, ".tokenizer");
    step.set({"output-tokenizer",
              {folder.str().str()},
              /*isList=*/false,
              step.origin,
              /*inherited=*/true});
  }
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
