//===- PackPanels.cpp - Matrices as panels ----------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "PackPanels.h"
#include "plmc/Support/BFloat16.h"
#include "llvm/Support/MathExtras.h"
#include <cstring>

using namespace mlir;
using namespace plmc;

PanelPacker::PanelPacker(plk::WeightOp weight)
    : k(weight.getShape()[0]), width(*weight.getPanel()),
      packSize(weight.getPackSize()), packWords(weight.getPackWords()),
      bits(weight.getBits()), precision(weight.getPrecision()),
      quantized(weight.getQuantized().has_value()),
      isUnsigned(quantized && weight.getQuantized()->isUnsignedInteger()),
      panels(weight.getStoredBytes(), 0) {}

/// Calls place(row, column, value) for every element.
template <typename T, typename PlaceT>
void PanelPacker::forEach(const PanelSource &source, PlaceT place) {
  constexpr int64_t bytes = sizeof(T);
  const char *from = source.bytes.data();
  int64_t lines = source.transposed ? source.columns : k;
  int64_t length = source.transposed ? k : source.columns;
  std::vector<T> line(length);
  for (int64_t i = 0; i < lines; ++i) {
    std::memcpy(line.data(), from + i * length * bytes, length * bytes);
    for (int64_t j = 0; j < length; ++j)
      source.transposed ? place(j, column0 + i, line[j])
                        : place(i, column0 + j, line[j]);
  }
}

/// A code of fewer than 8 bits into its pack: `at` is its first word, the
/// others follow `wordBytes` apart, and `i` is the number of the value in the
/// pack.
static void placeCode(char *at, int64_t wordBytes, int64_t bits, int64_t i,
                      unsigned code) {
  char *byte = at + i % 4;
  if (bits == 3) {
    byte[i / 16 * wordBytes] |= char((code & 3) << (i % 16 / 4 * 2));
    byte[2 * wordBytes] |= char((code >> 2) << (i / 4));
    return;
  }
  *byte |= char(code << (i / 4 * bits));
}

void PanelPacker::add(const PanelSource &source) {
  int64_t packs = llvm::divideCeil(k, packSize);
  // Address of the first word of the pack (or, without a precision, of the
  // element).
  auto pack = [&](int64_t row, int64_t column, int64_t bytes) {
    int64_t rows = column / width * packs + row / packSize;
    return panels.data() +
           (rows * std::max<int64_t>(packWords, 1) * width + column % width) *
               bytes;
  };
  if (!precision && quantized) {
    forEach<char>(source, [&](int64_t row, int64_t column, char value) {
      *pack(row, column, 1) = value;
    });
  } else if (!precision) {
    forEach<float>(source, [&](int64_t row, int64_t column, float value) {
      std::memcpy(pack(row, column, 4), &value, 4);
    });
  } else if (*precision == plm::Precision::BF16) {
    forEach<float>(source, [&](int64_t row, int64_t column, float value) {
      uint16_t bits = floatToBF16(value);
      std::memcpy(pack(row, column, 4) + row % 2 * 2, &bits, 2);
    });
  } else {
    int64_t least = isUnsigned ? 0 : -(1 << (bits - 1));
    unsigned mask = (1u << bits) - 1;
    forEach<uint8_t>(source, [&](int64_t row, int64_t column, uint8_t value) {
      placeCode(pack(row, column, 4), width * 4, bits, row % packSize,
                unsigned(value - least) & mask);
    });
  }
  column0 += source.columns;
}
