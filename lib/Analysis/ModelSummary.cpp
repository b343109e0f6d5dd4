//===- ModelSummary.cpp - What a model is and costs -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Analysis/ModelSummary.h"
#include "Family.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace plmc {
namespace {

/// Size of the last dimension, 0 when it is unknown.
int64_t lastDim(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() == 0 || type.isDynamicDim(type.getRank() - 1))
    return 0;
  return type.getDimSize(type.getRank() - 1);
}

/// Product of all dimensions but the last: how many rows a layer runs on.
DimExpr rowsOf(Value value) {
  DimExpr rows = 1;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || type.getRank() == 0)
    return rows;
  SmallVector<DimExpr> dims = getDims(type);
  dims.pop_back();
  for (const DimExpr &dim : dims)
    rows = rows * dim;
  return rows;
}

class Summarizer {
public:
  explicit Summarizer(func::FuncOp func) : func(func) {}
  ModelSummary run();

private:
  void findTokenRows();
  void count(Operation *op);
  void addProduct(Value input, int64_t macs);
  void addLayer(plm::AttentionOp attention);
  void addFeedForward(plm::ActivationOp activation);

  func::FuncOp func;
  ModelSummary summary;
  llvm::DenseSet<Attribute> parameters;
  /// Rows that a layer run on every token has; nullopt when no op says.
  std::optional<DimExpr> tokenRows;
};

void Summarizer::findTokenRows() {
  func.walk([&](Operation *op) {
    if (auto attention = dyn_cast<plm::AttentionOp>(op))
      tokenRows = rowsOf(attention.getQuery());
    else if (auto embedding = dyn_cast<plm::EmbeddingOp>(op))
      tokenRows = rowsOf(embedding.getResult());
    return tokenRows ? WalkResult::interrupt() : WalkResult::advance();
  });
}

void Summarizer::addProduct(Value input, int64_t macs) {
  if (!tokenRows || rowsOf(input) == *tokenRows)
    summary.macsPerToken += macs;
}

void Summarizer::addLayer(plm::AttentionOp attention) {
  LayerSummary layer;
  layer.heads = attention.getNumHeads();
  int64_t width = lastDim(attention.getQuery());
  int64_t valueWidth = lastDim(attention.getValue());
  if (layer.heads > 0) {
    layer.headSize = width / layer.heads;
    layer.valueHeadSize = valueWidth / layer.heads;
  }
  summary.attentionMacsPerTokenAndKey += width + valueWidth;
  // With heads pruned, only what the projections read tells the hidden size.
  // MobileBERT's queries come from a bottleneck, its values do not.
  if (summary.layers.empty()) {
    for (Value operand : {attention.getQuery(), attention.getValue()})
      if (auto projection = analysis::projectionOf(operand))
        summary.hiddenSize =
            std::max(summary.hiddenSize, lastDim(projection.getInput()));
    if (!summary.hiddenSize)
      summary.hiddenSize = width;
  }
  summary.layers.push_back(layer);
}

/// linear -> activation -> linear on every token, after an attention.
void Summarizer::addFeedForward(plm::ActivationOp activation) {
  if (summary.layers.empty() || summary.layers.back().ffnSize ||
      !activation.getInput().getDefiningOp<plm::LinearOp>() || !tokenRows ||
      rowsOf(activation.getInput()) != *tokenRows)
    return;
  if (llvm::any_of(activation->getUsers(), [](Operation *user) {
        // A gate may stand between.
        auto gate = dyn_cast<plm::BinaryOp>(user);
        if (gate && gate.getKind() == plm::BinaryKind::Mul &&
            !gate->use_empty())
          user = *gate->user_begin();
        return isa<plm::LinearOp>(user);
      }))
    summary.layers.back().ffnSize = lastDim(activation.getInput());
}

void Summarizer::count(Operation *op) {
  if (isa<func::FuncOp, func::ReturnOp>(op))
    return;
  if (auto get = dyn_cast<plm::GetParameterOp>(op)) {
    auto type = dyn_cast<RankedTensorType>(get.getType());
    if (!type || !type.hasStaticShape() ||
        !parameters.insert(get.getParameterAttr()).second)
      return;
    int64_t bits = type.getElementTypeBitWidth();
    summary.parameters += type.getNumElements();
    summary.parameterBytes += type.getNumElements() * ((bits + 7) / 8);
    return;
  }
  ++summary.operations;
  if (auto linear = dyn_cast<plm::LinearOp>(op)) {
    ++summary.linears;
    addProduct(linear.getInput(),
               lastDim(linear.getInput()) * lastDim(linear.getResult()));
  } else if (auto matmul = dyn_cast<plm::MatmulOp>(op)) {
    if (analysis::parameterOf(matmul.getRhs()))
      addProduct(matmul.getLhs(),
                 lastDim(matmul.getLhs()) * lastDim(matmul.getResult()));
  } else if (auto attention = dyn_cast<plm::AttentionOp>(op)) {
    ++summary.attentionBlocks;
    addLayer(attention);
  } else if (auto activation = dyn_cast<plm::ActivationOp>(op)) {
    ++summary.activations;
    addFeedForward(activation);
  } else if (isa<plm::LayerNormOp>(op)) {
    ++summary.norms;
  } else if (isa<plm::EmbeddingOp, plm::PositionEmbeddingOp>(op)) {
    ++summary.embeddings;
  } else if (isa<plm::PoolOp>(op)) {
    ++summary.pools;
  }
}

ModelSummary Summarizer::run() {
  findTokenRows();
  func.walk([&](Operation *op) { count(op); });
  SmallVector<analysis::Lookup> lookups = analysis::findLookups(func);
  for (const analysis::Lookup &lookup : lookups) {
    if (lookup.kind == analysis::LookupKind::Word) {
      summary.vocabularySize = lookup.rows;
      summary.embeddingSize = lookup.width;
    } else if (lookup.kind != analysis::LookupKind::Other) {
      summary.maxPositions =
          std::max(summary.maxPositions, lookup.rows - lookup.offset);
    }
  }
  if (!summary.hiddenSize) {
    // No attention recognised: the width that is normalised.
    func.walk([&](plm::LayerNormOp norm) {
      summary.hiddenSize = lastDim(norm.getInput());
    });
  }
  analysis::EncoderTraits traits = analysis::findTraits(func);
  summary.layerGroups = traits.layerGroups;
  summary.family = analysis::guessFamily(func, summary, traits, lookups);
  return summary;
}

} // namespace

ModelSummary summarizeModel(ModuleOp module) {
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  if (!func || func.isExternal())
    for (auto candidate : module.getOps<func::FuncOp>())
      if (!candidate.isExternal()) {
        func = candidate;
        break;
      }
  if (func && !func.isExternal()) {
    ModelSummary summary = Summarizer(func).run();
    // An importer that was told need not guess.
    if (auto family = module->getAttrOfType<StringAttr>("plm.family"))
      summary.family = family.str();
    return summary;
  }
  ModelSummary empty;
  empty.family = "unknown";
  return empty;
}

} // namespace plmc
