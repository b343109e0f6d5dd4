//===- HalfFloats.h - f16 and bf16 in generated code ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// 16-bit floats occur at the boundary of a model only: it computes in f32
// (plm-promote-floats). They live in registers as their bits, an i16, and are
// converted by integer arithmetic: LLVM would call compiler-rt for what the
// CPU lacks (any bf16, and f16 before F16C), which is not there to link.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_TENSOROPS_HALFFLOATS_H
#define PLMC_LIB_CODEGEN_TENSOROPS_HALFFLOATS_H

#include "../KernelBuilder.h"

namespace plmc {

inline bool isHalf(Type type) { return type.isF16() || type.isBF16(); }

/// The f32 that these bits stand for; exact. `type` is f16 or bf16.
Value decodeHalf(KernelBuilder &b, Value bits, Type type);
/// The bits of the nearest value, ties to even; `value` is an f64, so that
/// nothing is rounded twice.
Value encodeHalf(KernelBuilder &b, Value value, Type type);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_TENSOROPS_HALFFLOATS_H
