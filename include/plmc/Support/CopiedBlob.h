//===- CopiedBlob.h - A resource blob of values copied ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_COPIEDBLOB_H
#define PLMC_SUPPORT_COPIEDBLOB_H

#include "mlir/IR/AsmState.h"

namespace plmc {

/// A heap blob that owns a copy of the values. Unlike MLIR's
/// allocateAndCopyWithAlign, which copies from a null pointer then, it takes no
/// values at all: models do hold parameters without elements.
template <typename T>
mlir::AsmResourceBlob copiedBlob(llvm::ArrayRef<T> values,
                                 size_t align = alignof(T)) {
  llvm::ArrayRef<char> bytes(reinterpret_cast<const char *>(values.data()),
                             values.size() * sizeof(T));
  return bytes.empty() ? mlir::HeapAsmResourceBlob::allocate(0, align)
                       : mlir::HeapAsmResourceBlob::allocateAndCopyWithAlign(
                             bytes, align);
}

} // namespace plmc

#endif // PLMC_SUPPORT_COPIEDBLOB_H
