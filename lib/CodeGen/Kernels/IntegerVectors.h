//===- IntegerVectors.h - Shorthand for vectors of integers -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELS_INTEGERVECTORS_H
#define PLMC_LIB_CODEGEN_KERNELS_INTEGERVECTORS_H

#include "../KernelBuilder.h"

namespace plmc {

/// Arithmetic on vectors of `lanes` 32-bit integers.
struct IntegerVectors {
  explicit IntegerVectors(KernelBuilder &b)
      : b(b), vi32(mlir::VectorType::get({b.target.lanes}, b.i32)) {}

  KernelBuilder &b;
  mlir::VectorType vi32;

  Value splat(int64_t value) {
    return mlir::arith::ConstantOp::create(
        b, b.loc, mlir::DenseElementsAttr::get(vi32, int32_t(value)));
  }
  Value bits(Value vector) {
    return mlir::arith::BitcastOp::create(b, b.loc, vi32, vector);
  }
  Value floats(Value vector) {
    return mlir::arith::BitcastOp::create(b, b.loc, b.vf32, vector);
  }
  Value add(Value x, Value y) {
    return mlir::arith::AddIOp::create(b, b.loc, x, y);
  }
  Value bitAnd(Value x, Value y) {
    return mlir::arith::AndIOp::create(b, b.loc, x, y);
  }
  Value shr(Value x, int64_t n) {
    return mlir::arith::ShRUIOp::create(b, b.loc, x, splat(n));
  }
  Value shl(Value x, int64_t n) {
    return mlir::arith::ShLIOp::create(b, b.loc, x, splat(n));
  }
};

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELS_INTEGERVECTORS_H
