//===- Indices.h - Checks of index operands ---------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_INTERPRETER_INDICES_H
#define PLMC_INTERPRETER_INDICES_H

#include "Registry.h"

namespace plmc::interp {

/// An index in [-size, size) as one in [0, size); others are an error.
inline llvm::Expected<int64_t> wrapIndex(const EvalContext &ctx, int64_t index,
                                         int64_t size) {
  if (index >= -size && index < size)
    return index < 0 ? index + size : index;
  return ctx.error("index " + llvm::Twine(index) + " is not in [" +
                   llvm::Twine(-size) + ", " + llvm::Twine(size) + ")");
}

/// Operand 1, the indices, must be integers.
inline llvm::Error checkIndices(const EvalContext &ctx) {
  if (isFloat(ctx.operand(1).dtype) || ctx.operand(1).dtype == DType::Bool)
    return ctx.error("indices must be integers");
  return llvm::Error::success();
}

} // namespace plmc::interp

#endif // PLMC_INTERPRETER_INDICES_H
