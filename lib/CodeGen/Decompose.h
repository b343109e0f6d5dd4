//===- Decompose.h - Transformer ops as tensor operations -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_DECOMPOSE_H
#define PLMC_LIB_CODEGEN_DECOMPOSE_H

#include "plmc/Dialect/PLM/PLM.h"

namespace plmc {

/// Replaces the op by the tensor operations that define it. For what the
/// kernels do not cover: cross attention, a batch
/// that is a product of dimensions, weights that are computed.
void decompose(plm::AttentionOp op);
/// Turns the keep mask into a bias of 0 and -inf: every row is a key then.
void maskToBias(plm::AttentionOp op);
void decompose(plm::LayerNormOp op);
void decompose(plm::LinearOp op);
void decompose(plm::PoolOp op);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_DECOMPOSE_H
