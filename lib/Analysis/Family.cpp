//===- Family.cpp - Table lookups and the family they tell ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Family.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace plmc::analysis {

Value skipMovement(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<plm::CastOp, plm::DequantizeOp, plm::ReshapeOp, plm::TransposeOp,
             plm::BroadcastOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

FlatSymbolRefAttr parameterOf(Value value) {
  auto get = skipMovement(value).getDefiningOp<plm::GetParameterOp>();
  return get ? get.getParameterAttr() : FlatSymbolRefAttr();
}

/// How ids come about: given by an input, counted, or counted by cumsum.
static LookupKind classifyIds(Value ids) {
  SmallVector<Value> pending{ids};
  llvm::DenseSet<Value> seen;
  bool fromInput = false, counted = false;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    Operation *op = value.getDefiningOp();
    if (!op) {
      fromInput = true;
      continue;
    }
    if (isa<plm::CumSumOp>(op))
      return LookupKind::MaskedPosition;
    // A constant of distinct ids is the position_ids buffer; a constant of
    // equal ones is token type 0.
    if (auto constant = dyn_cast<plm::ConstantOp>(op))
      counted |= !constant.getValue().isSplat();
    counted |= isa<plm::IotaOp>(op);
    if (isa<plm::GetParameterOp>(op))
      counted = true;
    pending.append(op->operand_begin(), op->operand_end());
  }
  return counted && !fromInput ? LookupKind::Position : LookupKind::Other;
}

/// The size of a static rank-2 table, or nullopt.
static std::optional<std::pair<int64_t, int64_t>> tableSize(Value table) {
  auto type = dyn_cast<RankedTensorType>(table.getType());
  if (!type || type.getRank() != 2 || !type.hasStaticShape())
    return std::nullopt;
  return std::make_pair(type.getDimSize(0), type.getDimSize(1));
}

SmallVector<Lookup> findLookups(func::FuncOp func) {
  SmallVector<Lookup> lookups;
  func.walk([&](Operation *op) {
    Value table, ids;
    int64_t offset = 0;
    if (auto embedding = dyn_cast<plm::EmbeddingOp>(op)) {
      table = embedding.getTable();
      ids = embedding.getIds();
    } else if (auto gather = dyn_cast<plm::GatherOp>(op)) {
      if (gather.getAxis() != 0 || !parameterOf(gather.getData()))
        return;
      // The table of another lookup, chosen from fewer rows.
      if (llvm::all_of(
              gather->getUsers(),
              llvm::IsaPred<plm::EmbeddingOp, plm::PositionEmbeddingOp>))
        return;
      table = gather.getData();
      ids = gather.getIndices();
    } else if (auto position = dyn_cast<plm::PositionEmbeddingOp>(op)) {
      table = position.getTable();
      offset = position.getOffset();
    } else if (auto slice = dyn_cast<plm::SliceOp>(op)) {
      // Rows 0 .. sequence-1 of a table.
      auto type = dyn_cast<RankedTensorType>(slice.getInput().getType());
      if (!parameterOf(slice.getInput()) || !type || type.getRank() != 2)
        return;
      table = slice.getInput();
    }
    auto size = table ? tableSize(table) : std::nullopt;
    if (!size)
      return;
    LookupKind kind = ids ? classifyIds(ids) : LookupKind::Position;
    lookups.push_back({op, kind, size->first, size->second, offset});
  });
  // The word table is the largest of those that are read by given ids.
  Lookup *word = nullptr;
  for (Lookup &lookup : lookups)
    if (lookup.kind == LookupKind::Other && (!word || lookup.rows > word->rows))
      word = &lookup;
  if (word)
    word->kind = LookupKind::Word;
  return lookups;
}

/// The terms of the sum that `value` is part of, reshaped or not.
static SmallVector<Value> termsOfSum(Value value) {
  auto isPart = [](Operation *op) {
    auto binary = dyn_cast_or_null<plm::BinaryOp>(op);
    return isa_and_present<plm::ReshapeOp>(op) ||
           (binary && binary.getKind() == plm::BinaryKind::Add);
  };
  while (value.hasOneUse() && isPart(*value.user_begin()))
    value = (*value.user_begin())->getResult(0);
  SmallVector<Value> pending{value}, terms;
  while (!pending.empty()) {
    Value term = pending.pop_back_val();
    if (Operation *op = term.getDefiningOp(); isPart(op))
      pending.append(op->operand_begin(), op->operand_end());
    else
      terms.push_back(term);
  }
  return terms;
}

/// Names of parameters tell what structure cannot.
static bool namesContain(func::FuncOp func, StringRef text) {
  return func
      .walk([&](plm::GetParameterOp get) {
        return get.getParameter().contains_insensitive(text)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

std::string guessFamily(func::FuncOp func, const ModelSummary &summary,
                        const EncoderTraits &traits, ArrayRef<Lookup> lookups) {
  constexpr const char *someEncoder = "unknown transformer encoder";
  int64_t layers = summary.layers.size();
  if (!layers)
    return "unknown";
  if (traits.rotary)
    return traits.gatedGelu   ? "ModernBERT"
           : traits.gatedSilu ? "NomicBERT"
                              : someEncoder;
  if (traits.disentangled)
    return traits.keysWithoutBias ? "DeBERTa" : "DeBERTa-v2";
  if (traits.comparesPositions && !traits.distanceTable)
    return someEncoder; // a decoder, as like as not
  const Lookup *word = nullptr;
  bool shifted = false;
  for (const Lookup &lookup : lookups) {
    shifted |= lookup.offset > 0 || lookup.kind == LookupKind::MaskedPosition;
    if (lookup.kind == LookupKind::Word)
      word = &lookup;
  }
  if (traits.distanceTable)
    return shifted ? "MPNet" : someEncoder;
  if (traits.affineRows >= 2 * layers && summary.norms <= 1)
    return "MobileBERT";
  if (traits.layerGroups && traits.layerGroups < layers)
    return "ALBERT";
  if (summary.embeddingSize && summary.embeddingSize != summary.hiddenSize) {
    // An ALBERT that shares nothing, with a group for each layer or one layer,
    // is built as an ELECTRA. Its weights' names tell, and where an optimiser
    // has renamed them the activation: tanh GELU is one's default, erf the
    // other's.
    if (namesContain(func, "electra"))
      return "ELECTRA";
    return traits.tanhGelu || namesContain(func, "albert") ? "ALBERT"
                                                           : "ELECTRA";
  }
  if (shifted)
    return "RoBERTa";
  if (namesContain(func, "electra"))
    return "ELECTRA";
  if (!word)
    return someEncoder;
  if (traits.relativeKeys)
    return "BERT";
  return termsOfSum(word->op->getResult(0)).size() <= 2 ? "DistilBERT" : "BERT";
}

} // namespace plmc::analysis
