//===- Depends.h - What a value is computed from -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_DEPENDS_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_DEPENDS_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace plmc::recognition {

/// True if `value` is, or is computed from, the elements of `source`.
bool dependsOn(mlir::Value value, mlir::Value source);
/// True if some function argument's elements go into it; sizes do not count.
bool dependsOnInput(mlir::Value value);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_DEPENDS_H
