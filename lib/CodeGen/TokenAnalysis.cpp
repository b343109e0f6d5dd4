//===- TokenAnalysis.cpp - Which values are token-level ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Padding. A batch of sentences of unequal length is padded, but nobody wants
// to pay for the padding. The live positions of the batch are put one after
// the other, [tokens, H], and every row-wise kernel runs over those alone.
// Which positions are live is decided here, once for the whole function, from
// who reads what:
//
//   kept            only positions that the keep mask marks; enough when
//                   token-level values meet row-wise kernels, attention, masked
//                   pooling and the outputs (zero at padding by convention)
//   kept and first  also position 0, masked or not: a [CLS] pooler reads it
//                   even when the padding is on the left
//   all             every position: somebody reads padding (a tensor operation
//                   that we cannot see through), or the user asked for it
//
// In every mode the kept rows of a sequence come first among its rows, so
// attention only needs two counts a sequence and never reads a mask.
//
//===----------------------------------------------------------------------===//

#include "TokenAnalysis.h"
#include "Decompose.h"
#include "QuantizedWeight.h"
#include "Table.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace plmc;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// A value that can go to the weight section.
static bool isStored(Value value) {
  return !value || isa_and_present<plm::GetParameterOp, plm::ConstantOp>(
                       value.getDefiningOp());
}

TokenAnalysis::TokenAnalysis(func::FuncOp func) : func(func) {
  findTokenDims();
  shareMask();
  for (auto linear : llvm::make_early_inc_range(func.getOps<plm::LinearOp>()))
    if (!hasStoredWeight(linear) || !isStored(linear.getBias()))
      decompose(linear);
  for (auto norm : llvm::make_early_inc_range(func.getOps<plm::LayerNormOp>()))
    if (!isStored(norm.getGamma()) || !isStored(norm.getBeta()))
      decompose(norm);
  for (auto attention :
       llvm::make_early_inc_range(func.getOps<plm::AttentionOp>()))
    if (!fits(attention))
      decompose(attention);
    else if (attention.getMask() != mask)
      maskToBias(attention); // attends to every row
  for (auto pool : llvm::make_early_inc_range(func.getOps<plm::PoolOp>()))
    if (!fits(pool))
      decompose(pool);
  if (batch)
    markTokenValues();
}

/// The value that has the elements of a mask in the same order: through
/// reshapes, and through casts that leave zero and non-zero as they are. Of an
/// argument the runtime refuses what is neither 0 nor 1, so any cast does.
static Value maskSourceOf(Value mask) {
  Value source = mask, argument = mask;
  while (Operation *op = argument.getDefiningOp()) {
    if (!isa<plm::ReshapeOp, plm::CastOp>(op))
      break;
    argument = op->getOperand(0);
  }
  if (isa<BlockArgument>(argument))
    return argument;
  while (auto reshape = source.getDefiningOp<plm::ReshapeOp>())
    source = reshape.getInput();
  return source;
}

/// The operations that compute `value`, in program order, if all of them are
/// tensor operations on arguments and parameters: then they can run before the
/// rows of the batch are known.
static std::optional<SmallVector<Operation *>> opsBehind(Value value) {
  llvm::SetVector<Operation *> ops;
  if (Operation *op = value.getDefiningOp())
    ops.insert(op);
  for (size_t i = 0; i < ops.size(); ++i) {
    if (!isMemoryEffectFree(ops[i]) ||
        isa<plm::AttentionOp, plm::PoolOp, plm::EmbeddingOp, plm::LinearOp,
            plm::LayerNormOp, plm::PositionEmbeddingOp>(ops[i]))
      return std::nullopt;
    for (Value operand : ops[i]->getOperands())
      if (Operation *op = operand.getDefiningOp())
        ops.insert(op);
  }
  SmallVector<Operation *> ordered(ops.takeVector());
  llvm::sort(ordered,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return ordered;
}

void TokenAnalysis::findTokenDims() {
  auto adopt = [&](Value tokens, Value keep) {
    SmallVector<DimExpr> dims = getDims(typeOf(tokens));
    if (batch)
      return;
    if (keep) {
      maskSource = maskSourceOf(keep);
      auto ops = opsBehind(maskSource);
      if (!ops) {
        maskSource = Value();
        return;
      }
      maskOps = std::move(*ops);
    }
    batch = dims[0];
    sequence = dims[1];
    mask = keep;
  };
  for (bool masked : {true, false}) // a mask saves more than none
    for (auto attention : func.getOps<plm::AttentionOp>())
      if (bool(attention.getMask()) == masked &&
          getDims(typeOf(attention.getQuery()))[1] ==
              getDims(typeOf(attention.getKey()))[1])
        adopt(attention.getQuery(), attention.getMask());
  // An encoder without attention (embeddings and pooling) packs too.
  for (auto pool : func.getOps<plm::PoolOp>())
    if (pool.getMask())
      adopt(pool.getInput(), pool.getMask());
  for (auto pool : func.getOps<plm::PoolOp>())
    adopt(pool.getInput(), Value());
}

/// One value for all forms of the mask, made where its source is.
void TokenAnalysis::shareMask() {
  if (!mask)
    return;
  OpBuilder builder(func.getContext());
  builder.setInsertionPointAfterValue(maskSource);
  RankedTensorType type =
      makeTensorType({*batch, *sequence}, typeOf(maskSource).getElementType());
  mask = maskSource;
  if (type != maskSource.getType())
    mask = plm::ReshapeOp::create(builder, maskSource.getLoc(), type, mask);
  auto share = [&](auto op) {
    if (op.getMask() && op.getMask() != mask &&
        maskSourceOf(op.getMask()) == maskSource &&
        getDims(typeOf(op.getMask())) == getDims(type))
      op.getMaskMutable().assign(mask);
  };
  for (auto attention : func.getOps<plm::AttentionOp>())
    share(attention);
  for (auto pool : func.getOps<plm::PoolOp>())
    share(pool);
}

bool TokenAnalysis::hasTokenDims(Value value) const {
  SmallVector<DimExpr> dims = getDims(typeOf(value));
  return batch && dims.size() >= 2 && dims[0] == *batch && dims[1] == *sequence;
}

bool TokenAnalysis::canPack(Value value, int64_t rank) const {
  SmallVector<DimExpr> dims = getDims(typeOf(value));
  return batch && int64_t(dims.size()) == rank && rank >= 3 &&
         (dims[0] == *batch || dims[0].isConstant(1)) &&
         (dims[1] == *sequence || dims[1].isConstant(1));
}

bool TokenAnalysis::fits(plm::AttentionOp op) const {
  return hasTokenDims(op.getQuery()) && hasTokenDims(op.getKey()) &&
         typeOf(op.getQuery()).getElementType().isF32();
}

bool TokenAnalysis::fits(plm::PoolOp op) const {
  return hasTokenDims(op.getInput()) &&
         (!op.getMask() || op.getMask() == mask) &&
         typeOf(op.getInput()).getElementType().isF32();
}

/// True for a value that a packed elementwise op can take as it is: all
/// dimensions but the last are 1.
bool TokenAnalysis::isRow(Value value) {
  SmallVector<DimExpr> dims = getDims(typeOf(value));
  for (size_t i = 0; i + 1 < dims.size(); ++i)
    if (!dims[i].isConstant(1))
      return false;
  return true;
}

/// Ops that compute row r of their result from row r of their operands.
bool TokenAnalysis::isRowwise(Operation *op) {
  auto isScaledByRow = [](auto quantize) {
    return typeOf(quantize.getScale()).getRank() == 0 ||
           int64_t(quantize.getAxis()) + 1 == quantize.getType().getRank();
  };
  if (auto quantize = dyn_cast<plm::QuantizeOp>(op))
    return isScaledByRow(quantize);
  if (auto dequantize = dyn_cast<plm::DequantizeOp>(op))
    return isScaledByRow(dequantize);
  return isa<plm::LinearOp, plm::LayerNormOp, plm::ActivationOp, plm::UnaryOp,
             plm::CastOp, plm::BinaryOp, plm::SelectOp, plm::L2NormalizeOp>(op);
}

void TokenAnalysis::markTokenValues() {
  for (Operation &op : func.getBody().front()) {
    if (op.getNumResults() != 1 || !hasTokenDims(op.getResult(0)))
      continue;
    bool token = false;
    if (auto embedding = dyn_cast<plm::EmbeddingOp>(op)) {
      token = typeOf(embedding.getIds()).getRank() == 2 &&
              isTable(embedding.getTable());
    } else if (isa<plm::AttentionOp>(op)) {
      token = true;
    } else if (isRowwise(&op)) {
      // At least one operand is already token-level; the others can be packed
      // ([B, S, ...] of equal rank) or are a row.
      int64_t rank = typeOf(op.getResult(0)).getRank();
      bool fits = true;
      if (isa<plm::LinearOp, plm::LayerNormOp>(op)) {
        token = isToken(op.getOperand(0));
      } else {
        for (Value operand : op.getOperands()) {
          token |= isToken(operand);
          fits &= isRow(operand) || canPack(operand, rank);
        }
        token &= fits && rank >= 3;
      }
    }
    if (token)
      tokenLevel.insert(op.getResult(0));
  }
}

PackMode TokenAnalysis::choosePackMode(bool computePadding) {
  PackMode mode = requiredPackMode(computePadding);
  if (mode == PackMode::None || mode == PackMode::Kept)
    return mode;
  // Masked rows are seen: where a bias excludes all keys, kept or not, the
  // average runs over all of them, as in the graph.
  for (auto attention : func.getOps<plm::AttentionOp>())
    if (attention.getMaskInBias()) {
      maskToBias(attention);
      mode = PackMode::All;
    }
  return mode;
}

PackMode TokenAnalysis::requiredPackMode(bool computePadding) {
  if (!batch)
    return PackMode::None;
  if (!mask || computePadding)
    return PackMode::All;
  for (auto attention : func.getOps<plm::AttentionOp>())
    if (attention.getMask() != mask)
      return PackMode::All; // every row is a key
  // Pooling reads packed rows, wherever they come from.
  bool first = false;
  for (auto pool : func.getOps<plm::PoolOp>()) {
    if (pool.getKind() == plm::PoolKind::First)
      first = true;
    else if (!pool.getMask())
      return PackMode::All;
  }
  for (Operation &op : func.getBody().front()) {
    if (op.getNumResults() != 1 || !isToken(op.getResult(0)))
      continue;
    for (OpOperand &use : op.getResult(0).getUses()) {
      Operation *user = use.getOwner();
      if (isa<plm::AttentionOp, plm::PoolOp, func::ReturnOp>(user))
        continue;
      if (user->getNumResults() == 1 && isToken(user->getResult(0)))
        continue;
      return PackMode::All; // somebody we cannot see through
    }
  }
  return first ? PackMode::KeptAndFirst : PackMode::Kept;
}
