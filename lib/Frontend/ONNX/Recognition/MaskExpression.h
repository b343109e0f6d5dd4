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
#include <set>

namespace plmc::recognition {

/// What the elements of a value in a mask expression may depend on.
enum class MaskClass {
  Uniform, // the same number everywhere
  Index,   // positions, no input
  Data     // elements of the mask argument
};

class MaskExpression {
public:
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
  evaluate(const HostTensor &argument, const DimValues &dims) const;

private:
  llvm::Expected<MaskClass> classify(mlir::Value value);
  llvm::Expected<MaskClass> classifyOp(mlir::Operation *op);
  llvm::Expected<MaskClass> classifyElementwise(mlir::Operation *op);
  void noteSymbols(mlir::Operation *op);
  void noteSymbols(const DimExpr &expr);

  llvm::DenseMap<mlir::Value, MaskClass> classes;
  std::vector<mlir::Operation *> order; // operands before users
  std::set<std::string> symbolNames;
  mlir::BlockArgument arg;
  int depth = 0;
};

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_MASKEXPRESSION_H
