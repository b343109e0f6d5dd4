//===- LabelledTexts.cpp - Texts as a model reads them --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LabelledTexts.h"
#include "plmc/Support/Text.h"

using llvm::Error;
using llvm::Expected;
using llvm::Twine;

namespace plmc {

/// The most tokens that the model takes, at most 512.
static int64_t longestLength(const InputRoles &roles) {
  constexpr int64_t most = 512;
  if (auto fixed = roles.sequence.constant())
    return *fixed;
  auto fits = [&](int64_t length) {
    std::map<std::string, int64_t> values;
    for (const std::string &symbol : roles.sequence.symbols())
      values[symbol] = length;
    return llvm::all_of(
        roles.constraints, [&](const InputRoles::Constraint &constraint) {
          auto value = constraint.expr.evaluate(values);
          return !value || (constraint.equal ? *value == 0 : *value >= 0);
        });
  };
  int64_t length = most;
  while (length > 1 && !fits(length))
    --length;
  return length;
}

static Error add(CalibrationSet &ids, Expected<Encoding> encoding) {
  if (!encoding)
    return encoding.takeError();
  ids.rows.push_back(ids.sequences.size());
  ids.sequences.emplace_back(encoding->ids.begin(), encoding->ids.end());
  ids.types.emplace_back(encoding->types.begin(), encoding->types.end());
  return Error::success();
}

/// It would index behind the table's end.
static Error checkRows(const Tokenizer &tokenizer, const InputRoles &roles) {
  int64_t rows = 0;
  for (const InputRole &role : roles.inputs)
    if (role.kind == InputRole::Kind::Ids)
      rows = std::max(rows, role.limit);
  if (rows <= 2 || int64_t(tokenizer.size()) <= rows)
    return Error::success();
  return llvm::createStringError("the tokenizer has " +
                                 Twine(tokenizer.size()) +
                                 " ids, the model's table " + Twine(rows) +
                                 " rows: it is another model's");
}

Expected<CalibrationSet> encodeTexts(const LabelledSet &set, bool apart,
                                     const Tokenizer &tokenizer,
                                     const InputRoles &roles) {
  if (Error error = checkRows(tokenizer, roles))
    return std::move(error);
  apart = apart && set.hasPairs();
  CalibrationSet ids;
  EncodeOptions options;
  options.maxLength = uint32_t(longestLength(roles));
  if (uint32_t most = tokenizer.maxLength())
    options.maxLength = std::min(options.maxLength, most);
  for (size_t i = 0; i < set.first.size(); ++i) {
    Error error = set.hasPairs() && !apart
                      ? add(ids, tokenizer.encodePair(set.first[i],
                                                      set.second[i], options))
                      : add(ids, tokenizer.encode(set.first[i], options));
    if (!error && apart)
      error = add(ids, tokenizer.encode(set.second[i], options));
    if (error)
      return std::move(error);
    for (size_t at = ids.sequences.size() - (apart ? 2 : 1);
         at < ids.sequences.size(); ++at)
      if (ids.sequences[at].empty())
        return llvm::createStringError(cleanText(set.path) + ":" +
                                       Twine(set.lines[i]) +
                                       ": a text without any token");
  }
  return ids;
}

} // namespace plmc
