//===- AttentionMatch.h - The parts of one attention ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Everything hangs on a softmax over the last dimension: above it the scores
// (a product of two tensors, with scales and masks on the way), below it the
// product with the values. The parts are followed by layout (Layout.h), so
// which reshapes and transposes an exporter wrote does not matter.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_ATTENTIONMATCH_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_ATTENTIONMATCH_H

#include "KeepMask.h"

namespace plmc::recognition {

/// A tensor and where its axes live; `scale` is what was divided out of it on
/// the way here.
struct View {
  mlir::Value value;
  Layout layout;
  double scale = 1;
};

/// What lies between the score product and the softmax.
struct ScoresMatch {
  plm::MatmulOp matmul;
  Layout layout; // of the product
  double scale = 1;
  std::vector<MaskTerm> terms;
};
/// `layout` is that of the softmax. The error is the reason.
llvm::Expected<ScoresMatch>
matchScores(FactorTable &table, plm::SoftmaxOp softmax, const Layout &layout);

/// What lies between the softmax and a product with the values.
struct ValuesMatch {
  plm::MatmulOp matmul;
  Layout probabilities; // of the product's left operand
  std::vector<MaskTerm> terms;
};
/// Every product that the probabilities go into.
std::vector<ValuesMatch> matchValues(FactorTable &table, plm::SoftmaxOp softmax,
                                     const Layout &layout);

/// The operand and every tensor that it is a view or a multiple of, nearest
/// first.
std::vector<View> followOperand(FactorTable &table, mlir::Value value,
                                Layout layout);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_ATTENTIONMATCH_H
