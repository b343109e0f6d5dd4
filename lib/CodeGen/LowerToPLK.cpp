//===- LowerToPLK.cpp - Transformer ops to kernels over packed rows ---*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Token-level values [batch, sequence, H] become [tokens, H]: the live
// positions of the batch, one after the other (TokenAnalysis.cpp says which are
// live). Everything that is not token-level keeps its shape. Ops are lowered
// one by one, in program order; what belongs together is merged afterwards
// (FusePLK), so that a dump shows both steps.
//
//===----------------------------------------------------------------------===//

#include "Kernels/DotProduct.h"
#include "LowerWeights.h"
#include "Table.h"
#include "TokenAnalysis.h"
#include "plmc/CodeGen/Passes.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "llvm/ADT/TypeSwitch.h"

namespace plmc {
#define GEN_PASS_DEF_LOWERTOPLK
#include "plmc/CodeGen/Passes.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;

namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

class Lowering {
public:
  Lowering(ModuleOp module, func::FuncOp func, bool computePadding,
           int64_t panelWidth)
      : module(module), func(func), builder(func.getContext()),
        computePadding(computePadding), weights(module, func, panelWidth),
        tokens(func) {}

  LogicalResult run();

private:
  RankedTensorType packedType(RankedTensorType type) {
    SmallVector<DimExpr> dims = getDims(type);
    dims.erase(dims.begin());
    dims[0] = DimExpr::symbol(tokensSymbol);
    return makeTensorType(dims, type.getElementType());
  }
  Value packed(Value value);
  Value plain(Value value);
  Value elementwiseOperand(Value value, RankedTensorType resultType);
  Value encoded(Value rows, plk::WeightOp weight,
                plm::QuantizeOp given = nullptr);
  FailureOr<std::pair<Value, plk::WeightOp>> linearOperands(plm::LinearOp op);
  void computeMaskFirst();
  LogicalResult lower(Operation *op);
  template <typename OpT> Value replaceRowwise(OpT op);

  ModuleOp module;
  func::FuncOp func;
  OpBuilder builder;
  bool computePadding;
  WeightLowering weights;
  TokenAnalysis tokens;
  PackMode mode = PackMode::None;
  bool isToken(Value value) const { return tokens.isToken(value); }
  bool hasTokenDims(Value value) const { return tokens.hasTokenDims(value); }
  DenseMap<Value, Value> packedValues; // plm value -> [tokens, ...]
  DenseMap<Value, Value> plainValues;  // the other way, after plk.unpack
  /// By input (or plm.quantize), precision and block.
  std::map<std::tuple<void *, int, int64_t>, Value> encodedRows;
};

} // namespace

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

/// `rows` as the operand of a product with `weight`; once for all products.
Value Lowering::encoded(Value rows, plk::WeightOp weight,
                        plm::QuantizeOp given) {
  DotFormat format = *DotFormat::of(weight);
  Value &result = encodedRows[{given ? given.getResult().getAsOpaquePointer()
                                     : rows.getAsOpaquePointer(),
                               int(format.precision), format.block}];
  if (!result) {
    SmallVector<DimExpr> dims = getDims(typeOf(rows));
    dims.back() = DimExpr(encodedRowBytes(format, *dims.back().constant()));
    result = plk::EncodeRowsOp::create(
        builder, rows.getLoc(), makeTensorType(dims, builder.getI8Type()), rows,
        plm::PrecisionAttr::get(builder.getContext(), format.precision),
        weight.getBlockAttr(), given ? plain(given.getScale()) : Value(),
        given && given.getZeroPoint() ? plain(given.getZeroPoint()) : Value());
  }
  return result;
}

/// The quantization whose values `value` is, by one scale for the whole tensor;
/// null if there is none.
static plm::QuantizeOp quantizationOf(Value value) {
  auto dequantize = value.getDefiningOp<plm::DequantizeOp>();
  if (!dequantize || dequantize.getBlockSize())
    return nullptr;
  auto quantize = dequantize.getInput().getDefiningOp<plm::QuantizeOp>();
  auto isNumber = [](Value value) {
    return typeOf(value).hasStaticShape() &&
           typeOf(value).getNumElements() == 1;
  };
  if (!quantize || quantize.getScale() != dequantize.getScale() ||
      quantize.getZeroPoint() != dequantize.getZeroPoint() ||
      !isNumber(quantize.getScale()) ||
      !typeOf(quantize.getInput()).getElementType().isF32() ||
      !typeOf(quantize.getResult()).getElementType().isInteger(8) ||
      (quantize.getZeroPoint() && !isNumber(quantize.getZeroPoint())))
    return nullptr;
  // Without a zero point the kernel takes the codes for signed.
  if (!quantize.getZeroPoint() &&
      typeOf(quantize.getResult()).getElementType().isUnsignedInteger())
    return nullptr;
  return quantize;
}

/// Rows and weight of a product. A product in f32 of integers with integers, as
/// quantizing tools leave it, is one of integers: the same numbers, and faster.
FailureOr<std::pair<Value, plk::WeightOp>>
Lowering::linearOperands(plm::LinearOp op) {
  auto rowsOf = [&](Value value) {
    return isToken(op.getResult()) ? packed(value) : plain(value);
  };
  if (plm::QuantizeOp given = quantizationOf(op.getInput()))
    if (isToken(given.getInput()) == isToken(op.getInput()))
      if (plk::WeightOp weight = weights.integerPanels(op))
        return std::pair(encoded(rowsOf(given.getInput()), weight, given),
                         weight);
  FailureOr<plk::WeightOp> weight = weights.panels(op);
  if (failed(weight))
    return failure();
  Value rows = rowsOf(op.getInput());
  if (weight->getPrecision())
    rows = encoded(rows, *weight);
  return std::pair(rows, *weight);
}

/// An operand of a packed elementwise op.
Value Lowering::elementwiseOperand(Value value, RankedTensorType resultType) {
  if (auto position = value.getDefiningOp<plm::PositionEmbeddingOp>()) {
    auto table = weights.table(position.getTable());
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
  SmallVector<DimExpr> dims = getDims(typeOf(value));
  bool varies =
      llvm::any_of(ArrayRef<DimExpr>(dims).take_front(2),
                   [](const DimExpr &dim) { return !dim.isConstant(1); });
  if (dims.size() >= 3 && varies) {
    if (!hasTokenDims(value)) { // the same for every sentence or position
      dims[0] = *tokens.batch;
      dims[1] = *tokens.sequence;
      value = plm::BroadcastOp::create(
          builder, value.getLoc(),
          makeTensorType(dims, typeOf(value).getElementType()), value);
    }
    return packed(value);
  }
  if (typeOf(value).getRank() <= 1)
    return value;
  return plm::ReshapeOp::create(builder, value.getLoc(),
                                makeTensorType({getDims(typeOf(value)).back()},
                                               typeOf(value).getElementType()),
                                value);
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
  if constexpr (std::is_same_v<OpT, plm::QuantizeOp> ||
                std::is_same_v<OpT, plm::DequantizeOp>)
    if (op.getAxis()) // the last one, of one dimension less
      cast<OpT>(clone).setAxis(op.getAxis() - 1);
  clone->getResult(0).setType(packedType(type));
  return clone->getResult(0);
}

static LogicalResult unsupportedType(Operation *op) {
  return op->emitOpError()
         << "computes in " << typeOf(op->getResult(0)).getElementType()
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
    auto table = weights.table(embedding.getTable());
    if (failed(table)) // of f32 it has been said why
      return typeOf(old).getElementType().isF32() ? failure()
                                                  : unsupportedType(op);
    result = plk::EmbedOp::create(
        builder, loc, resultType(), ValueRange{embedding.getIds()},
        ArrayRef<Attribute>{*table}, FlatSymbolRefAttr(), 0);
  } else if (auto linear = dyn_cast<plm::LinearOp>(op)) {
    FailureOr<FlatSymbolRefAttr> bias = FlatSymbolRefAttr();
    if (linear.getBias())
      bias = weights.row(linear.getBias());
    if (succeeded(bias)) {
      auto operands = linearOperands(linear);
      if (succeeded(operands))
        result = plk::LinearOp::create(
            builder, loc, resultType(), operands->first,
            FlatSymbolRefAttr::get(operands->second), *bias);
      else if (linear.getPrecision() == plm::Precision::Int8)
        return failure(); // which has been explained
    }
  } else if (auto norm = dyn_cast<plm::LayerNormOp>(op)) {
    auto gamma = weights.row(norm.getGamma());
    FailureOr<FlatSymbolRefAttr> beta = FlatSymbolRefAttr();
    if (norm.getBeta())
      beta = weights.row(norm.getBeta());
    if (succeeded(gamma) && succeeded(beta))
      result = plk::NormOp::create(builder, loc, resultType(),
                                   input(norm.getInput()), *gamma, *beta,
                                   norm.getEpsilonAttr());
  } else if (auto attention = dyn_cast<plm::AttentionOp>(op)) {
    int64_t heads = attention.getNumHeads();
    int64_t size = typeOf(attention.getQuery()).getDimSize(2) / heads;
    int64_t valueSize = typeOf(attention.getValue()).getDimSize(2) / heads;
    Value bias = attention.getBias() ? plain(attention.getBias()) : Value();
    result = plk::AttentionOp::create(
        builder, loc, resultType(), packed(attention.getQuery()),
        packed(attention.getKey()), packed(attention.getValue()), bias,
        attention.getMask() == tokens.mask ? UnitAttr() : builder.getUnitAttr(),
        builder.getI64IntegerAttr(0), builder.getI64IntegerAttr(0),
        builder.getI64IntegerAttr(0), builder.getI64IntegerAttr(heads),
        builder.getI64IntegerAttr(size), builder.getI64IntegerAttr(valueSize),
        attention.getScaleAttr(), attention.getPrecisionAttr());
  } else if (auto pool = dyn_cast<plm::PoolOp>(op)) {
    bool allRows = !pool.getMask() && pool.getKind() != plm::PoolKind::First;
    result = plk::PoolOp::create(
        builder, loc, resultType(), pool.getKindAttr(), packed(pool.getInput()),
        allRows ? builder.getUnitAttr() : UnitAttr(), pool.getEpsilonAttr());
  } else if (token) {
    result = llvm::TypeSwitch<Operation *, Value>(op)
                 .Case<plm::ActivationOp, plm::UnaryOp, plm::CastOp,
                       plm::BinaryOp, plm::SelectOp, plm::L2NormalizeOp,
                       plm::QuantizeOp, plm::DequantizeOp>(
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
  // A number that all positions have a part in, such as the range of a dynamic
  // quantisation: rows are as good as positions when each has one.
  if (auto reduce = dyn_cast<plm::ReduceOp>(op);
      reduce && mode == PackMode::All && isToken(reduce.getInput()) &&
      typeOf(old).getRank() == 0) {
    reduce.getInputMutable().assign(packed(reduce.getInput()));
    reduce.setAxes(llvm::to_vector(
        llvm::seq<int64_t>(typeOf(reduce.getInput()).getRank())));
    return success();
  }
  // A tensor operation: it sees plain tensors.
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = plain(operand.get());
    if (value != operand.get())
      operand.set(value);
  }
  return success();
}

/// A computed mask has to be there before rows can be packed: what it takes
/// goes to the beginning, and plk.keep_mask ends it.
void Lowering::computeMaskFirst() {
  if (tokens.maskOps.empty())
    return;
  Block &body = func.getBody().front();
  Operation *first = &body.front();
  for (Operation *op : tokens.maskOps)
    if (op == first)
      first = first->getNextNode();
    else
      op->moveBefore(first);
  builder.setInsertionPoint(first);
  Location loc = tokens.maskSource.getLoc();
  Value keep = tokens.maskSource;
  if (!typeOf(keep).getElementType().isInteger(1))
    keep = plm::CastOp::create(
        builder, loc,
        makeTensorType(getDims(typeOf(keep)), builder.getI1Type()), keep);
  plk::KeepMaskOp::create(builder, loc, keep);
}

LogicalResult Lowering::run() {
  mode = tokens.choosePackMode(computePadding);
  computeMaskFirst();
  Operation *terminator = func.getBody().front().getTerminator();
  SmallVector<bool> paddingZero;
  for (Value value : terminator->getOperands())
    paddingZero.push_back(isToken(value) && mode >= PackMode::Kept);

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
  readTablesByRows(func); // of the embeddings that are left

  for (auto [index, zero] : llvm::enumerate(paddingZero))
    if (zero)
      func.setResultAttr(index, attrs::paddingZero, builder.getUnitAttr());
  module->setAttr(attrs::packMode, builder.getI32IntegerAttr(int(mode)));
  auto mask = dyn_cast_if_present<BlockArgument>(tokens.maskSource);
  module->setAttr(attrs::maskInput,
                  builder.getI32IntegerAttr(mask ? mask.getArgNumber() : -1));
  DimExpr one(1);
  module->setAttr(attrs::batch,
                  builder.getStringAttr(tokens.batch.value_or(one).str()));
  module->setAttr(attrs::sequence,
                  builder.getStringAttr(tokens.sequence.value_or(one).str()));
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
    if (failed(
            Lowering(getOperation(), func, computePadding, panelWidth).run()))
      signalPassFailure();
  }
};
} // namespace
