//===- Emit.cpp - Folding or creating one operation -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Diagnostics.h"
#include "GraphBuilder.h"
#include "mlir/IR/Diagnostics.h"
#include "plmc/Interpreter/Interpreter.h"

using namespace mlir;

namespace plmc::importer {

/// Largest folded result, and largest sum of its operands.
static constexpr int64_t maxFoldedResult = 1 << 20;
static constexpr int64_t maxFoldedOperands = 4 << 20;

Tensor GraphBuilder::fold(ArrayRef<Tensor> operands, RankedTensorType type,
                          BuildFn build) {
  if (!type.hasStaticShape() || type.getNumElements() > maxFoldedResult)
    return Tensor();
  int64_t elements = type.getNumElements(), operandElements = 0;
  for (const Tensor &operand : operands) {
    if (!operand.literal())
      return Tensor();
    operandElements += operand.literal()->numElements();
  }
  if (operandElements > maxFoldedOperands ||
      elements + operandElements > foldBudget)
    return Tensor();
  foldBudget -= elements + operandElements + 64;

  // The operation lives in a block of its own, its operands are block
  // arguments: nothing is created for constants that only folding reads.
  Block scratch;
  std::vector<HostTensor> values;
  for (const Tensor &operand : operands) {
    scratch.addArgument(
        RankedTensorType::get(operand.literal()->shape,
                              dtypeToMLIR(operand.dtype(), context)),
        location);
    values.push_back(operand.literal()->toHost());
  }
  OpBuilder scratchBuilder(context);
  scratchBuilder.setInsertionPointToEnd(&scratch);
  Operation *op = build(scratchBuilder, location, type, scratch.getArguments());
  // What is wrong is found, and reported, when the operation is emitted.
  ScopedDiagnosticHandler silence(context,
                                  [](Diagnostic &) { return success(); });
  if (mlir::failed(op->getName().verifyInvariants(op)))
    return Tensor();
  llvm::Expected<HostTensor> result = evaluateOp(op, values, {});
  if (!result) {
    llvm::consumeError(result.takeError());
    return Tensor();
  }
  // A rescaled weight is still that weight to the reader of a report.
  llvm::StringRef name;
  for (const Tensor &operand : operands)
    if (operand.literal()->numElements() > 1)
      name = operand.literal()->name;
  return tensorFromLiteral(makeLiteral(std::move(*result), name));
}

Tensor GraphBuilder::emit(ArrayRef<Tensor> operands, DType dtype,
                          ArrayRef<DimExpr> dims, bool mayFold, BuildFn build) {
  for (const Tensor &operand : operands)
    if (!operand)
      return Tensor();
  if (!checkShape(dtype, dims))
    return Tensor();
  RankedTensorType type = makeTensorType(dims, dtypeToMLIR(dtype, context));
  if (mayFold)
    if (Tensor folded = fold(operands, type, build))
      return folded;

  SmallVector<Value> values;
  for (const Tensor &operand : operands)
    values.push_back(valueOf(operand));
  Operation *op = build(builder, location, type, values);
  std::string problem;
  {
    ScopedDiagnosticHandler capture(context, [&](Diagnostic &diagnostic) {
      if (problem.empty())
        problem = diagnostic.str();
      return success();
    });
    if (mlir::failed(op->getName().verifyInvariants(op)) && problem.empty())
      problem = "the operands do not fit";
  }
  if (!problem.empty()) {
    op->erase();
    return fail(printable(problem, 400));
  }
  return fromValue(op->getResult(0));
}

} // namespace plmc::importer
