//===- NonFinite.cpp - NaN and infinite weights ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights are read as bits: a float is not finite if its exponent is all ones.
// The first look at a block only asks whether there is one, in a loop that the
// compiler makes vectors of; few blocks are counted.
//
//===----------------------------------------------------------------------===//

#include "plmc/Analysis/NonFinite.h"
#include "plmc/Dialect/PLM/PLM.h"
#include <cstring>

using namespace mlir;

namespace plmc {
namespace {

struct Counts {
  int64_t nans = 0, infinities = 0;
  int64_t zeros = 0, negativeInfinities = 0;
};

template <typename Bits>
void count(ArrayRef<char> bytes, Bits exponent, Counts &counts) {
  constexpr Bits sign = Bits(Bits(1) << (8 * sizeof(Bits) - 1));
  constexpr size_t blockSize = 1024;
  size_t size = bytes.size() / sizeof(Bits);
  Bits block[blockSize];
  for (size_t start = 0; start < size; start += blockSize) {
    size_t length = std::min(blockSize, size - start);
    // The file's bytes are not aligned.
    std::memcpy(block, bytes.data() + start * sizeof(Bits),
                length * sizeof(Bits));
    Bits zeros = 0, odd = 0;
    for (size_t i = 0; i < length; ++i) {
      odd |= Bits(-Bits((block[i] & exponent) == exponent));
      zeros = Bits(zeros + Bits(Bits(block[i] << 1) == 0));
    }
    counts.zeros += zeros;
    if (!odd)
      continue;
    for (size_t i = 0; i < length; ++i) {
      if ((block[i] & exponent) != exponent)
        continue;
      if (Bits(block[i] & ~(exponent | sign)) != 0)
        ++counts.nans;
      else
        ++counts.infinities;
      counts.negativeInfinities += block[i] == (exponent | sign);
    }
  }
}

/// The name in the file: a parameter's location.
std::string nameOf(plm::ParameterOp parameter) {
  if (auto name = parameter.getLoc()->findInstanceOf<NameLoc>())
    return name.getName().str();
  return parameter.getSymName().str();
}

} // namespace

std::vector<NonFiniteParameter> findNonFinite(ModuleOp module) {
  std::vector<NonFiniteParameter> result;
  for (auto parameter : module.getOps<plm::ParameterOp>()) {
    std::optional<ArrayRef<char>> bytes = parameter.getBytes();
    if (!bytes)
      continue;
    Type type = parameter.getTensorType().getElementType();
    Counts counts;
    size_t elementBytes;
    if (type.isF32()) {
      elementBytes = 4;
      count<uint32_t>(*bytes, 0x7f800000u, counts);
    } else if (type.isF16() || type.isBF16()) {
      elementBytes = 2;
      count<uint16_t>(*bytes, type.isF16() ? 0x7c00 : 0x7f80, counts);
    } else if (type.isF64()) {
      elementBytes = 8;
      count<uint64_t>(*bytes, 0x7ff0000000000000u, counts);
    } else {
      continue;
    }
    int64_t elements = bytes->size() / elementBytes;
    bool isMask = counts.zeros + counts.negativeInfinities == elements;
    if (counts.nans + counts.infinities && !isMask)
      result.push_back({nameOf(parameter), counts.nans, counts.infinities});
  }
  return result;
}

std::string nonFiniteText(const std::vector<NonFiniteParameter> &parameters) {
  if (parameters.empty())
    return "";
  const NonFiniteParameter &first = parameters.front();
  std::string text = "parameter '" + first.name + "' holds " +
                     std::to_string(first.nans) + " NaN and " +
                     std::to_string(first.infinities) + " infinite values";
  if (parameters.size() > 1)
    text += ", and so do " + std::to_string(parameters.size() - 1) +
            " more (plmc inspect --json names them)";
  return text + "; they are compiled as they are, check the training or the "
                "export";
}

} // namespace plmc
