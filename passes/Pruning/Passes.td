//===- Passes.td - Structured pruning without gradients -*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRUNING_PASSES_TD
#define PLMC_PASSES_PRUNING_PASSES_TD

include "mlir/Pass/PassBase.td"

def PruneNeurons : Pass<"plm-prune-neurons", "mlir::ModuleOp"> {
  let summary = "Fewer neurons in the feed-forward layers, the rest repaired";
  let description = [{
    In every `linear, activation, linear` the neurons go whose removal changes the
    output least when the others make up for it (optimal brain surgeon on the
    activations of calibration data). All linear layers are then fitted, in the
    order in which they run, to give what the model gave before.
  }];
  let options = [
    Option<"keep", "keep", "double", /*default=*/"0.5",
           "Share of the neurons of each layer that stay">,
    Option<"multiple", "multiple", "int64_t", /*default=*/"32",
           "The number that stays is a multiple of this">,
    Option<"method", "method", "std::string", /*default=*/"\"fit\"",
           "fit (as described), or magnitude: those with the smallest weights, "
           "without data and without repair, which destroys a trained model">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">,
    Option<"fit", "fit", "double", /*default=*/"0.1",
           "Ridge of the repair, in shares of the mean square of an input; "
           "negative: no repair but of the layer that lost its neurons">,
    Option<"damping", "damping", "double", /*default=*/"0.01",
           "Damping of the Hessian when neurons are chosen, likewise">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

def PruneHeads : Pass<"plm-prune-heads", "mlir::ModuleOp"> {
  let summary = "Fewer attention heads, the rest repaired";
  let description = [{
    The heads go whose removal changes the output of the attention's matrix least
    when the others make up for it; with them their columns of the query, key and
    value matrices. All linear layers are then fitted, in the order in which they
    run, to give what the model gave before.
  }];
  let options = [
    Option<"keep", "keep", "double", /*default=*/"0.75",
           "Share of the heads that stay">,
    ListOption<"heads", "heads", "int64_t",
               "Instead of `keep`: how many stay in each layer, or one number for "
               "all">,
    Option<"allocation", "allocation", "std::string", /*default=*/"\"even\"",
           "even: each layer keeps the same share; damage: of all layers "
           "together those go that are missed least">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">,
    Option<"fit", "fit", "double", /*default=*/"0.1",
           "Ridge of the repair, in shares of the mean square of an input; "
           "negative: no repair but of the layer that lost its heads">,
    Option<"damping", "damping", "double", /*default=*/"0.01",
           "Damping of the Hessian when heads are chosen, likewise">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

def PruneWidth : Pass<"plm-prune-width", "mlir::ModuleOp"> {
  let summary = "A narrower residual stream, the rest repaired";
  let description = [{
    What is added up in front of layer norms is turned to its principal components
    on calibration data, and only the first of them stay. Linear layers and tables
    take the turn into their own parameters; a residual behind a norm gets a matrix.
    All linear layers are then fitted, in the order in which they run, to give what
    the model gave before. Parts of the stream that would not save parameters so
    keep their width.
  }];
  let options = [
    Option<"keep", "keep", "double", /*default=*/"0.75",
           "Share of the columns that stay">,
    Option<"width", "width", "int64_t", /*default=*/"0",
           "Instead of `keep`: how many stay; 0: as `keep` says">,
    Option<"multiple", "multiple", "int64_t", /*default=*/"32",
           "With `keep`, the number that stays is a multiple of this">,
    Option<"basis", "basis", "std::string", /*default=*/"\"each\"",
           "each: every part of the stream has components of its own; shared: all "
           "have the same">,
    Option<"allowGrowth", "allow-growth", "bool", /*default=*/"false",
           "Also parts that take more parameters so; with keep=1 the model stays "
           "what it was, in other coordinates">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">,
    Option<"fit", "fit", "double", /*default=*/"0.1",
           "Ridge of the repair, in shares of the mean square of an input; "
           "negative: no repair">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

def DropLayers : Pass<"plm-drop-layers", "mlir::ModuleOp"> {
  let summary = "Drop whole encoder layers, and repair the others";
  let description = [{
    A dropped layer passes on what it is given. The linear layers that remain are
    fitted, in the order in which they run, to give what they gave before.
  }];
  let options = [
    ListOption<"layers", "layers", "int64_t",
               "Layers to drop, from 0; none: those that are missed least">,
    Option<"count", "count", "int64_t", /*default=*/"1",
           "Without `layers`: how many to drop">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">,
    Option<"fit", "fit", "double", /*default=*/"0.1",
           "Ridge of the repair, in shares of the mean square of an input; "
           "negative: no repair, which with `layers` needs no data">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

#endif // PLMC_PASSES_PRUNING_PASSES_TD
