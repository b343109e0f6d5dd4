//===- PLKDialect.td - The kernel-level dialect ----------*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DIALECT_PLK_PLKDIALECT_TD
#define PLMC_DIALECT_PLK_PLKDIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def PLK_Dialect : Dialect {
  let name = "plk";
  let summary = "How an emitted model computes, on buffers";
  let description = [{
    What `plm` says about tensors, `plk` says about memory: one straight list
    of kernels over the slots of one arena. All decisions on fusion, layout
    and packing have been taken when a module is in this form, so its text is
    what a person reads to see what will run.

    * **Packed rows.** Token-level activations are `[tokens, width]`: the live
      positions of the whole batch, one after the other, with no padding
      between them (lib/Runtime/Pack.c). `tokens` is a run-time dimension.
    * **Packed weights.** `plk.weight` names a constant with its layout in the
      weight section: `plain`, or `panels` of the register tile's width.
    * **Epilogues.** A `plk.linear` adds bias, activates, adds a residual and
      normalises its rows before anything else sees them.
    * **Slots.** Every result is a buffer. `plk-plan-arena` gives each op the
      slot of the arena that holds it (`plk.slot`), or the output of the model
      that it writes (`plk.output`).
  }];
  let cppNamespace = "::plmc::plk";
}

#endif // PLMC_DIALECT_PLK_PLKDIALECT_TD
