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
      wordSize(weight.getWordSize()), precision(weight.getPrecision()),
      quantized(weight.getQuantized().has_value()),
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

void PanelPacker::add(const PanelSource &source) {
  int64_t words = llvm::divideCeil(k, wordSize);
  // Address of the word (or, without a precision, of the element).
  auto word = [&](int64_t row, int64_t column, int64_t bytes) {
    return panels.data() + ((column / width * words + row / wordSize) * width +
                            column % width) *
                               bytes;
  };
  if (!precision && quantized) {
    forEach<char>(source, [&](int64_t row, int64_t column, char value) {
      *word(row, column, 1) = value;
    });
  } else if (!precision) {
    forEach<float>(source, [&](int64_t row, int64_t column, float value) {
      std::memcpy(word(row, column, 4), &value, 4);
    });
  } else if (*precision == plm::Precision::BF16) {
    forEach<float>(source, [&](int64_t row, int64_t column, float value) {
      uint16_t bits = floatToBF16(value);
      std::memcpy(word(row, column, 4) + row % 2 * 2, &bits, 2);
    });
  } else if (wordSize == 4) {
    forEach<int8_t>(source, [&](int64_t row, int64_t column, int8_t value) {
      word(row, column, 4)[row % 4] = static_cast<char>(value + 128);
    });
  } else {
    forEach<int8_t>(source, [&](int64_t row, int64_t column, int8_t value) {
      char &byte = word(row, column, 4)[row % 4];
      byte |= static_cast<char>((value + 8 & 15) << (row % 8 < 4 ? 0 : 4));
    });
  }
  column0 += source.columns;
}
