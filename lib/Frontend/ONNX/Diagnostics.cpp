//===- Diagnostics.cpp - One line an error --------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Diagnostics.h"
#include "llvm/ADT/StringExtras.h"

using llvm::StringRef;

char plmc::ImportError::ID;

namespace plmc::importer {

std::string printable(StringRef text, size_t limit) {
  // Cut first: a name may be as long as the file.
  bool cut = text.size() > limit;
  std::string result = cleanText(text.take_front(limit));
  return cut ? result + "..." : result;
}

std::string identifier(StringRef text) {
  std::string result;
  for (char c : text.take_front(64))
    result += llvm::isAlnum(c) || c == '_' ? c : '_';
  if (result.empty() || llvm::isDigit(result.front()))
    result = "d" + result;
  return result;
}

std::string symbolName(StringRef text) {
  std::string result;
  for (char c : text.take_front(200))
    result += llvm::isAlnum(c) || c == '_' || c == '.' || c == '$' ? c : '_';
  if (result.empty() || llvm::isDigit(result.front()) || result.front() == '.')
    result = "_" + result;
  return result;
}

llvm::Error badModel(const llvm::Twine &message) {
  return llvm::make_error<ImportError>(ImportError::Kind::BadModel,
                                       message.str());
}

llvm::Error unsupported(const llvm::Twine &message) {
  return llvm::make_error<ImportError>(ImportError::Kind::Unsupported,
                                       message.str());
}

} // namespace plmc::importer
