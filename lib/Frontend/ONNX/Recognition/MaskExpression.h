//===- MaskExpression.h - The structure of a mask expression ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The first half of what KeepMask.h describes, and evaluation for the second.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_MASKEXPRESSION_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_MASKEXPRESSION_H

#include "Match.h"
#include "plmc/Interpreter/Interpreter.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/Support/Error.h"
#include <random>
#include <set>

namespace plmc::recognition {

/// What the elements of a value in a mask expression may depend on.
enum class MaskClass {
  Uniform, // the same number everywhere
  Index,   // positions, no input
  Data,    // elements of the mask argument
  Foreign  // something else; only with a given argument
};

class MaskExpression {
public:
  MaskExpression() = default;
  /// The argument is given. Conditions that do not depend on it (windows,
  /// other inputs) are let through: evaluate() makes them true and false at
  /// random, so that what holds of the expression holds whatever they are.
  explicit MaskExpression(mlir::BlockArgument argument)
      : arg(argument), given(true) {}

  /// Checks everything that `value` is computed from; the error is the
  /// reason. May be called for several values, which must share the argument.
  llvm::Error add(mlir::Value value);

  /// The one function argument; null if there is none.
  mlir::BlockArgument argument() const { return arg; }
  /// The dimension symbols that occur in types and attributes.
  const std::set<std::string> &symbols() const { return symbolNames; }

  /// Values of everything added, for one value of the argument (ignored if
  /// there is none).
  llvm::Expected<llvm::DenseMap<mlir::Value, HostTensor>>
  evaluate(const HostTensor &argument, const DimValues &dims);

private:
  llvm::Expected<MaskClass> classify(mlir::Value value);
  llvm::Expected<MaskClass> classifyOp(mlir::Operation *op);
  llvm::Expected<MaskClass> classifyElementwise(mlir::Operation *op);
  /// Forgets the operations added since `mark` and lets `value` be anything.
  MaskClass setFree(mlir::Value value, size_t mark);
  llvm::Expected<HostTensor> anyCondition(mlir::Value value,
                                          const DimValues &dims);
  void noteSymbols(mlir::Operation *op);
  void noteSymbols(const DimExpr &expr);

  llvm::DenseMap<mlir::Value, MaskClass> classes;
  std::vector<mlir::Operation *> order; // operands before users
  std::set<std::string> symbolNames;
  mlir::BlockArgument arg;
  bool given = false;
  std::vector<mlir::Value> conditions; // true or false, at random
  std::mt19937 random{1};
  int depth = 0;
};

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_MASKEXPRESSION_H
