//===- OutputMeaning.cpp - What an output of a model is
//----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/Distance.h"

using namespace mlir;

namespace plmc {

StringRef outputMeaningName(OutputMeaning kind) {
  switch (kind) {
  case OutputMeaning::Embedding:
    return "embedding";
  case OutputMeaning::Tokens:
    return "tokens";
  case OutputMeaning::Logits:
    return "logits";
  case OutputMeaning::TokenLogits:
    return "token logits";
  case OutputMeaning::Positions:
    return "positions";
  }
  return "";
}

static bool hasAny(StringRef name, std::initializer_list<StringRef> parts) {
  return llvm::any_of(
      parts, [&](StringRef part) { return name.contains_insensitive(part); });
}

std::optional<OutputMeaning>
outputMeaning(StringRef name, RankedTensorType type, const InputRoles &roles) {
  constexpr int64_t fewColumns = 32;
  if (!isa<FloatType>(type.getElementType()) || type.getRank() < 2)
    return std::nullopt;
  SmallVector<DimExpr> dims = getDims(type);
  if (dims[0] != roles.batch)
    return std::nullopt;
  bool named = hasAny(name, {"logit", "score", "prob"});
  if (dims.size() == 3 && dims[1] == roles.sequence)
    return named ? OutputMeaning::TokenLogits : OutputMeaning::Tokens;
  if (dims.size() != 2)
    return std::nullopt;
  if (dims[1] == roles.sequence)
    return OutputMeaning::Positions;
  bool few = dims[1].constant().value_or(fewColumns + 1) <= fewColumns;
  if (named || (few && !hasAny(name, {"embed", "pool", "hidden"})))
    return OutputMeaning::Logits;
  return OutputMeaning::Embedding;
}

} // namespace plmc
