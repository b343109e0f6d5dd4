//===- WriteVocabulary.cpp - Files of a smaller vocabulary
//-------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WriteVocabulary.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace plmc;

static llvm::Error write(llvm::StringRef folder, llvm::StringRef name,
                         llvm::StringRef text) {
  llvm::SmallString<128> path(folder);
  llvm::sys::path::append(path, name);
  llvm::Error error =
      llvm::writeToOutput(path, [&](llvm::raw_ostream &os) -> llvm::Error {
        os << text;
        return llvm::Error::success();
      });
  if (!error)
    return error;
  return llvm::createStringError("output-tokenizer: cannot write '" +
                                 cleanText(path) +
                                 "': " + llvm::toString(std::move(error)));
}

llvm::Error plmc::writeVocabulary(llvm::StringRef folder,
                                  const Tokenizer &tokenizer,
                                  llvm::ArrayRef<int32_t> newIds) {
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError(
        "output-tokenizer: cannot make the folder '" + cleanText(folder) +
        "': " + code.message());
  if (llvm::Error error = write(folder, "tokenizer.json", tokenizer.json()))
    return error;
  if (tokenizer.kind() == "WordPiece")
    if (llvm::Error error = write(folder, "vocab.txt", tokenizer.vocabText()))
      return error;
  std::string ids;
  for (auto [old, id] : llvm::enumerate(newIds))
    ids += std::to_string(old) + "\t" + std::to_string(id) + "\n";
  return write(folder, "ids.tsv", ids);
}
