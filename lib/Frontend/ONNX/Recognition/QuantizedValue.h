//===- QuantizedValue.h - Scales, zero points, what they belong to --*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_QUANTIZEDVALUE_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_QUANTIZEDVALUE_H

#include "Match.h"

namespace plmc::recognition {

/// A constant that is one number, or one a slice along an axis of something.
struct Channels {
  HostTensor values; // [n], or [] for one number
  int64_t axis = -1; // -1: one number

  bool isOne() const;
};

/// The constant as it broadcasts against a tensor of these dimensions; seen
/// through casts, reshapes and broadcasts. nullopt for what is no constant, or
/// differs along two axes.
std::optional<Channels> channelsOf(mlir::Value value,
                                   llvm::ArrayRef<DimExpr> dims);
/// The scale or zero point of a plm.quantize or plm.dequantize, when constant.
std::optional<Channels> channelsOf(mlir::Value value, int64_t axis);
/// Elementwise, in the type of `a`; nullopt when they lie along two axes.
std::optional<Channels>
combine(const Channels &a, const Channels &b,
        llvm::function_ref<double(double, double)> function);

/// `input`, dequantised by constants. Without a zero point it is 0.
mlir::Value dequantize(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value input, Channels scale,
                       std::optional<Channels> zeroPoint);
/// The number 1 as a scale of f32.
Channels unitScale();
/// The values as integers of an 8-bit type; nullopt when one is none.
std::optional<Channels> asZeroPoint(const Channels &channels, DType dtype);

bool is8Bit(mlir::Value value);
/// An 8-bit parameter, or a view of one, that is a matrix and no list.
bool isQuantizedMatrix(mlir::Value value);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_QUANTIZEDVALUE_H
