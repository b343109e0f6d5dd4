//===- IndexRange.h - Between what bounds computed indices lie --*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_INDEXRANGE_H
#define PLMC_FRONTEND_ONNX_INDEXRANGE_H

#include "mlir/IR/Value.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include <optional>

namespace plmc::importer {

/// The least and the largest element, both of which occur.
struct IndexRange {
  DimExpr low, high;
};

/// The range of an integer tensor that is made of positions, dimensions and
/// constants by sums, products and moves; nullopt for any other.
std::optional<IndexRange> indexRange(mlir::Value value);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_INDEXRANGE_H
