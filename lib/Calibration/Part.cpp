//===- Part.cpp - A part of a calibration file ----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/Part.h"
#include "llvm/Support/FileSystem.h"

using llvm::StringRef;

namespace plmc {

/// A number from 1 on after "NAME=", or nothing after "NAME".
static bool parseField(StringRef field, StringRef name, int64_t &number) {
  if (!field.consume_front(name))
    return false;
  if (field.empty())
    return true;
  return field.consume_front("=") && !field.getAsInteger(10, number) &&
         number > 0;
}

CalibrationPart CalibrationPart::parse(StringRef text) {
  CalibrationPart whole;
  whole.path = text.str();
  auto [path, suffix] = text.rsplit('#');
  if (suffix.empty() || llvm::sys::fs::exists(text))
    return whole;
  CalibrationPart part;
  part.path = path.str();
  // The last field, since its value may be anything.
  if (size_t at = suffix.find("tokenizer="); at != StringRef::npos) {
    part.tokenizer = suffix.substr(at + 10).str();
    suffix = suffix.take_front(at ? at - 1 : 0);
    if (suffix.empty())
      return part;
  }
  auto [first, second] = suffix.split(',');
  if (parseField(first, "fit", part.sequences))
    part.kind = Kind::Fit;
  else if (parseField(first, "held-out", part.sequences))
    part.kind = Kind::HeldOut;
  else if (!second.empty() || !parseField(first, "max-length", part.maxLength))
    return whole;
  if (!second.empty() && !parseField(second, "max-length", part.maxLength))
    return whole;
  return part;
}

std::string CalibrationPart::text() const {
  std::string text = path, separator = "#";
  auto add = [&](std::string field) {
    text += separator + field;
    separator = ",";
  };
  if (kind != Kind::All)
    add((kind == Kind::Fit ? "fit" : "held-out") +
        (sequences ? "=" + std::to_string(sequences) : ""));
  if (maxLength)
    add("max-length=" + std::to_string(maxLength));
  if (!tokenizer.empty())
    add("tokenizer=" + tokenizer);
  return text;
}

std::vector<std::string> CalibrationPart::files() const {
  llvm::SmallVector<StringRef> parts;
  // A file may have the separator in its name.
  if (llvm::sys::fs::exists(path))
    return {path};
  StringRef(path).split(parts, ';', -1, /*KeepEmpty=*/false);
  return {parts.begin(), parts.end()};
}

void CalibrationPart::apply(CalibrationSet &set) const {
  // As tokenizers do: the last token, which ends a sentence, stays.
  auto cut = [&](std::vector<int64_t> tokens) {
    if (maxLength && int64_t(tokens.size()) > maxLength)
      tokens.erase(tokens.begin() + maxLength - 1, tokens.end() - 1);
    return tokens;
  };
  CalibrationSet result;
  for (size_t i = 0; i < set.sequences.size(); ++i) {
    bool fitted = sequences ? int64_t(i) < sequences : i % 5 != 4;
    if (kind != Kind::All && fitted != (kind == Kind::Fit))
      continue;
    result.sequences.push_back(cut(std::move(set.sequences[i])));
    result.types.push_back(cut(std::move(set.types[i])));
    result.rows.push_back(i < set.rows.size() ? set.rows[i] : i);
  }
  set = std::move(result);
}

} // namespace plmc
