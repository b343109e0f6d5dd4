//===- ModelSummary.h - What a model is and costs ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_ANALYSIS_MODELSUMMARY_H
#define PLMC_ANALYSIS_MODELSUMMARY_H

#include "mlir/IR/BuiltinOps.h"
#include <cstdint>
#include <string>
#include <vector>

namespace plmc {

/// One encoder layer: a plm.attention and the feed-forward network after it
/// (linear, activation, linear). Layers may differ from one another.
struct LayerSummary {
  int64_t heads = 0;
  int64_t headSize = 0; // query/key
  int64_t valueHeadSize = 0;
  int64_t ffnSize = 0; // 0: none found
};

struct ModelSummary {
  /// A guess from the structure (lib/Analysis/Family.h says how): "BERT",
  /// "RoBERTa", "DistilBERT", "ALBERT", "ELECTRA", "MPNet", "MobileBERT",
  /// "DeBERTa", "DeBERTa-v2", "ModernBERT", "NomicBERT", "unknown transformer
  /// encoder", or "unknown" where there is no attention.
  std::string family;
  std::vector<LayerSummary> layers;
  /// Sets of weights that the layers share: as many as layers in most models,
  /// 1 in ALBERT. 0 when the layers' weights are not known.
  int64_t layerGroups = 0;
  int64_t hiddenSize = 0;
  int64_t embeddingSize = 0;  // differs from hiddenSize in ALBERT
  int64_t vocabularySize = 0; // rows of the largest embedding table
  int64_t maxPositions = 0;   // 0: no position table found
  /// Elements and bytes of distinct parameters that the function uses; a
  /// shared one counts once.
  int64_t parameters = 0;
  int64_t parameterBytes = 0;
  /// Multiply-accumulates per token of linear layers; every use of a shared
  /// weight counts. So do unrecognised products with a parameter; layers that
  /// run once a sequence (a pooler, a classifier) do not. Attention products
  /// depend on the length: macsPerToken excludes them,
  /// attentionMacsPerTokenAndKey is per token and key.
  int64_t macsPerToken = 0;
  int64_t attentionMacsPerTokenAndKey = 0;
  int64_t operations = 0; // ops in the function, parameters and returns apart
  /// `embeddings` are lookups; a row that is added to all tokens, because its
  /// ids were constant, is none.
  int64_t attentionBlocks = 0, norms = 0, embeddings = 0, linears = 0,
          activations = 0, pools = 0;
};

/// Summarizes the function @forward, or the first one with a body. Never
/// fails: what is not found stays 0 and the family "unknown".
ModelSummary summarizeModel(mlir::ModuleOp module);

/// The summary as one JSON object with the field names above, indented by
/// two spaces.
std::string summaryToJSON(const ModelSummary &summary);

} // namespace plmc

#endif // PLMC_ANALYSIS_MODELSUMMARY_H
