//===- LowerToPLK.cpp - Transformer ops to kernels over packed rows ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Padding. A batch of sentences of unequal length is padded, but nobody wants
// to pay for the padding. The live positions of the batch are put one after
// the other, [tokens, H], and every row-wise kernel runs over those alone. Which
// positions are live is decided here, once for the whole function, from who
// reads what:
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
// Everything that is not token-level keeps its shape. Ops are lowered one by
// one, in program order; what belongs together is merged afterwards (FusePLK),
// so that a dump shows both steps.
//
//===----------------------------------------------------------------------===//

#include "plmc/CodeGen/Passes.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "llvm/ADT/TypeSwitch.h"
#include <set>

namespace plmc {
#define GEN_PASS_DEF_LOWERTOPLK
#include "plmc/CodeGen/Passes.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;

namespace {

enum PackMode { None = 0, All = 1, Kept = 2, KeptAndFirst = 3 };

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

class Lowering {
public:
  Lowering(ModuleOp module, func::FuncOp func, bool computePadding,
           int64_t panelWidth)
      : module(module), func(func), symbols(module), builder(func.getContext()),
        computePadding(computePadding), panelWidth(panelWidth) {}

  LogicalResult run();

private:
  // Which values are token-level, and which rows are live.
  LogicalResult findTokenDims();
  void markTokenValues();
  PackMode choosePackMode();
  bool hasTokenDims(Value value, size_t minRank = 2) {
    SmallVector<DimExpr> dims = getDims(typeOf(value));
    return batch && dims.size() >= minRank && dims[0] == *batch &&
           dims[1] == *sequence;
  }
  /// True for a value that a packed elementwise op can take as it is: all
  /// dimensions but the last are 1.
  static bool isRow(Value value) {
    SmallVector<DimExpr> dims = getDims(typeOf(value));
    for (size_t i = 0; i + 1 < dims.size(); ++i)
      if (!dims[i].isConstant(1))
        return false;
    return true;
  }
  bool isRowwise(Operation *op);

  // Rewriting.
  RankedTensorType packedType(RankedTensorType type) {
    SmallVector<DimExpr> dims = getDims(type);
    dims.erase(dims.begin());
    dims[0] = DimExpr::symbol(tokensSymbol);
    return makeTensorType(dims, type.getElementType());
  }
  Value packed(Value value);
  Value plain(Value value);
  Value elementwiseOperand(Value value, RankedTensorType resultType);
  FailureOr<FlatSymbolRefAttr> weight(Value value, bool panels,
                                      bool transposed);
  FailureOr<FlatSymbolRefAttr> rowParameter(Value value);
  LogicalResult lower(Operation *op);
  template <typename OpT> Value replaceRowwise(OpT op);

  ModuleOp module;
  func::FuncOp func;
  SymbolTable symbols;
  OpBuilder builder;
  bool computePadding;
  int64_t panelWidth;
  std::optional<DimExpr> batch, sequence;
  Value mask;
  std::set<void *> tokenLevel;
  bool isToken(Value value) {
    return tokenLevel.count(value.getAsOpaquePointer());
  }
  DenseMap<Value, Value> packedValues; // plm value -> [tokens, ...]
  DenseMap<Value, Value> plainValues;  // the other way, after plk.unpack
  std::map<std::string, FlatSymbolRefAttr> weights;
};

} // namespace

//===----------------------------------------------------------------------===//
// Analysis
//===----------------------------------------------------------------------===//

LogicalResult Lowering::findTokenDims() {
  for (auto attention : func.getOps<plm::AttentionOp>()) {
    SmallVector<DimExpr> query = getDims(typeOf(attention.getQuery()));
    SmallVector<DimExpr> key = getDims(typeOf(attention.getKey()));
    if (query[1] != key[1])
      return attention.emitOpError(
          "cross attention is not supported by code generation yet");
    if (!batch) {
      batch = query[0];
      sequence = query[1];
      mask = attention.getMask();
    } else if (query[0] != *batch || query[1] != *sequence ||
               attention.getMask() != mask) {
      return attention.emitOpError(
          "differs from an earlier attention op in its batch, its length or "
          "its mask; code generation supports one of each a model");
    }
  }
  // An encoder without attention (embeddings and pooling) still packs.
  if (!batch)
    for (auto pool : func.getOps<plm::PoolOp>()) {
      SmallVector<DimExpr> dims = getDims(typeOf(pool.getInput()));
      if (batch && (dims[0] != *batch || dims[1] != *sequence))
        return pool.emitOpError("pools tensors of several shapes");
      batch = dims[0];
      sequence = dims[1];
      if (pool.getMask())
        mask = pool.getMask();
    }
  for (auto pool : func.getOps<plm::PoolOp>())
    if ((pool.getMask() && pool.getMask() != mask) ||
        !hasTokenDims(pool.getInput()))
      return pool.emitOpError("pools under another mask or shape than the "
                              "attention; not supported by code generation");
  if (!batch)
    return success();
  for (const DimExpr &dim : {*batch, *sequence})
    if (!dim.isConstant() &&
        (dim.getTerms().size() != 1 || dim.str() != dim.symbols().front()))
      return func.emitError()
             << "the model's batch or length is the expression " << dim.str()
             << "; code generation needs a plain dimension";
  if (mask && !isa<BlockArgument>(mask))
    return func.emitError("the mask of attention is not an input of the model");
  return success();
}

/// Ops that compute row r of their result from row r of their operands.
bool Lowering::isRowwise(Operation *op) {
  return isa<plm::LinearOp, plm::LayerNormOp, plm::ActivationOp, plm::UnaryOp,
             plm::CastOp, plm::BinaryOp, plm::SelectOp, plm::L2NormalizeOp>(op);
}

void Lowering::markTokenValues() {
  for (Operation &op : func.getBody().front()) {
    if (op.getNumResults() != 1 || !hasTokenDims(op.getResult(0)))
      continue;
    bool token = false;
    if (auto embedding = dyn_cast<plm::EmbeddingOp>(op)) {
      token = typeOf(embedding.getIds()).getRank() == 2 &&
              embedding.getTable().getDefiningOp<plm::GetParameterOp>();
    } else if (isa<plm::AttentionOp>(op)) {
      token = true;
    } else if (isRowwise(&op)) {
      // At least one operand is already token-level; the others can be packed
      // ([B, S, ...] of equal rank) or are a row.
      size_t rank = typeOf(op.getResult(0)).getRank();
      bool fits = true;
      if (isa<plm::LinearOp, plm::LayerNormOp>(op)) {
        token = isToken(op.getOperand(0));
      } else {
        for (Value operand : op.getOperands()) {
          token |= isToken(operand);
          fits &= (hasTokenDims(operand) &&
                   size_t(typeOf(operand).getRank()) == rank) ||
                  isRow(operand) ||
                  (rank == 3 &&
                   operand.getDefiningOp<plm::PositionEmbeddingOp>());
        }
        token &= fits && rank >= 3;
      }
    }
    if (token)
      tokenLevel.insert(op.getResult(0).getAsOpaquePointer());
  }
}

PackMode Lowering::choosePackMode() {
  if (!batch)
    return None;
  if (!mask || computePadding)
    return All;
  bool first = false;
  for (Operation &op : func.getBody().front()) {
    if (op.getNumResults() != 1 || !isToken(op.getResult(0)))
      continue;
    for (OpOperand &use : op.getResult(0).getUses()) {
      Operation *user = use.getOwner();
      if (isa<plm::AttentionOp, func::ReturnOp>(user))
        continue;
      if (auto pool = dyn_cast<plm::PoolOp>(user)) {
        if (pool.getKind() == plm::PoolKind::First)
          first = true;
        else if (!pool.getMask())
          return All;
        continue;
      }
      if (user->getNumResults() == 1 && isToken(user->getResult(0)))
        continue;
      return All; // somebody we cannot see through
    }
  }
  return first ? KeptAndFirst : Kept;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Value Lowering::packed(Value value) {
  Value &result = packedValues[value];
  if (!result)
    result = plk::PackOp::create(builder, value.getLoc(),
                                 packedType(typeOf(value)), value);
  return result;
}

Value Lowering::plain(Value value) {
  auto it = packedValues.find(value);
  if (!isToken(value) || it == packedValues.end())
    return value;
  Value &result = plainValues[value];
  if (!result)
    result = plk::UnpackOp::create(builder, value.getLoc(), value.getType(),
                                   it->second);
  return result;
}

/// An operand of a packed elementwise op.
Value Lowering::elementwiseOperand(Value value, RankedTensorType resultType) {
  if (auto position = value.getDefiningOp<plm::PositionEmbeddingOp>()) {
    auto table = weight(position.getTable(), /*panels=*/false, false);
    if (succeeded(table)) {
      SmallVector<DimExpr> dims = getDims(typeOf(value));
      dims.erase(dims.begin());
      dims[0] = DimExpr::symbol(tokensSymbol);
      return plk::EmbedOp::create(
          builder, value.getLoc(),
          makeTensorType(dims, resultType.getElementType()), ValueRange{},
          ArrayRef<Attribute>{}, *table, int64_t(position.getOffset()));
    }
  }
  if (hasTokenDims(value) && typeOf(value).getRank() >= 3)
    return packed(value);
  if (typeOf(value).getRank() <= 1)
    return value;
  return plm::ReshapeOp::create(
      builder, value.getLoc(),
      makeTensorType({getDims(typeOf(value)).back()},
                     typeOf(value).getElementType()),
      value);
}

FailureOr<FlatSymbolRefAttr> Lowering::weight(Value value, bool panels,
                                              bool transposed) {
  auto get = value.getDefiningOp<plm::GetParameterOp>();
  if (!get || !typeOf(value).getElementType().isF32())
    return failure();
  std::string key = (get.getParameter() + (panels ? "|p" : "|") +
                     (transposed ? "t" : ""))
                        .str();
  FlatSymbolRefAttr &ref = weights[key];
  if (ref)
    return ref;
  SmallVector<int64_t> shape(typeOf(value).getShape());
  if (transposed)
    std::swap(shape[0], shape[1]);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(func);
  auto op = plk::WeightOp::create(
      builder, get.getLoc(),
      (get.getParameter() + (panels ? ".panels" : ".plain")).str(),
      builder.getArrayAttr({get.getParameterAttr()}), shape,
      panels ? builder.getI64IntegerAttr(panelWidth) : IntegerAttr(),
      ArrayRef<bool>{transposed});
  symbols.insert(op); // renames on a clash
  ref = FlatSymbolRefAttr::get(op);
  return ref;
}

/// A [N] operand (bias, gamma, beta): a parameter, or a constant that becomes
/// one.
FailureOr<FlatSymbolRefAttr> Lowering::rowParameter(Value value) {
  if (auto constant = value.getDefiningOp<plm::ConstantOp>()) {
    if (!typeOf(value).getElementType().isF32())
      return failure();
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(func);
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (!dense)
      return failure();
    // Spelled out as bytes: a splat attribute has no storage to pack from.
    auto values = llvm::to_vector(dense.getValues<float>());
    auto blob = DenseResourceElementsAttr::get(
        dense.getType(), "constant",
        HeapAsmResourceBlob::allocateAndCopyInferAlign(
            ArrayRef<float>(values)));
    auto parameter = plm::ParameterOp::create(builder, constant.getLoc(),
                                              "constant", blob);
    symbols.insert(parameter);
    builder.setInsertionPointAfter(constant);
    Value get = plm::GetParameterOp::create(
        builder, constant.getLoc(), constant.getType(),
        FlatSymbolRefAttr::get(parameter));
    return weight(get, false, false);
  }
  return weight(value, /*panels=*/false, false);
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

template <typename OpT> Value Lowering::replaceRowwise(OpT op) {
  auto type = typeOf(op.getResult());
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(elementwiseOperand(operand, type));
  Operation *clone = builder.clone(*op);
  clone->setOperands(operands);
  clone->getResult(0).setType(packedType(type));
  return clone->getResult(0);
}

static LogicalResult unsupportedType(Operation *op) {
  return op->emitOpError()
         << "computes in "
         << typeOf(op->getResult(0)).getElementType()
         << "; code generation supports float32 models so far: export the "
            "model in float32";
}

LogicalResult Lowering::lower(Operation *op) {
  builder.setInsertionPoint(op);
  Location loc = op->getLoc();
  Value old = op->getNumResults() == 1 ? op->getResult(0) : Value();
  bool token = old && isToken(old);
  auto input = [&](Value value) {
    return token ? packed(value) : plain(value);
  };
  auto resultType = [&] {
    return token ? packedType(typeOf(old)) : typeOf(old);
  };
  Value result;

  if (auto embedding = dyn_cast<plm::EmbeddingOp>(op); embedding && token) {
    auto table = weight(embedding.getTable(), false, false);
    if (failed(table))
      return unsupportedType(op);
    result = plk::EmbedOp::create(
        builder, loc, resultType(), ValueRange{embedding.getIds()},
        ArrayRef<Attribute>{*table}, FlatSymbolRefAttr(), 0);
  } else if (auto linear = dyn_cast<plm::LinearOp>(op)) {
    auto w = weight(linear.getWeight(), true, linear.getTransposed());
    FailureOr<FlatSymbolRefAttr> bias = FlatSymbolRefAttr();
    if (linear.getBias())
      bias = rowParameter(linear.getBias());
    if (succeeded(w) && succeeded(bias))
      result = plk::LinearOp::create(builder, loc, resultType(),
                                     input(linear.getInput()), *w, *bias);
  } else if (auto norm = dyn_cast<plm::LayerNormOp>(op)) {
    auto gamma = rowParameter(norm.getGamma());
    FailureOr<FlatSymbolRefAttr> beta = FlatSymbolRefAttr();
    if (norm.getBeta())
      beta = rowParameter(norm.getBeta());
    if (succeeded(gamma) && succeeded(beta))
      result = plk::NormOp::create(builder, loc, resultType(),
                                   input(norm.getInput()), *gamma, *beta,
                                   norm.getEpsilonAttr());
  } else if (auto attention = dyn_cast<plm::AttentionOp>(op)) {
    int64_t heads = attention.getNumHeads();
    int64_t size = typeOf(attention.getQuery()).getDimSize(2) / heads;
    int64_t valueSize = typeOf(attention.getValue()).getDimSize(2) / heads;
    result = plk::AttentionOp::create(
        builder, loc, resultType(), packed(attention.getQuery()),
        packed(attention.getKey()), packed(attention.getValue()),
        builder.getI64IntegerAttr(0), builder.getI64IntegerAttr(0),
        builder.getI64IntegerAttr(0), builder.getI64IntegerAttr(heads),
        builder.getI64IntegerAttr(size), builder.getI64IntegerAttr(valueSize),
        attention.getScaleAttr());
  } else if (auto pool = dyn_cast<plm::PoolOp>(op)) {
    result = plk::PoolOp::create(builder, loc, resultType(), pool.getKindAttr(),
                                 packed(pool.getInput()),
                                 pool.getMask() ? UnitAttr() : builder.getUnitAttr(),
                                 pool.getEpsilonAttr());
  } else if (token) {
    result =
        llvm::TypeSwitch<Operation *, Value>(op)
            .Case<plm::ActivationOp, plm::UnaryOp, plm::CastOp, plm::BinaryOp,
                  plm::SelectOp, plm::L2NormalizeOp>(
                [&](auto rowwise) { return replaceRowwise(rowwise); })
            .Default([](Operation *) { return Value(); });
    if (!result)
      return op->emitOpError("cannot be lowered on packed rows");
  }

  if (result) {
    if (token)
      packedValues[old] = result;
    else
      old.replaceAllUsesWith(result);
    return success();
  }
  if (isa<plm::LinearOp, plm::LayerNormOp>(op) && token)
    return unsupportedType(op);
  // A tensor operation: it sees plain tensors.
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = plain(operand.get());
    if (value != operand.get())
      operand.set(value);
  }
  return success();
}

LogicalResult Lowering::run() {
  if (failed(findTokenDims()))
    return failure();
  if (batch)
    markTokenValues();
  PackMode mode = choosePackMode();
  Operation *terminator = func.getBody().front().getTerminator();
  SmallVector<bool> paddingZero;
  for (Value value : terminator->getOperands())
    paddingZero.push_back(isToken(value) && mode >= Kept);

  SmallVector<Operation *> ops;
  for (Operation &op : func.getBody().front())
    ops.push_back(&op);
  for (Operation *op : ops)
    if (failed(lower(op)))
      return failure();
  // Token-level ops have been rebuilt; erase the originals, users first.
  for (Operation *op : llvm::reverse(ops))
    if (op != terminator && op->use_empty() && isMemoryEffectFree(op))
      op->erase();

  for (auto [index, zero] : llvm::enumerate(paddingZero))
    if (zero)
      func.setResultAttr(index, attrs::paddingZero, builder.getUnitAttr());
  module->setAttr(attrs::packMode, builder.getI32IntegerAttr(mode));
  module->setAttr(
      attrs::maskInput,
      builder.getI32IntegerAttr(
          mask ? int32_t(cast<BlockArgument>(mask).getArgNumber()) : -1));
  module->setAttr(attrs::batch,
                  builder.getStringAttr(batch ? batch->str() : "1"));
  module->setAttr(attrs::sequence,
                  builder.getStringAttr(sequence ? sequence->str() : "1"));
  return success();
}

namespace {
struct LowerToPLKPass : plmc::impl::LowerToPLKBase<LowerToPLKPass> {
  using LowerToPLKBase::LowerToPLKBase;
  void runOnOperation() override {
    auto func = getOperation().lookupSymbol<func::FuncOp>("forward");
    if (!func || func.isExternal()) {
      getOperation().emitError("there is no function @forward to compile");
      return signalPassFailure();
    }
    if (failed(Lowering(getOperation(), func, computePadding, panelWidth).run()))
      signalPassFailure();
  }
};
} // namespace
