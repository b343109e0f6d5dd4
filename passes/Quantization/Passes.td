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

def SmoothActivations : Pass<"plm-smooth-activations", "mlir::ModuleOp"> {
  let summary = "Scales of columns moved from activations into weights, exactly";
  let description = [{
    Where a norm, the values of attention or a ReLU feed linear layers only, their
    columns are divided by numbers that the layers' weights are multiplied with
    (SmoothQuant), so that all columns of an activation have ranges alike. The
    numbers are powers of two: the model gives the same bits as before.
  }];
  let options = [
    Option<"alpha", "alpha", "double", /*default=*/"0.5",
           "How much of the range of an activation moves: s = max|X|^alpha / "
           "max|W|^(1-alpha)">,
    Option<"copyNorms", "copy-norms", "bool", /*default=*/"false",
           "Also of a norm that feeds something else (the residual, with norms "
           "behind it): the layers get a norm of their own">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

def StaticActivations : Pass<"plm-static-activations", "mlir::ModuleOp"> {
  let summary = "Fixed scales for the activations of products in int8";
  let description = [{
    Products in int8 find the range of each token as they run. With this pass the
    inputs have one scale and zero point for all tokens, from calibration:

    ```
    plm.linear %x, %w precision int8
      =>  plm.linear (plm.dequantize (plm.quantize %x scale %s) scale %s), %w
    ```

    Weights in groups or with zero points keep their dynamic scales. Tokens lose
    accuracy by it; it is for runtimes that want standard QDQ.
  }];
  let options = [
    Option<"method", "method", "std::string", /*default=*/"\"min-max\"",
           "How the range is chosen: min-max, percentile, or mse: the least "
           "squared error">,
    Option<"percentile", "percentile", "double", /*default=*/"99.99",
           "Of the numbers, how many percent stay within the range">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

#endif // PLMC_PASSES_QUANTIZATION_PASSES_TD
