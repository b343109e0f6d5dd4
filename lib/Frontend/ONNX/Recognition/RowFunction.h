//===- RowFunction.h - What a small expression computes on a row --*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layer normalisation is spelled in a dozen ways (Pow or Mul, Div or Mul by a
// reciprocal or by rsqrt, a duplicated Sub, TensorFlow's x*a + (beta - mean*a))
// and GELU in two dozen. What they have in common is what they compute: for
// every row x along the last dimension a row f(x), by a handful of elementwise
// operations, reductions over the row, numbers, and parameters that are one
// row long. That is little enough to compute it and compare, so recognition
// goes by value:
//
// * the backward slice of a candidate result down to a candidate input is
//   taken as a function, refused if it has any other leaf or operation;
// * parameters are replaced by random rows (what they hold does not matter,
//   where they enter does);
// * the function is evaluated in double precision on rows that reach every
//   regime (large, tiny, shifted, zero) and compared with the formula.
//
// Two compositions of at most 64 such operations that agree to ~1e-9 on a few
// thousand random numbers are the same function for our purposes; a constant
// that was rounded on export (1.4142) decides by how much it is off.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_ROWFUNCTION_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_ROWFUNCTION_H

#include "Match.h"
#include "RowMath.h"
#include "llvm/ADT/DenseMap.h"

namespace plmc::recognition {

class RowFunction {
public:
  /// The function from `input` to `result`, tensors of the same type whose
  /// last dimension is constant; nullopt when the slice between them holds
  /// anything but row operations. With `reductions` false the function is
  /// purely elementwise and the last dimension may be symbolic.
  static std::optional<RowFunction> build(mlir::Value result, mlir::Value input,
                                          bool reductions = true);

  Row evaluate(const Row &input) const;
  int64_t width() const { return rowWidth; }
  /// Parameters of row shape that occur, and the random row of each.
  llvm::ArrayRef<mlir::Value> parameters() const { return rowParameters; }
  const Row &parameterRow(mlir::Value parameter) const {
    return constants.find(parameter)->second;
  }
  /// Numbers that occur, as they are.
  llvm::ArrayRef<double> scalars() const { return scalarValues; }
  int64_t size() const { return order.size(); }

private:
  bool visit(mlir::Value value);
  bool visitOp(mlir::Operation *op);
  Row apply(mlir::Operation *op,
            const llvm::DenseMap<mlir::Value, Row> &values) const;

  mlir::Value result, input;
  bool reductions = true;
  int64_t rowWidth = 0, depth = 0;
  std::vector<mlir::Operation *> order; // operands before users
  llvm::DenseMap<mlir::Value, Row> constants;
  llvm::DenseSet<mlir::Value> known;
  llvm::SmallVector<mlir::Value> rowParameters;
  llvm::SmallVector<double> scalarValues;
};

/// Values of the same dimensions that `result` is computed from within `depth`
/// steps, nearest first: candidates for an input.
llvm::SmallVector<mlir::Value> inputCandidates(mlir::Value result, int depth);
/// Values with these dimensions computed from `start` by row operations within
/// `depth` steps, nearest first: candidates for a result.
llvm::SmallVector<mlir::Value>
resultCandidates(mlir::Value start, llvm::ArrayRef<DimExpr> dims, int depth);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_ROWFUNCTION_H
