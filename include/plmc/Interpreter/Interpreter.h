//===- Interpreter.h - Reference semantics of plm ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The oracle of every test: plain loops, double accumulation, no cleverness.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_INTERPRETER_INTERPRETER_H
#define PLMC_INTERPRETER_INTERPRETER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Support/HostTensor.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>
#include <vector>

namespace plmc {

/// Values of the dimension symbols of one run.
using DimValues = std::map<std::string, int64_t>;

/// Runs `func` on inputs in argument order. Binds the symbols of the argument
/// types, checks the plm.constraint ops. Errors carry the op's location.
llvm::Expected<std::vector<HostTensor>>
interpret(mlir::func::FuncOp func, llvm::ArrayRef<HostTensor> inputs);

/// One op on operand values: also what constant folding calls. `dims` may be
/// empty when the op's types are static. Fails for an op without reference
/// semantics.
llvm::Expected<HostTensor> evaluateOp(mlir::Operation *op,
                                      llvm::ArrayRef<HostTensor> operands,
                                      const DimValues &dims);

/// True if the op has reference semantics; a test walks all registered plm
/// ops and fails for one that has none.
bool hasReferenceSemantics(llvm::StringRef operationName);

/// The value of a parameter or constant attribute; an error when its bytes
/// are absent (elided) or its type is unsupported.
llvm::Expected<HostTensor> tensorFromAttr(mlir::ElementsAttr attr);
/// A dense attribute (small values only: the bytes are copied and uniqued).
mlir::DenseElementsAttr attrFromTensor(const HostTensor &tensor,
                                       mlir::MLIRContext *context);

} // namespace plmc

#endif // PLMC_INTERPRETER_INTERPRETER_H
