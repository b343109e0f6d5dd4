//===- TokenCounts.cpp - How often each id is used
//---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TokenCounts.h"
#include "plmc/Calibration/CalibrationSet.h"
#include "plmc/Support/ReadFile.h"
#include "plmc/Support/Text.h"

using namespace plmc;

llvm::Error
plmc::forEachLine(llvm::ArrayRef<std::string> files,
                  llvm::function_ref<llvm::Error(llvm::StringRef)> visit) {
  for (const std::string &path : files) {
    auto buffer = readRegularFile(path);
    if (!buffer)
      return llvm::createStringError("corpus '" + cleanText(path) + "': " +
                                     llvm::toString(buffer.takeError()));
    llvm::StringRef rest = (*buffer)->getBuffer();
    while (!rest.empty()) {
      auto [line, next] = rest.split('\n');
      if (llvm::Error error = visit(line))
        return error;
      rest = next;
    }
  }
  return llvm::Error::success();
}

llvm::Expected<std::vector<double>>
plmc::countTokens(const Tokenizer *tokenizer,
                  llvm::ArrayRef<std::string> corpus,
                  llvm::StringRef calibration, int64_t rows) {
  std::vector<double> counts(rows, 0);
  if (corpus.empty() && calibration.empty())
    return llvm::createStringError(
        "which pieces stay is told by what texts use: give corpus=FILE.txt,... "
        "or calibration=FILE.npz");
  if (!calibration.empty()) {
    auto set = CalibrationSet::read(calibration);
    if (!set)
      return set.takeError();
    auto found = set->frequencies(rows);
    if (!found)
      return found.takeError();
    counts = std::move(*found);
  }
  if (corpus.empty())
    return counts;
  if (!tokenizer)
    return llvm::createStringError(
        "a corpus needs the model's tokenizer: give tokenizer=FILE");
  // The whole line, whatever length the file cuts texts off at.
  EncodeOptions options{/*maxLength=*/UINT32_MAX, /*addSpecial=*/false};
  bool any = false;
  if (llvm::Error error =
          forEachLine(corpus, [&](llvm::StringRef line) -> llvm::Error {
            auto encoding = tokenizer->encode(line, options);
            if (!encoding)
              return encoding.takeError();
            for (int32_t id : encoding->ids) {
              any = true;
              ++counts[id]; // below the tokenizer's size, and that below rows
            }
            return llvm::Error::success();
          }))
    return std::move(error);
  if (!any)
    return llvm::createStringError("corpus: there is no text in it");
  return counts;
}
