//===- WeightStore.cpp - Weights as attributes, equal ones once -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WeightStore.h"
#include "Diagnostics.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/Hashing.h"
#include "llvm/Support/xxhash.h"
#include <cstring>

using namespace mlir;

namespace plmc::importer {

static bool sameValue(const Literal &a, const Literal &b) {
  return a.dtype == b.dtype && a.shape == b.shape &&
         a.bytes.size() == b.bytes.size() &&
         (a.bytes.data() == b.bytes.data() || a.bytes.empty() ||
          std::memcmp(a.bytes.data(), b.bytes.data(), a.bytes.size()) == 0);
}

const Weight &WeightStore::intern(const LiteralPtr &literal,
                                  llvm::StringRef name) {
  auto known = byLiteral.find(literal.get());
  if (known != byLiteral.end())
    return *known->second;

  uint64_t hash = llvm::xxh3_64bits(llvm::ArrayRef<uint8_t>(
      reinterpret_cast<const uint8_t *>(literal->bytes.data()),
      literal->bytes.size()));
  for (int64_t size : literal->shape)
    hash = hash * 0x9e3779b97f4a7c15u + size;
  hash = hash * 0x9e3779b97f4a7c15u + int32_t(literal->dtype);
  hash >>= 1; // the map reserves two keys at the top
  llvm::SmallVector<Weight *, 1> &candidates = byHash[hash];
  Weight *weight = nullptr;
  for (Weight *candidate : candidates)
    if (sameValue(*candidate->literal, *literal))
      weight = candidate;

  if (!weight) {
    weight = &weights.emplace_back();
    candidates.push_back(weight);
    weight->literal = literal;
    std::string base = symbolName(name);
    weight->symbol = base;
    for (unsigned i = 2; !symbols.insert(weight->symbol).second; ++i)
      weight->symbol = base + "_" + std::to_string(i);
    auto type = RankedTensorType::get(literal->shape,
                                      dtypeToMLIR(literal->dtype, context));
    // The deleter is what keeps the mapping alive as long as the resource.
    AsmResourceBlob blob = UnmanagedAsmResourceBlob::allocateWithAlign(
        literal->bytes, /*align=*/1,
        [owner = literal->owner](void *, size_t, size_t) {});
    weight->value =
        DenseResourceElementsAttr::get(type, weight->symbol, std::move(blob));
  }
  byLiteral[literal.get()] = weight;
  // A pointer is only a key while the literal lives.
  keepAlive.push_back(literal);
  return *weight;
}

} // namespace plmc::importer
