//===- AttentionBias.h - The mask and the bias of an attention --*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What acts on the scores between their product and the softmax is divided in
// two. A keep mask [batch, keys] that is an input of the model saves work: no
// excluded position is computed. Everything else (relative positions, windows,
// visible matrices, causal and inverted masks) becomes one bias,
// [batch, heads, queries, keys], that is added to the scores.
//
// 1. All terms together are a keep mask: no bias.
// 2. Some terms are, by themselves: those are dropped, the others are the bias.
// 3. No term is, but together they exclude whatever a [batch, keys] input
//    excludes (a window *and* the padding): that input is the keep mask, and
//    all terms are the bias.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_ATTENTIONBIAS_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_ATTENTIONBIAS_H

#include "AttentionAxes.h"
#include "KeepMask.h"

namespace plmc::recognition {

struct MaskAndBias {
  mlir::Value mask;            // or null
  std::vector<MaskTerm> terms; // of the bias
  bool maskInBias = false;     // case 3
};

/// Divides the terms. The error is the reason why they are neither.
llvm::Expected<MaskAndBias> divideMask(FactorTable &table,
                                       llvm::ArrayRef<MaskTerm> terms,
                                       const AttentionAxes &axes);

/// The sum of the terms as [batch, heads, queries, keys], 1 where it repeats;
/// null without terms. `element` is the type of the scores.
llvm::Expected<mlir::Value> buildBias(mlir::OpBuilder &builder,
                                      mlir::Location loc, FactorTable &table,
                                      llvm::ArrayRef<MaskTerm> terms,
                                      const AttentionAxes &axes,
                                      mlir::Type element);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_ATTENTIONBIAS_H
