//===- Passes.td - One set of weights for many layers -*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_LAYERSHARING_PASSES_TD
#define PLMC_PASSES_LAYERSHARING_PASSES_TD

include "mlir/Pass/PassBase.td"

def ShareLayers : Pass<"plm-share-layers", "mlir::ModuleOp"> {
  let summary = "One set of weights for several encoder layers";
  let description = [{
    The matrices of all layers of a group become one parameter each, which every
    layer reads: stored once, used many times. Biases and norms stay each
    layer's own. The matrix is fitted to give, with the inputs of every layer,
    what that layer's own gave; then all layers are repaired.
  }];
  let options = [
    Option<"groups", "groups", "std::string", /*default=*/"\"\"",
           "Layers that share, from 0: 0-1;2-3 or 0,1;2,3; none: those that are "
           "most alike">,
    Option<"count", "count", "int64_t", /*default=*/"0",
           "Without `groups`: how many sets of weights are left; 0: half">,
    Option<"part", "part", "std::string", /*default=*/"\"all\"",
           "What is shared: all, attention, or ffn">,
    Option<"method", "method", "std::string", /*default=*/"\"fit\"",
           "fit (least squares on calibration data), or mean: without data, which "
           "destroys a trained model">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">,
    Option<"fit", "fit", "double", /*default=*/"0.1",
           "Ridge of the fit, in shares of the mean square of an input">,
    Option<"sweeps", "sweeps", "int64_t", /*default=*/"1",
           "How often all layers are fitted">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

#endif // PLMC_PASSES_LAYERSHARING_PASSES_TD
