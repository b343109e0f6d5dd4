//===- OpTable.cpp - Operators by name ------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpTable.h"

namespace plmc::importer {

const OpTable &opTable() {
  static const OpTable table = [] {
    OpTable result;
    registerElementwise(result);
    registerActivation(result);
    registerShape(result);
    registerSlice(result);
    registerGather(result);
    registerGenerate(result);
    registerReduce(result);
    registerQuantize(result);
    registerMatMul(result);
    registerEinsum(result);
    registerNormalization(result);
    registerAttention(result);
    registerControl(result);
    registerContribActivation(result);
    registerContribMatMul(result);
    registerContribNormalization(result);
    registerContribAttention(result);
    return result;
  }();
  return table;
}

std::string opKey(llvm::StringRef domain, llvm::StringRef opType) {
  if (domain.empty() || domain == "ai.onnx")
    return opType.str();
  return (domain + ":" + opType).str();
}

} // namespace plmc::importer
