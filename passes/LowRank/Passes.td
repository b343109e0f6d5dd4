//===- Passes.td - Linear layers of low rank -*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_LOWRANK_PASSES_TD
#define PLMC_PASSES_LOWRANK_PASSES_TD

include "mlir/Pass/PassBase.td"

def FactorizeLinear : Pass<"plm-factorize-linear", "mlir::ModuleOp"> {
  let summary = "Linear layers as a product of two of low rank";
  let description = [{
    Singular value decomposition of a weight, weighted by the second moments of
    the inputs on calibration data: what is kept is what the outputs vary by.

    ```
    plm.linear %x, %w bias %b
      =>  plm.linear (plm.linear %x, %right), %left bias %b
    ```
  }];
  let options = [
    Option<"rank", "rank", "int64_t", /*default=*/"0",
           "Rank that is left; 0: as `energy` needs">,
    Option<"energy", "energy", "double", /*default=*/"0.99",
           "Without a rank: share of the outputs' variance that is kept">,
    Option<"keep", "keep", "double", /*default=*/"0",
           "Without a rank, instead of `energy`: share of a weight's elements that "
           "the two may have; 0: as `energy` says">,
    Option<"weights", "weights", "std::string", /*default=*/"\"\"",
           "A regular expression: only weights whose name it matches">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">,
    Option<"fit", "fit", "double", /*default=*/"0.1",
           "Ridge of the repair, in shares of the mean square of an input; "
           "negative: no repair">,
    Option<"damping", "damping", "double", /*default=*/"0.01",
           "Added to the inputs' second moments, likewise">,
    Option<"allowGrowth", "allow-growth", "bool", /*default=*/"false",
           "Also where the two take more than the weight did">,
    Option<"minElements", "min-elements", "int64_t", /*default=*/"4096",
           "Leave smaller weights alone">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

#endif // PLMC_PASSES_LOWRANK_PASSES_TD
