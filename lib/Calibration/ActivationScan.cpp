//===- ActivationScan.cpp - Many values of a model, one by one ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/ActivationScan.h"
#include "plmc/Support/Interrupt.h"

using namespace mlir;
using namespace plmc;

llvm::Error
plmc::scanActivations(func::FuncOp func, const CalibrationSet &set,
                      ArrayRef<Value> values,
                      llvm::function_ref<llvm::Error(Value, Matrix &)> visit) {
  // A stop costs a compilation, what is kept between two costs memory.
  constexpr int64_t most = int64_t(24) << 20; // numbers, 96 MB
  auto batches = makeBatches(func, set);
  if (!batches)
    return batches.takeError();
  StepwiseRun run(func, *batches);
  while (!values.empty()) {
    if (wasInterrupted())
      return llvm::createStringError("interrupted");
    size_t count = 0;
    for (int64_t numbers = 0; count < values.size(); ++count) {
      auto type = cast<RankedTensorType>(values[count].getType());
      numbers += set.numTokens() * type.getShape().back();
      if (count && numbers > most)
        break;
    }
    ArrayRef<Value> wanted = values.take_front(count);
    if (llvm::Error error =
            run.advanceTo(wanted.back().getDefiningOp()->getNextNode(), wanted))
      return error;
    for (Value value : wanted) {
      auto rows = run.takeRows(value);
      if (!rows)
        return rows.takeError();
      if (llvm::Error error = visit(value, *rows))
        return error;
    }
    values = values.drop_front(count);
  }
  return llvm::Error::success();
}
