//===- Passes.td - From plm to the kernel level ----------*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CODEGEN_PASSES_TD
#define PLMC_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def LowerToPLK : Pass<"plm-lower-to-plk", "mlir::ModuleOp"> {
  let summary = "Transformer ops become kernels over packed rows";
  let description = [{
    Chooses which positions are live (module attributes `plk.pack_mode`,
    `plk.mask_input`, `plk.batch`, `plk.sequence`) and rewrites token-level
    values `[batch, sequence, H]` to `[tokens, H]`. Tensor operations stay, on
    packed rows where they work row by row, behind a `plk.unpack` where not.

    ```
    plm.linear(x, w, bias b)  =>  plk.weight @k [@w]; plk.linear pack(x), @k bias @b
    ```
  }];
  let options = [
    Option<"computePadding", "compute-padding", "bool", /*default=*/"false",
           "Compute rows at padding positions too">,
    Option<"panelWidth", "panel-width", "int64_t", /*default=*/"16",
           "Columns of a weight panel; the target's register tile width">
  ];
  let dependentDialects = ["::plmc::plk::PLKDialect"];
}

def FusePLK : Pass<"plk-fuse", "mlir::ModuleOp"> {
  let summary = "Merge kernels: epilogues, embedding sums, Q/K/V";
  let description = [{
    ```
    activation(linear(x))     =>  linear(x) activation
    add(linear(x), r)         =>  linear(x) residual r
    norm(linear(x))           =>  linear(x) norm
    add(embed(a), embed(b))   =>  embed(a, b)
    attention(linear_q(x), linear_k(x), linear_v(x))  =>  attention of one product
    ```
  }];
  let dependentDialects = ["::plmc::plk::PLKDialect"];
}

def PlanArena : Pass<"plk-plan-arena", "mlir::ModuleOp"> {
  let summary = "Give every activation a slot of the arena";
  let description = [{
    Two values share a slot when their lifetimes do not overlap. Sizes are
    known only at run time, so a slot is as large as the largest of its values
    (`plk.slots`: the size expressions of each slot, in bytes); each op gets its
    `plk.slot`.
  }];
}

#endif // PLMC_CODEGEN_PASSES_TD
