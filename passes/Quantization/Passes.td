//===- Passes.td - Calibrated quantization of weights -*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_QUANTIZATION_PASSES_TD
#define PLMC_PASSES_QUANTIZATION_PASSES_TD

include "mlir/Pass/PassBase.td"

def QuantizeWeights : Pass<"plm-quantize-weights", "mlir::ModuleOp"> {
  let summary = "Weights of linear layers in 8, 4, 3 or 2 bits, by calibration";
  let description = [{
    Every `plm.linear` with an f32 parameter of its own gets a weight of few bits,
    and computes in int8. With `method=gptq` the layers are taken in the order in
    which they run. Each is fitted to give what the model gave before the pass, from
    inputs that have the errors of the layers before it, then rounded column by
    column (GPTQ), and its bias makes the mean output right.

    ```
    plm.linear %x, %w
      =>  plm.linear %x, (plm.dequantize %w_i8 scale %s) precision int8
    ```

    Tables of embeddings and attention are left to `plm-set-precision`.
  }];
  let options = [
    Option<"bits", "bits", "int64_t", /*default=*/"4",
           "Bits of a weight: 8, 4, 3 or 2">,
    Option<"groupSize", "group-size", "int64_t", /*default=*/"0",
           "Weights of an output that share a scale: 32, 64, 128, or 0: all">,
    Option<"grid", "grid", "std::string", /*default=*/"\"auto\"",
           "symmetric, asymmetric (with zero points), or auto: symmetric from 4 "
           "bits on">,
    Option<"mixed", "mixed", "std::string", /*default=*/"\"\"",
           "Bits of some layers: BITS:REGEX;BITS:REGEX..., the first that matches "
           "the name of the weight; 0 bits leave it alone">,
    Option<"method", "method", "std::string", /*default=*/"\"gptq\"",
           "gptq, or rtn: each weight to nearest, without calibration">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">,
    Option<"fit", "fit", "double", /*default=*/"0.3",
           "Ridge of the least-squares fit, in shares of the mean square of an "
           "input; negative: no fit">,
    Option<"damping", "damping", "double", /*default=*/"0.01",
           "Damping of the Hessian when rounding, likewise">,
    Option<"minElements", "min-elements", "int64_t", /*default=*/"4096",
           "Leave smaller weights alone">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

#endif // PLMC_PASSES_QUANTIZATION_PASSES_TD
