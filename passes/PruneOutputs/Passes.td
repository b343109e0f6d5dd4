//===- Passes.td - Keep only the outputs that are asked for -*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRUNEOUTPUTS_PASSES_TD
#define PLMC_PASSES_PRUNEOUTPUTS_PASSES_TD

include "mlir/Pass/PassBase.td"

def PruneOutputs : Pass<"plm-prune-outputs", "mlir::ModuleOp"> {
  let summary = "Keep the named outputs and erase what only the others need";
  let description = [{
    Models are exported with outputs that nobody reads: poolers, echoed inputs,
    shapes. This pass keeps the outputs named by `outputs`, in the model's
    order, erases every operation that only the others needed, and then every
    `plm.parameter` that nothing reads any more.

    ```
    return %hidden, %pooled  =>  return %hidden      (outputs=last_hidden_state)
    ```
  }];
  let options = [
    ListOption<"outputs", "outputs", "std::string",
               "Names of the outputs to keep; none given: keep all">
  ];
}

#endif // PLMC_PASSES_PRUNEOUTPUTS_PASSES_TD
