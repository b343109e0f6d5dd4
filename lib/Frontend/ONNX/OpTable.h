//===- OpTable.h - Operators by name ----------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// To add an operator, write a handler in the file of its group below Ops/ and
// enter it in that file's register function:
//
//   static void importSwish(Node &node) {
//     Tensor x = node.input(0);
//     node.output(0, node.b.activation(ActivationKind::Silu, x));
//   }
//   ...
//   table["Swish"] = importSwish;
//
// A handler reads inputs and attributes from the Node and computes outputs
// with the GraphBuilder's functions. Shapes, constants and shape arithmetic
// take care of themselves; failures need no checks (Tensor.h), only
// `return` where a value is needed to go on. Differences between opset
// versions are the handler's: ask node.opset(), or better, whether the
// attribute or the input is there. Operators of other domains are entered as
// "domain:OpType". Test: a model of one node in test/unit/ONNXTest.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_OPTABLE_H
#define PLMC_FRONTEND_ONNX_OPTABLE_H

#include "Node.h"

namespace plmc::importer {

using Handler = void (*)(Node &);
using OpTable = llvm::StringMap<Handler>;

/// All supported operators.
const OpTable &opTable();
/// "Add", or "com.microsoft:FusedMatMul" outside the standard domain.
std::string opKey(llvm::StringRef domain, llvm::StringRef opType);

void registerElementwise(OpTable &table);
void registerActivation(OpTable &table);
void registerShape(OpTable &table);
void registerSlice(OpTable &table);
void registerGather(OpTable &table);
void registerGenerate(OpTable &table);
void registerReduce(OpTable &table);
void registerQuantize(OpTable &table);
void registerContribQuantize(OpTable &table);
void registerQLinear(OpTable &table);
void registerMatMulNBits(OpTable &table);
void registerMatMul(OpTable &table);
void registerEinsum(OpTable &table);
void registerNormalization(OpTable &table);
void registerAttention(OpTable &table);
void registerControl(OpTable &table);
// The domain com.microsoft, after docs/ContribOperators.md of ONNX Runtime.
void registerContribActivation(OpTable &table);
void registerContribMatMul(OpTable &table);
void registerContribNormalization(OpTable &table);
void registerContribAttention(OpTable &table);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_OPTABLE_H
