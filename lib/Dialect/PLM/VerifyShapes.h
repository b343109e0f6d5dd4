//===- VerifyShapes.h - Shape checks shared by the verifiers ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Every message names the op, the operand and both shapes.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DIALECT_PLM_VERIFYSHAPES_H
#define PLMC_LIB_DIALECT_PLM_VERIFYSHAPES_H

#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"

namespace plmc::plm::verify {

using mlir::FailureOr;
using mlir::LogicalResult;
using mlir::Operation;
using mlir::RankedTensorType;
using mlir::Type;
using mlir::Value;
using Dims = llvm::ArrayRef<DimExpr>;

RankedTensorType typeOf(Value value);
std::string shapeStr(Dims dims);
/// The dims of a value; fails when a dynamic one has no expression.
FailureOr<llvm::SmallVector<DimExpr>> dimsOf(Operation *op, Value value,
                                             llvm::StringRef name);
LogicalResult expectDims(Operation *op, Dims actual, Dims expected,
                         llvm::StringRef name);
/// Numpy broadcasting; symbolic dimensions are equal when their expressions
/// are, and a 1 broadcasts against anything.
FailureOr<llvm::SmallVector<DimExpr>> broadcast(Operation *op, Dims a, Dims b);
LogicalResult expectElement(Operation *op, Type actual, Type expected,
                            llvm::StringRef name);
LogicalResult sameShapeAndType(Operation *op, Value input, Value result);
LogicalResult checkAxis(Operation *op, int64_t axis, size_t rank);
DimExpr product(Dims dims);
LogicalResult checkFloat(Operation *op, Value value, llvm::StringRef name);
LogicalResult checkInteger(Operation *op, Value value, llvm::StringRef name);

} // namespace plmc::plm::verify

/// Declares `variable`, the dims of a value, or returns failure.
#define DIMS(variable, value, name)                                            \
  auto variable##OrFailure = ::plmc::plm::verify::dimsOf(*this, value, name);  \
  if (::mlir::failed(variable##OrFailure))                                     \
    return ::mlir::failure();                                                  \
  ::llvm::SmallVector<::plmc::DimExpr> variable = *variable##OrFailure

#endif // PLMC_LIB_DIALECT_PLM_VERIFYSHAPES_H
