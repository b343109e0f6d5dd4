//===- Passes.td - Product-quantized word tables -*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRODUCTQUANTIZATION_PASSES_TD
#define PLMC_PASSES_PRODUCTQUANTIZATION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ProductQuantization : Pass<"plm-product-quantize", "mlir::ModuleOp"> {
  let summary = "The word table as codes of small vectors, a byte each";
  let description = [{
    Cuts the rows of the word table into sub-vectors, and replaces each by one of
    256 that k-means finds for its place.

    ```
    plm.embedding %ids, %table
      =>  plm.embedding %ids, (plm.codebook_lookup %codes, %codebooks)
    ```
  }];
  let options = [
    Option<"subVector", "sub-vector", "int64_t", /*default=*/"4",
           "Columns that one code stands for">,
    Option<"codes", "codes", "int64_t", /*default=*/"256",
           "Entries of a codebook, 2 to 256">,
    Option<"codebookBits", "codebook-bits", "int64_t", /*default=*/"8",
           "Codebooks in 8 bits, with a scale each, or in f32: 32">,
    Option<"weighting", "weighting", "std::string", /*default=*/"\"frequency\"",
           "What a row counts: frequency (of its token in the calibration set) or "
           "none (all the same)">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">,
    Option<"smoothing", "smoothing", "double", /*default=*/"1.0",
           "Added to the count of every token, in units of the mean count">,
    Option<"iterations", "iterations", "int64_t", /*default=*/"25",
           "Most rounds of k-means">,
    Option<"seed", "seed", "uint64_t", /*default=*/"0",
           "Of the choice of the first entries">,
    Option<"table", "table", "std::string", /*default=*/"\"\"",
           "The table's parameter; without a name the largest one">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

#endif // PLMC_PASSES_PRODUCTQUANTIZATION_PASSES_TD
