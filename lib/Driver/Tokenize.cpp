//===- Tokenize.cpp - plmc tokenize ---------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Tokenize.h"
#include "Output.h"
#include "plmc/Execution/LoadedModel.h"
#include "plmc/Tokenizer/Tokenizer.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <nlohmann/json.hpp>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace plmc {

static void print(const Tokenizer &tokenizer, const Encoding &encoding,
                  const TokenizeOptions &options, llvm::raw_ostream &out) {
  nlohmann::ordered_json names = nlohmann::json::array();
  if (options.pieces)
    for (int32_t id : encoding.ids)
      names.push_back(tokenizer.piece(id).str());
  if (options.json) {
    nlohmann::ordered_json line;
    line["ids"] = encoding.ids;
    line["types"] = encoding.types;
    if (options.pieces)
      line["pieces"] = names;
    out << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
        << "\n";
    return;
  }
  const char *space = "";
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    out << space;
    if (options.pieces)
      out << tokenizer.piece(encoding.ids[i]);
    else
      out << encoding.ids[i];
    space = " ";
  }
  out << "\n";
}

static Error one(const Tokenizer &tokenizer, StringRef text,
                 const TokenizeOptions &options, llvm::raw_ostream &out) {
  EncodeOptions how;
  how.maxLength = options.maxLength;
  how.addSpecial = !options.noSpecial;
  auto [first, second] = text.split('\t');
  Expected<Encoding> encoding = options.pairs
                                    ? tokenizer.encodePair(first, second, how)
                                    : tokenizer.encode(text, how);
  if (!encoding)
    return withCode(encoding.takeError(), ExitCode::BadInput);
  print(tokenizer, *encoding, options, out);
  return Error::success();
}

/// Ids of another vocabulary give outputs like any others, only wrong ones.
static Error checkLibrary(const std::string &path, const Tokenizer &tokenizer) {
  if (Error error = checkReadable(path))
    return error;
  Expected<std::unique_ptr<LoadedModel>> model =
      LoadedModel::open(path, /*describeOnly=*/true);
  if (!model)
    return withCode(model.takeError(), ExitCode::BadInput);
  nlohmann::json description = nlohmann::json::parse(
      (*model)->description().str(), nullptr, /*allow_exceptions=*/false);
  std::string hash;
  for (const char *place :
       {"/build/vocabulary", "/build/tokenizer/vocabulary"}) {
    nlohmann::json::json_pointer pointer(place);
    if (hash.empty() && description.is_object() &&
        description.contains(pointer) && description[pointer].is_string())
      hash = description[pointer].get<std::string>();
  }
  if (hash.empty())
    return makeError(ExitCode::BadInput,
                     "--for: '" + path +
                         "' does not say which vocabulary its ids are of; it "
                         "does if it was made with --tokenizer");
  if (hash == tokenizer.vocabularyHash())
    return Error::success();
  return makeError(ExitCode::BadInput,
                   "--tokenizer: its vocabulary (" +
                       tokenizer.vocabularyHash() + ") is not that of '" +
                       path + "' (" + hash +
                       "); give the one that was written when the model's was "
                       "reduced");
}

Error tokenize(const TokenizeOptions &options, llvm::raw_ostream &out) {
  if (options.texts.empty() == options.file.empty())
    return makeError(ExitCode::Usage,
                     "give --text or a file with one text a line");
  TokenizerOptions open;
  open.lowercase = options.lowercase;
  auto tokenizer = Tokenizer::open(options.tokenizer, open);
  if (!tokenizer)
    return withCode(tokenizer.takeError(), ExitCode::BadInput);
  if (!options.library.empty())
    if (Error error = checkLibrary(options.library, **tokenizer))
      return error;
  for (const std::string &text : options.texts)
    if (Error error = one(**tokenizer, text, options, out))
      return error;
  if (options.file.empty())
    return Error::success();
  llvm::sys::fs::file_status status;
  if (options.file != "-" && !llvm::sys::fs::status(options.file, status) &&
      status.type() == llvm::sys::fs::file_type::character_file)
    return makeError(ExitCode::BadInput,
                     "reading '" + options.file +
                         "': it is a device; '-' reads standard input");
  auto buffer = llvm::MemoryBuffer::getFileOrSTDIN(options.file);
  if (!buffer)
    return makeError(ExitCode::BadInput, "reading '" + options.file + "': " +
                                             buffer.getError().message());
  StringRef rest = (*buffer)->getBuffer();
  while (!rest.empty()) {
    auto [line, tail] = rest.split('\n');
    if (Error error = one(**tokenizer, line, options, out))
      return error;
    rest = tail;
  }
  return Error::success();
}

} // namespace plmc
