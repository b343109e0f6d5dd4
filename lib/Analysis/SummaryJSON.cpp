//===- SummaryJSON.cpp - A summary as JSON --------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Analysis/ModelSummary.h"
#include <nlohmann/json.hpp>

namespace plmc {

std::string summaryToJSON(const ModelSummary &summary) {
  using Json = nlohmann::ordered_json;
  Json layers = Json::array();
  for (const LayerSummary &layer : summary.layers)
    layers.push_back({{"heads", layer.heads},
                      {"headSize", layer.headSize},
                      {"valueHeadSize", layer.valueHeadSize},
                      {"ffnSize", layer.ffnSize}});
  Json json = {
      {"family", summary.family},
      {"layerGroups", summary.layerGroups},
      {"hiddenSize", summary.hiddenSize},
      {"embeddingSize", summary.embeddingSize},
      {"vocabularySize", summary.vocabularySize},
      {"maxPositions", summary.maxPositions},
      {"parameters", summary.parameters},
      {"parameterBytes", summary.parameterBytes},
      {"macsPerToken", summary.macsPerToken},
      {"attentionMacsPerTokenAndKey", summary.attentionMacsPerTokenAndKey},
      {"operations", summary.operations},
      {"attentionBlocks", summary.attentionBlocks},
      {"norms", summary.norms},
      {"embeddings", summary.embeddings},
      {"linears", summary.linears},
      {"activations", summary.activations},
      {"pools", summary.pools},
      {"layers", std::move(layers)},
  };
  return json.dump(2);
}

} // namespace plmc
