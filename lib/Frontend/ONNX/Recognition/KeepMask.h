//===- KeepMask.h - What a mask expression means ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// No two exporters build the attention mask alike: (1 - mask) * -10000, or
// times the lowest float; Where over an expanded boolean; a Gather by index
// arithmetic that vmap left behind; And with constants; masks for [B,h,S,T],
// for [B,1,1,T], for [B*h,S,T]. A list of spellings is never complete. But all
// of them are small pure functions of one 0/1 tensor, and such a function can
// simply be asked what it does.
//
// So a mask expression is accepted in two steps.
//
// 1. Structure. Walk up from the mask terms to their leaves. Only elementwise
//    and data-moving operations are let through, and only these leaves:
//    constants, dimensions, positions (iota and tables that are affine in
//    their position) and *one* function argument. Positions may become
//    gather indices but may meet neither mask values nor a comparison; one
//    whose outcome is fixed has been folded before (decideComparison). What
//    is left is, for each element of the result, a fixed function of argument
//    elements, at places that are affine in the result's position.
// 2. Probing. Evaluate the expression with the reference interpreter on
//    random, empty, full and one-hot 0/1 arguments for several sizes, and
//    compare with the claim: the term lets the score at [b, h, q, t] through
//    exactly if argument[b, t] is 1, for all h and q.
//
// Step 1 is what makes step 2 sound: affine places that agree for several
// sizes agree for all, and an elementwise function of 0/1 values that is right
// for 0 and for 1 is right. Without step 1 a window of 128 positions would
// look like no mask at all on probes of length 5.
//
// Limits. Values other than 0 and 1 in the argument are not covered: models
// give them no meaning ((1 - mask) * -10000 would be a bonus for 2).
// "Excluded" is a score lowered by 1000 or more, where exp underflows to 0 in
// f32 as long as scores differ by less than some 900. Masks that depend on
// the query (causal, windows, 3-D visible matrices) and on two inputs are
// refused with the reason; they become the bias of the attention
// (AttentionBias.h), beside the keep mask that they may imply
// (proveExcludesPadding).
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_KEEPMASK_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_KEEPMASK_H

#include "Layout.h"
#include "llvm/Support/Error.h"

namespace plmc::recognition {

/// A fill that certainly excludes.
inline constexpr double excludedFill = -1e30;

/// One place where a mask acts on the scores (or on pooled tokens).
struct MaskTerm {
  enum Kind {
    Add,    // score + value * scale
    Keep,   // value true or non-zero: score; else `fill`
    Drop,   // value true: `fill`; else score
    Factor, // score * value; must be 1 where kept
    Weight  // like Factor, and must be 0 where not kept
  };
  Kind kind;
  mlir::Value value;
  double scale = 1; // of an Add: later factors of the score
  double fill = 0;  // with later factors multiplied in
  /// Layout of the score where the term acts; the value broadcasts to it.
  Layout layout = {};
  /// Acts after the softmax: need only be transparent where kept.
  bool afterSoftmax = false;
};

struct MaskQuestion {
  FactorTable &table;
  llvm::ArrayRef<MaskTerm> terms;
  /// The factors that make up the batch and the key (token) position.
  Factors batch, key;
};

/// The function argument, as [batch, key], that is the keep-mask of all terms
/// together, or a null Value when they keep everything. The error is the
/// reason, fit for plm.unrecognized.
llvm::Expected<mlir::Value> proveKeepMask(const MaskQuestion &question);

/// Proves less of more masks: wherever `argument`, [batch, key], is 0, the
/// terms exclude the score, whatever else they do (a window, a second input).
/// Terms that cannot be analysed are left out; they are taken to be moderate
/// numbers, as relative positions are. The error is the reason.
llvm::Error proveExcludesPadding(const MaskQuestion &question,
                                 mlir::BlockArgument argument);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_KEEPMASK_H
