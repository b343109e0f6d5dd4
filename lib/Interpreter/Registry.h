//===- Registry.h - Evaluators by operation name ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One evaluator an operation. An evaluator may assume that the operation
// passed its verifier and that operands have their declared element types,
// but not that operand shapes fit together: symbolic dimensions only get
// values at run time, so every evaluator checks the shapes it indexes with.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_INTERPRETER_REGISTRY_H
#define PLMC_INTERPRETER_REGISTRY_H

#include "mlir/IR/Operation.h"
#include "plmc/Interpreter/Interpreter.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/Twine.h"

namespace plmc::interp {

/// What an evaluator sees: the op, its operand values, the dimension symbols.
struct EvalContext {
  mlir::Operation *op;
  llvm::ArrayRef<const HostTensor *> operands;
  const DimValues &dims;

  const HostTensor &operand(unsigned index) const { return *operands[index]; }
  /// An error that names the op and where it came from.
  llvm::Error error(const llvm::Twine &message) const;
  /// Value of a dimension expression such as "batch*sequence"; fails for
  /// malformed text, an unbound symbol and overflow.
  llvm::Expected<int64_t> evaluate(llvm::StringRef expression) const;
  /// The shape that `type` has under the dimension symbols.
  llvm::Expected<llvm::SmallVector<int64_t, 4>>
  shapeOf(mlir::RankedTensorType type) const;
  /// A zero-filled tensor of the op's (only) result type; fails when the
  /// shape is unknown, negative or absurdly large.
  llvm::Expected<HostTensor> allocateResult() const;
  /// The same, for an op that moves elements of `data` without change: fails
  /// when the result's element type is another.
  llvm::Expected<HostTensor> allocateResultLike(const HostTensor &data) const;
  /// Fails unless `shape` is the shape the result was declared with.
  llvm::Error checkResultShape(const HostTensor &result,
                               llvm::ArrayRef<int64_t> shape) const;
  /// Fails unless 0 <= axis < rank.
  llvm::Error checkAxis(int64_t axis, int64_t rank) const;
};

using Evaluator = llvm::Expected<HostTensor> (*)(const EvalContext &);
using EvaluatorTable = llvm::StringMap<Evaluator>;

/// Operation name ("plm.matmul") to evaluator. Ops without a result map to
/// null: the driver handles them.
const EvaluatorTable &evaluators();

/// Where an operation came from, for messages: the ONNX node's name, or
/// file:line:column, or "unknown location".
std::string describeLocation(mlir::Location location);

/// As evaluateOp, on operands that need not be adjacent in memory.
llvm::Expected<HostTensor> evaluate(const EvalContext &context);

void registerConstants(EvaluatorTable &table);
void registerElementwise(EvaluatorTable &table);
void registerBinary(EvaluatorTable &table);
void registerShape(EvaluatorTable &table);
void registerGather(EvaluatorTable &table);
void registerScatter(EvaluatorTable &table);
void registerReduce(EvaluatorTable &table);
void registerQuantize(EvaluatorTable &table);
void registerMatmul(EvaluatorTable &table);
void registerTransformer(EvaluatorTable &table);

} // namespace plmc::interp

#endif // PLMC_INTERPRETER_REGISTRY_H
