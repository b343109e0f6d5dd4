//===- Passes.td - Factorised word tables -*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_EMBEDDINGFACTORIZATION_PASSES_TD
#define PLMC_PASSES_EMBEDDINGFACTORIZATION_PASSES_TD

include "mlir/Pass/PassBase.td"

def EmbeddingFactorization : Pass<"plm-factorize-embedding", "mlir::ModuleOp"> {
  let summary = "The word table [V, H] as [V, E] and a product [E, H]";
  let description = [{
    Truncated singular value decomposition of the word table, in which rows
    count as often as their token occurs.

    ```
    plm.embedding %ids, %table
      =>  plm.linear (plm.embedding %ids, %table_e), %up
    plm.linear %x, %table bias %b transposed
      =>  plm.linear (plm.linear %x, %up transposed), %table_e bias %b transposed
    ```
  }];
  let options = [
    Option<"rank", "rank", "int64_t", /*default=*/"0",
           "Columns E that are left; 0: as many as `energy` needs">,
    Option<"energy", "energy", "double", /*default=*/"0.99",
           "Without a rank: share of the weighted squares that is kept">,
    Option<"keep", "keep", "double", /*default=*/"0",
           "Without a rank, instead of `energy`: share of the table's parameters "
           "that the two may have; 0: as `energy` says">,
    Option<"weighting", "weighting", "std::string", /*default=*/"\"frequency\"",
           "What a row counts: frequency (of its token in the calibration set), "
           "activation (the same, and columns count by the gain of the norm behind) "
           "or none (all the same)">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids and attention_mask">,
    Option<"smoothing", "smoothing", "double", /*default=*/"0.1",
           "Added to the count of every token, in units of the mean count">,
    Option<"table", "table", "std::string", /*default=*/"\"\"",
           "The table's parameter; without a name the largest one">,
    Option<"allowGrowth", "allow-growth", "bool", /*default=*/"false",
           "Also where the two take more bytes than the table did">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

#endif // PLMC_PASSES_EMBEDDINGFACTORIZATION_PASSES_TD
