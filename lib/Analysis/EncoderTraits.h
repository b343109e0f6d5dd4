//===- EncoderTraits.h - What sets encoder families apart -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_ANALYSIS_ENCODERTRAITS_H
#define PLMC_ANALYSIS_ENCODERTRAITS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Dialect/PLM/PLM.h"

namespace plmc::analysis {

struct EncoderTraits {
  /// Queries are turned by an angle that depends on the position.
  bool rotary = false;
  /// act(x W) * (x V) in the feed-forward, with GELU or SiLU.
  bool gatedGelu = false, gatedSilu = false;
  /// GELU by tanh, gated or not.
  bool tanhGelu = false;
  /// The scores are added a table by distance, the same for all inputs (T5,
  /// MPNet).
  bool distanceTable = false;
  /// They are added products with queries, picked by distance (DeBERTa).
  bool disentangled = false;
  /// They are added products with queries and a table by distance (BERT's
  /// relative_key).
  bool relativeKeys = false;
  /// Keys have no bias, queries or values have one.
  bool keysWithoutBias = false;
  /// Positions are compared, as a causal mask and a window do.
  bool comparesPositions = false;
  /// x * g + b in place of a norm.
  int64_t affineRows = 0;
  /// Sets of query weights; 0 when one is not known.
  int64_t layerGroups = 0;
};

EncoderTraits findTraits(mlir::func::FuncOp func);

/// The layer that an operand of attention is projected by, seen through views
/// and rotation; null when there is none.
plm::LinearOp projectionOf(mlir::Value operand);

} // namespace plmc::analysis

#endif // PLMC_ANALYSIS_ENCODERTRAITS_H
