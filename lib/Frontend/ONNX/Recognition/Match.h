//===- Match.h - Small questions about values -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What every recogniser asks of a value. Nothing here looks at node names.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_MATCH_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_MATCH_H

#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Support/HostTensor.h"
#include "llvm/ADT/Twine.h"
#include <optional>
#include <string>

namespace plmc::recognition {

using Dims = llvm::SmallVector<DimExpr>;

/// The attribute that says why a recogniser stopped at an op.
inline constexpr llvm::StringLiteral unrecognizedAttr = "plm.unrecognized";

/// On a view of a parameter: how the name of what it becomes ends.
inline constexpr llvm::StringLiteral viewNameAttr = "plm.view";

mlir::RankedTensorType typeOf(mlir::Value value);
Dims dimsOf(mlir::Value value);
DimExpr productOf(llvm::ArrayRef<DimExpr> dims);
bool isFloatTensor(mlir::Value value);

/// Sets the reason that `plmc inspect` prints; the first reason stays.
void setReason(mlir::Operation *op, const llvm::Twine &reason);
/// The name of the ONNX node, from the location; "unknown" without one.
std::string nodeName(mlir::Location location);

/// True for what is the same in every run: a parameter or a constant.
bool isWeight(mlir::Value value);
/// A weight, or reshapes, transposes and windows of one: what
/// plm-settle-parameters can store.
bool isParameterView(mlir::Value value);
/// A weight, or an 8-bit one with its scales taken in.
bool isStoredMatrix(mlir::Value value);
/// The value of a weight; nullopt when it is none, is larger than `limit`
/// elements, or its bytes are not there.
std::optional<HostTensor> weightValue(mlir::Value value,
                                      int64_t limit = 1 << 20);
/// The number that every element of the value is, when it is a constant (all
/// elements equal) or a parameter of one element, seen through reshapes and
/// broadcasts and nothing else.
std::optional<double> scalarOf(mlir::Value value);
/// True when the value is a weight with `width` elements along its last
/// dimension and 1 along all others.
bool isVectorWeight(mlir::Value value, const DimExpr &width);
/// The weight as a tensor [width], through a reshape if it is not one yet.
mlir::Value asVector(mlir::OpBuilder &builder, mlir::Value value);

/// The operands of a binary op of this kind, the scalar one as a number:
/// `x + 2` and `2 + x` alike for commutative kinds, only `x op 2` otherwise.
struct ScalarOperand {
  mlir::Value tensor;
  double scalar;
};
std::optional<ScalarOperand> matchScalarOperand(mlir::Value value,
                                                plm::BinaryKind kind);
/// `x * c` or `x / c`: x, and c or 1/c. The type of x is the value's.
std::optional<ScalarOperand> matchScaling(mlir::Value value);

/// A value of this type with the elements of `input`; nothing when the types
/// are the same already.
mlir::Value reshapeTo(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value input, llvm::ArrayRef<DimExpr> dims);
mlir::Value broadcastTo(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value input, mlir::RankedTensorType type);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_MATCH_H
