//===- AttentionAxes.h - Which axes are batch and heads ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Scores come as [batch, heads, queries, keys] or with batch and heads in one
// dimension. Where query or key come from a tensor with heads behind the
// sequence ([batch, sequence, heads, features], however it is cut), that
// tensor decides; else the order of the score's own dimensions does.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_ATTENTIONAXES_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_ATTENTIONAXES_H

#include "Layout.h"
#include "llvm/Support/Error.h"

namespace plmc::recognition {

/// The axes of one attention, as unsplit factors.
struct AttentionAxes {
  Factors batch, heads, query, key;
};

/// From the layouts of the softmax (rank 3 or 4) and of the tensors that
/// query and key are views of. The error is the reason.
llvm::Expected<AttentionAxes> chooseAttentionAxes(const FactorTable &table,
                                                  const Layout &softmax,
                                                  const Layout &queryOrigin,
                                                  const Layout &keyOrigin);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_ATTENTIONAXES_H
