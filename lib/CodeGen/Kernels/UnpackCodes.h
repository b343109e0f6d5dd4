//===- UnpackCodes.h - The codes of a packed weight -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELS_UNPACKCODES_H
#define PLMC_LIB_CODEGEN_KERNELS_UNPACKCODES_H

#include "DotProduct.h"

namespace plmc {

/// A pack of neighbouring columns of an integer weight (plk.weight says how it
/// lies), taken apart four values of K at a time.
class CodePack {
public:
  /// `at`: the first word of the pack at the first column; its words lie
  /// `wordBytes` apart. `columns`: how many a vector has.
  CodePack(KernelBuilder &b, const DotFormat &format, Value at,
           int64_t wordBytes, int64_t columns)
      : b(b), bits(format.bits), left(format.codeShift()), at(at),
        wordBytes(wordBytes), columns(columns) {}

  /// Codes 4 * part to 4 * part + 3 of the columns of vector v, shifted as the
  /// format says: vector<4 * columns x i8>.
  Value part(int64_t part, int64_t v);

private:
  Value word(int64_t index, int64_t v);
  Value shifted(Value words, int64_t right);
  Value masked(Value words, int32_t byte);

  KernelBuilder &b;
  const int64_t bits, left;
  Value at;
  const int64_t wordBytes, columns;
};

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_UNPACKCODES_H
