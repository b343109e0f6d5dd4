//===- Depends.cpp - What a value is computed from
//-------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Depends.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/SmallVector.h"

using namespace mlir;

namespace plmc::recognition {

static bool reaches(Value value, llvm::function_ref<bool(Value)> found) {
  llvm::SmallVector<Value> worklist{value};
  llvm::DenseSet<Value> seen{value};
  while (!worklist.empty()) {
    Value next = worklist.pop_back_val();
    if (found(next))
      return true;
    if (Operation *op = next.getDefiningOp())
      for (Value operand : op->getOperands())
        if (seen.insert(operand).second)
          worklist.push_back(operand);
  }
  return false;
}

bool dependsOn(Value value, Value source) {
  return reaches(value, [&](Value next) { return next == source; });
}

bool dependsOnInput(Value value) {
  return reaches(value, [](Value next) { return isa<BlockArgument>(next); });
}

} // namespace plmc::recognition
