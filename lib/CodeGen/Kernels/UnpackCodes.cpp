//===- UnpackCodes.cpp - The codes of a packed weight -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Dot products of bytes take four values of K at a time. So values that follow
// each other are spread over the four bytes of a word, and a shift of the word
// and a mask give four of them, for any number of bits that divides 8:
//
//     4 bits:  (w >> 4j) & 0x0f0f0f0f, j = 0, 1     values 4j to 4j + 3
//     2 bits:  (w >> 2j) & 0x03030303, j = 0 to 3
//
// That x86 shifts words and not bytes does not matter, the mask takes away what
// comes from the neighbour. 3 bits are 2 and 1: two words of low bits have one
// word of high bits, 32 values in 96 bits, and nothing is wasted. The high bit
// goes to its place by one shift, too:
//
//     3 bits:  (w >> 2j) & 0x03030303 | (h >> j' - 2) & 0x04040404
//
// All of it is done once for all rows of a tile.
//
//===----------------------------------------------------------------------===//

#include "UnpackCodes.h"

using namespace mlir;
using namespace plmc;

Value CodePack::word(int64_t index, int64_t v) {
  return b.load(VectorType::get({columns}, b.i32),
                b.offset(at, index * wordBytes + v * columns * 4));
}

static Value splat(KernelBuilder &b, Value like, int32_t value) {
  return arith::ConstantOp::create(
      b, b.loc,
      DenseElementsAttr::get(cast<VectorType>(like.getType()), value));
}

Value CodePack::shifted(Value words, int64_t right) {
  if (right < 0)
    return arith::ShLIOp::create(b, b.loc, words,
                                 splat(b, words, int32_t(-right)));
  return right ? Value(arith::ShRUIOp::create(b, b.loc, words,
                                              splat(b, words, int32_t(right))))
               : words;
}

Value CodePack::masked(Value words, int32_t byte) {
  return arith::AndIOp::create(b, b.loc, words,
                               splat(b, words, byte * 0x01010101));
}

Value CodePack::part(int64_t part, int64_t v) {
  Value codes;
  if (bits == 8)
    codes = word(part, v);
  else if (bits == 4)
    codes = masked(shifted(word(0, v), 4 * part), 15);
  else
    codes =
        masked(shifted(word(part / 4, v), 2 * (part % 4) - left), 3 << left);
  if (bits == 3)
    codes = arith::OrIOp::create(
        b, b.loc, codes,
        masked(shifted(word(2, v), part - 2 - left), 4 << left));
  return vector::BitCastOp::create(b, b.loc,
                                   VectorType::get({columns * 4}, b.i8), codes);
}
