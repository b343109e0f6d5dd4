//===- ShapeArithmetic.h - Arithmetic on dimension expressions --*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The element-by-element half of following shape arithmetic: what an operation
// does to contents (see Tensor.h). nullopt wherever a result would depend on
// the sizes at run time in a way that a polynomial cannot say.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_SHAPEARITHMETIC_H
#define PLMC_FRONTEND_ONNX_SHAPEARITHMETIC_H

#include "Tensor.h"
#include "plmc/Dialect/PLM/PLM.h"

namespace plmc::importer {

std::optional<DimExpr> applyUnary(plm::UnaryKind kind, const DimExpr &x);
/// `isFloat`: division must leave no rest instead of truncating.
std::optional<DimExpr> applyBinary(plm::BinaryKind kind, const DimExpr &a,
                                   const DimExpr &b, bool isFloat);
std::optional<DimExpr> applyCast(const DimExpr &x, DType to);
std::optional<DimExpr> applyReduce(plm::ReduceKind kind,
                                   llvm::ArrayRef<DimExpr> elements);

/// The elementwise operations on whole tensors; null when an operand is not
/// known or a step gives nothing.
Tensor contentsUnary(plm::UnaryKind kind, const Tensor &x);
Tensor contentsBinary(plm::BinaryKind kind, const Tensor &a, const Tensor &b);
Tensor contentsCast(const Tensor &x, DType to);
Tensor contentsSelect(const Tensor &condition, const Tensor &a,
                      const Tensor &b);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_SHAPEARITHMETIC_H
