//===- BuildRecord.cpp - What a library says of its making ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BuildRecord.h"
#include "ChooseRecipe.h"
#include "Import.h"
#include "Pipeline.h"
#include "Vocabulary.h"
#include "plmc/Driver/Version.h"
#include "llvm/Support/Path.h"
#include <nlohmann/json.hpp>

using namespace mlir;

namespace plmc {

std::string buildRecord(ModuleOp module, const Recipe &recipe,
                        const ModelSummary &after, const Tokenizer *tokenizer,
                        const CompressOptions &options, OutputFormat format) {
  nlohmann::ordered_json record;
  record["plmc"] = versionText().str();
  record["input"] =
      llvm::sys::path::filename(StringRef(options.input).rtrim('/')).str();
  record["inputBytes"] = modelBytes(options.input);
  record["target"] = options.target;
  record["padding"] = options.computePadding ? "compute" : "skip";
  Recipe shown = withoutFolders(recipe);
  record["recipe"] = nlohmann::ordered_json::parse(recipeToJSON(shown), nullptr,
                                                   /*allow_exceptions=*/false);
  record["pipeline"] =
      llvm::cantFail(pipelineText(shown, options, format, module.getContext()));
  if (tokenizer)
    record["tokenizer"] = {{"file", llvm::sys::path::filename(
                                        StringRef(options.tokenizer).rtrim('/'))
                                        .str()},
                           {"kind", tokenizer->kind().str()},
                           {"ids", tokenizer->size()},
                           {"vocabulary", tokenizer->vocabularyHash()},
                           {"maxLength", tokenizer->maxLength()},
                           {"bytes", tokenizer->image().size()}};
  if (std::string hash = vocabularyHash(module); !hash.empty())
    record["vocabulary"] = hash;
  record["parameters"] = after.parameters;
  record["family"] = after.family;
  return record.dump(-1, ' ', false,
                     nlohmann::ordered_json::error_handler_t::replace);
}

} // namespace plmc
