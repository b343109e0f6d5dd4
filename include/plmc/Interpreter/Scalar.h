//===- Scalar.h - Elementwise functions on one number -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_INTERPRETER_SCALAR_H
#define PLMC_INTERPRETER_SCALAR_H

#include "plmc/Dialect/PLM/PLM.h"

namespace plmc {

/// The reference semantics of the elementwise ops on floats. Predicates and
/// comparisons give 0 or 1.
double applyUnary(plm::UnaryKind kind, double x);
double applyBinary(plm::BinaryKind kind, double a, double b);
double applyActivation(plm::ActivationKind kind, double x);

} // namespace plmc

#endif // PLMC_INTERPRETER_SCALAR_H
