//===- Quantize.h - What quantised operators share --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every quantised product is imported as the integer arithmetic that its
// specification says,
//
//   sum over k of (a - a_zero) * (b - b_zero)     in int32
//
// in one spelling, from which plm-recognize-quantized makes plm.linear.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_OPS_QUANTIZE_H
#define PLMC_FRONTEND_ONNX_OPS_QUANTIZE_H

#include "../Node.h"

namespace plmc::importer {

/// 8-bit values and what they stand for: (value - zeroPoint) * scale.
struct QuantizedTensor {
  Tensor value, scale, zeroPoint;
};

/// DynamicQuantizeLinear: to uint8, by the range that the whole tensor has.
QuantizedTensor dynamicQuantize(GraphBuilder &b, const Tensor &x);

/// The int32 product of 8-bit matrices; scales are not looked at. Zero points
/// may be null. numpy.matmul's rules for ranks.
Tensor integerProduct(GraphBuilder &b, const QuantizedTensor &lhs,
                      const QuantizedTensor &rhs);

/// The product as floats, in the type of the scales: the rows' scale may be a
/// scalar or one a row, the columns' a scalar or one a column.
Tensor scaledProduct(GraphBuilder &b, const QuantizedTensor &lhs,
                     const QuantizedTensor &rhs);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_OPS_QUANTIZE_H
