//===- Broadcast.h - Operands of several shapes -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_INTERPRETER_BROADCAST_H
#define PLMC_INTERPRETER_BROADCAST_H

#include "Registry.h"
#include "Tensors.h"

namespace plmc::interp {

/// Fails unless the operands broadcast to exactly the result's shape.
llvm::Error checkBroadcast(const EvalContext &ctx, const HostTensor &result);

/// The operands' elements, repeated to the result's shape.
template <typename T>
std::vector<T>
broadcastValues(std::vector<T> values, llvm::ArrayRef<int64_t> strides,
                const HostTensor &from, const HostTensor &result) {
  if (from.shape == result.shape)
    return values;
  std::vector<T> repeated;
  repeated.reserve(result.numElements());
  forEachOffset(result.shape, strides, 0,
                [&](int64_t index) { repeated.push_back(values[index]); });
  return repeated;
}

} // namespace plmc::interp

#endif // PLMC_INTERPRETER_BROADCAST_H
