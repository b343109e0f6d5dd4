//===- MatMulParts.h - What matrix products share ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_OPS_MATMULPARTS_H
#define PLMC_FRONTEND_ONNX_OPS_MATMULPARTS_H

#include "../OpTable.h"

namespace plmc::importer {

/// numpy.matmul: vectors get a dimension of 1 that the result loses again.
Tensor matrixProduct(GraphBuilder &b, Tensor lhs, Tensor rhs);

/// Enters Conv, a sum of products.
void registerConv(OpTable &table);
/// alpha * A' B' + beta * C, after the node's attributes.
Tensor gemm(Node &node);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_OPS_MATMULPARTS_H
