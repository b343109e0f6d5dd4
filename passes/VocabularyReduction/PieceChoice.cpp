//===- PieceChoice.cpp - Which pieces stay --------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PieceChoice.h"
#include "llvm/ADT/STLExtras.h"
#include <numeric>
#include <set>

using namespace plmc;

llvm::Expected<std::vector<int32_t>> plmc::choosePieces(
    llvm::ArrayRef<double> counts, llvm::ArrayRef<int32_t> required,
    PieceWish wish,
    llvm::function_ref<std::vector<int32_t>(int32_t)> withParts) {
  int64_t rows = counts.size();
  if (wish.size > rows)
    return llvm::createStringError("size=" + llvm::Twine(wish.size) +
                                   ": the vocabulary has " + llvm::Twine(rows) +
                                   " pieces");
  if (wish.size && wish.size < int64_t(required.size()))
    return llvm::createStringError(
        "size=" + llvm::Twine(wish.size) + " is too small: at least " +
        llvm::Twine(required.size()) + " pieces must stay");
  std::vector<int32_t> order(rows);
  std::iota(order.begin(), order.end(), 0);
  // Of equals the lower id: usual vocabularies begin with what is frequent.
  llvm::sort(order, [&](int32_t a, int32_t b) {
    return std::tie(counts[b], a) < std::tie(counts[a], b);
  });
  std::set<int32_t> kept(required.begin(), required.end());
  for (int32_t id : order) {
    if (wish.size && int64_t(kept.size()) >= wish.size)
      break;
    if (counts[id] < wish.minCount)
      break;
    std::vector<int32_t> added = withParts(id);
    llvm::erase_if(added, [&](int32_t part) { return kept.count(part) != 0; });
    if (wish.size && int64_t(kept.size() + added.size()) > wish.size)
      continue;
    kept.insert(added.begin(), added.end());
  }
  return std::vector<int32_t>(kept.begin(), kept.end());
}
