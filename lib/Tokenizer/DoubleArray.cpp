//===- DoubleArray.cpp - Tries as arrays ----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A node's children lie at base ^ byte, for a base that the node's unit leads
// to. Nodes are placed depth first over the sorted keys. Free places are kept
// in a linked list; the base is the first one that suits all children: every
// place free, no other node with the same base (a byte could be mistaken for
// that one's child), and near enough for the unit's 21 bits, or else with the
// same low 8 bits.
//
// Most keys of a vocabulary are no beginning of another one: their value is in
// the unit of their last byte, which saves a quarter of all units. Bit 9 says
// so where bit 8 is set; there it can no longer say that the way is far, so a
// node with a value and children has to be near them.
//
//===----------------------------------------------------------------------===//

#include "DoubleArray.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include <numeric>

using namespace llvm;

namespace plmc::tokenizer {

namespace {

class Builder {
public:
  explicit Builder(ArrayRef<std::pair<std::string, uint32_t>> keys)
      : keys(keys) {}
  bool build();
  std::vector<uint32_t> units;

private:
  using Children = std::vector<std::pair<unsigned, std::pair<size_t, size_t>>>;

  void grow(size_t size);
  void take(uint32_t at);
  bool findBase(uint32_t at, const Children &children, uint32_t &base);
  bool place(uint32_t at, size_t begin, size_t end, size_t depth);

  ArrayRef<std::pair<std::string, uint32_t>> keys;
  std::vector<char> used, isBase;
  // Free places in order; index 0 is taken first, so it serves as the end.
  std::vector<uint32_t> nextFree, prevFree;
  uint32_t lastFree = 0;
};

void Builder::grow(size_t size) {
  size_t old = units.size();
  size = (size + 255) / 256 * 256;
  if (size <= old)
    return;
  units.resize(size);
  used.resize(size);
  isBase.resize(size);
  nextFree.resize(size);
  prevFree.resize(size);
  for (size_t i = std::max<size_t>(old, 1); i < size; ++i) {
    prevFree[i] = lastFree;
    nextFree[lastFree] = uint32_t(i);
    nextFree[i] = 0;
    lastFree = uint32_t(i);
  }
}

void Builder::take(uint32_t at) {
  used[at] = 1;
  if (at == 0)
    return;
  nextFree[prevFree[at]] = nextFree[at];
  if (nextFree[at])
    prevFree[nextFree[at]] = prevFree[at];
  else
    lastFree = prevFree[at];
}

bool Builder::findBase(uint32_t at, const Children &children, uint32_t &base) {
  auto suits = [&](uint32_t candidate) {
    uint32_t way = candidate ^ at;
    if (isBase[candidate] ||
        (way >= 1u << 21 && (way & 255 || !children.front().first)))
      return false;
    for (auto &[byte, range] : children)
      if (used[candidate ^ byte])
        return false;
    return true;
  };
  // Places far back are full but for gaps that few nodes fit: try some, then
  // begin a new block, in which everything fits.
  unsigned tries = 0;
  for (uint32_t free = nextFree[0]; free && tries < 512;
       free = nextFree[free], ++tries) {
    base = free ^ children.front().first;
    if (base < units.size() && suits(base))
      return true;
  }
  uint64_t block = units.size();
  base = uint32_t(block | (at & 255));
  if (block + 256 > uint64_t(1) << 29 ||
      (!children.front().first && (base ^ at) >= 1u << 21))
    return false;
  grow(block + 256);
  return true;
}

/// keys[begin, end) agree in their first `depth` bytes.
bool Builder::place(uint32_t at, size_t begin, size_t end, size_t depth) {
  Children children;
  for (size_t i = begin; i < end;) {
    const std::string &key = keys[i].first;
    unsigned byte = depth < key.size() ? uint8_t(key[depth]) : 0;
    size_t j = i + 1;
    while (j < end &&
           (depth < keys[j].first.size() ? uint8_t(keys[j].first[depth]) : 0) ==
               byte)
      ++j;
    children.push_back({byte, {i, j}});
    i = j;
  }
  uint32_t last = keys[end - 1].second;
  if (!children.back().first && last < 1u << 21) {
    units[at] |= last << 10 | 3u << 8;
    return true;
  }
  uint32_t base;
  if (!findBase(at, children, base))
    return false;
  isBase[base] = 1;
  uint32_t way = base ^ at;
  units[at] |= way < 1u << 21 ? way << 10 : way << 2 | 1u << 9;
  for (auto &[byte, range] : children) {
    uint32_t child = base ^ byte;
    take(child);
    if (byte)
      units[child] = byte;
    else {
      units[at] |= 1u << 8;
      units[child] = 1u << 31 | keys[range.second - 1].second;
    }
  }
  for (auto &[byte, range] : children)
    if (byte && !place(base ^ byte, range.first, range.second, depth + 1))
      return false;
  return true;
}

bool Builder::build() {
  grow(256);
  take(0);
  return keys.empty() || place(0, 0, keys.size(), 0);
}

} // namespace

Expected<std::vector<uint32_t>>
buildDoubleArray(std::vector<std::pair<std::string, uint32_t>> keys) {
  // Recursion is as deep as a key is long.
  for (auto &[key, value] : keys)
    if (key.size() > 4096)
      return createStringError("a piece of the vocabulary has more than 4096 "
                               "bytes");
  // Of equal keys the later one stands last.
  std::vector<size_t> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](size_t a, size_t b) {
    int compared = keys[a].first.compare(keys[b].first);
    return compared < 0 || (compared == 0 && a < b);
  });
  std::vector<std::pair<std::string, uint32_t>> sorted;
  for (size_t index : order)
    sorted.push_back(std::move(keys[index]));
  Builder builder(sorted);
  if (!builder.build())
    return createStringError("the vocabulary is too large for a trie");
  return std::move(builder.units);
}

} // namespace plmc::tokenizer
