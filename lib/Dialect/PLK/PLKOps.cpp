//===- PLKOps.cpp - Operations of the kernel-level dialect ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Dialect/PLK/CodePlanes.h"
#include "plmc/Dialect/PLK/PLK.h"

using namespace mlir;
using namespace plmc::plk;

#define GET_OP_CLASSES
#include "plmc/Dialect/PLK/PLKOps.cpp.inc"

int64_t WeightOp::getPackSize() {
  if (!getPrecision())
    return 1;
  if (*getPrecision() == plmc::plm::Precision::BF16)
    return 2;
  return getBits() == 3 ? 32 : 32 / getBits();
}

int64_t WeightOp::getPackWords() {
  if (!getPrecision())
    return 0;
  return getBits() == 3 ? 3 : 1;
}

int64_t WeightOp::getStoredBytes() {
  int64_t count = 1;
  llvm::SmallVector<int64_t> shape(getShape());
  if (getPanel()) {
    shape[1] = llvm::alignTo(shape[1], *getPanel());
    shape[0] = llvm::alignTo(shape[0], getPackSize());
  }
  if (!getPrecision() && getQuantized() && getBits() <= 4)
    shape.back() = codeRowBytes(shape.back(), getBits());
  for (int64_t size : shape)
    count *= size;
  if (getPrecision()) // a word is 4 bytes
    return count / getPackSize() * getPackWords() * 4;
  if (getQuantized()) // bytes, or the indices of a map
    return count * getQuantized()->getIntOrFloatBitWidth() / 8;
  return count * 4;
}
