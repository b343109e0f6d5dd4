//===- EncoderLayers.h - Where a layer begins and ends ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_ENCODERLAYERS_H
#define PLMC_CALIBRATION_ENCODERLAYERS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace plmc {

/// The residual stream in front of and behind an encoder layer.
struct EncoderLayer {
  mlir::Value input, output;
};

/// The layers in order, by their `plm.attention`: a layer begins at the value
/// that attention reads (through a norm that stands before it) and to which its
/// result is added; it ends where the next begins, and the last as far behind
/// its attention as the one before. An error if the layers do not follow one
/// another so.
llvm::Expected<std::vector<EncoderLayer>>
findEncoderLayers(mlir::func::FuncOp func);

} // namespace plmc

#endif // PLMC_CALIBRATION_ENCODERLAYERS_H
