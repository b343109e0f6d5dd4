//===- Tokenize.cpp - plmc tokenize ---------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Tokenize.h"
#include "plmc/Tokenizer/Tokenizer.h"
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

Error tokenize(const TokenizeOptions &options, llvm::raw_ostream &out) {
  if (options.texts.empty() == options.file.empty())
    return makeError(ExitCode::Usage,
                     "give --text or a file with one text a line");
  TokenizerOptions open;
  open.lowercase = options.lowercase;
  auto tokenizer = Tokenizer::open(options.tokenizer, open);
  if (!tokenizer)
    return withCode(tokenizer.takeError(), ExitCode::BadInput);
  for (const std::string &text : options.texts)
    if (Error error = one(**tokenizer, text, options, out))
      return error;
  if (options.file.empty())
    return Error::success();
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
