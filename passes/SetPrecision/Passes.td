//===- Passes.td - Products below f32 -*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_SETPRECISION_PASSES_TD
#define PLMC_PASSES_SETPRECISION_PASSES_TD

include "mlir/Pass/PassBase.td"

def SetPrecision : Pass<"plm-set-precision", "mlir::ModuleOp"> {
  let summary = "Compute products in bf16 or int8, store weights in 8 to 2 bits";
  let description = [{
    Gives every `plm.linear` with an f32 parameter the precision that is asked
    for, and rewrites the parameter for it; tables of embeddings are quantised
    too. `int4`, `int3` and `int2` are products in int8 with weights of 4, 3 and 2
    bits, the last two with zero points.

    ```
    plm.linear %x, %w
      =>  plm.linear %x, (plm.dequantize %w_i8 scale %s) precision int8
    ```

    The products of every `plm.attention` in f32 are computed in bf16.

    A weight with fewer than `min-elements` elements stays as it is, and so does
    whatever already is quantised.
  }];
  let options = [
    Option<"precision", "precision", "std::string", /*default=*/"\"f32\"",
           "f32 (do nothing), bf16, int8, int4, int3 or int2">,
    Option<"groupSize", "group-size", "int64_t", /*default=*/"128",
           "Below int8: rows of a weight that share a scale: 32, 64, 128, or 0: all">,
    Option<"tableBits", "table-bits", "int64_t", /*default=*/"0",
           "Bits of the tables of embeddings: 8, 4, 3, 2, or 0: as the weights, at least 4">,
    Option<"minElements", "min-elements", "int64_t", /*default=*/"4096",
           "Leave smaller weights alone">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

#endif // PLMC_PASSES_SETPRECISION_PASSES_TD
