//===- Passes.td - Smaller vocabularies -*- tablegen -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_PASSES_TD
#define PLMC_PASSES_VOCABULARYREDUCTION_PASSES_TD

include "mlir/Pass/PassBase.td"

def ReduceVocabulary : Pass<"plm-reduce-vocabulary", "mlir::ModuleOp"> {
  let summary = "Fewer rows in the table of word embeddings";
  let description = [{
    `alias` keeps the ids and lets many of them share a row:

    ```
    plm.embedding %ids, %table
      =>  plm.embedding %ids, (plm.gather %rows, %map axis 0)
    ```

  }];
  let options = [
    Option<"method", "method", "std::string", /*default=*/"\"alias\"",
           "alias: ids stay, dropped ones read the nearest row that is kept; "
           "trim: dropped pieces leave the tokenizer, ids become fewer; "
           "new: other pieces, learnt from the corpus (to be trained further)">,
    Option<"size", "size", "int64_t", /*default=*/"0",
           "How many rows stay; 0: as min-count says">,
    Option<"minCount", "min-count", "int64_t", /*default=*/"0",
           "Rows stay that are used this often; 0: as size says; neither: 1">,
    Option<"tokenizer", "tokenizer", "std::string", /*default=*/"\"\"",
           "The model's tokenizer: a file or folder">,
    ListOption<"corpus", "corpus", "std::string",
               "Text files; what they use counts">,
    Option<"calibration", "calibration", "std::string", /*default=*/"\"\"",
           "An .npz of input_ids, which count too">,
    Option<"distance", "distance", "std::string", /*default=*/"\"cosine\"",
           "alias: what is near: cosine or euclidean">,
    Option<"weighting", "weighting", "std::string", /*default=*/"\"length\"",
           "new: what old pieces weigh in the mean of a new one: length, "
           "frequency or uniform">,
    Option<"closure", "closure", "std::string", /*default=*/"\"all\"",
           "trim: single characters that stay: all, or ascii">,
    Option<"outputTokenizer", "output-tokenizer", "std::string",
           /*default=*/"\"\"",
           "trim: a folder for tokenizer.json, vocab.txt and ids.tsv; plmc "
           "compress: beside its output">
  ];
  let dependentDialects = ["::plmc::plm::PLMDialect"];
}

#endif // PLMC_PASSES_VOCABULARYREDUCTION_PASSES_TD
