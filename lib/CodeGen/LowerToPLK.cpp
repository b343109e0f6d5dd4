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

#include "QuantizedWeight.h"
#include "TokenAnalysis.h"
#include "plmc/CodeGen/Passes.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"

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
      : module(module), func(func), symbols(module), builder(func.getContext()),
        computePadding(computePadding), panelWidth(panelWidth), tokens(func) {}

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
  FailureOr<FlatSymbolRefAttr> weight(Value value, bool panels,
                                      bool transposed);
  FailureOr<FlatSymbolRefAttr> quantizedWeight(const QuantizedWeight &source,
                                               bool panels, bool transposed);
  FailureOr<FlatSymbolRefAttr> rowParameter(Value value);
  FlatSymbolRefAttr storeRow(StringRef name, ArrayRef<float> values);
  void computeMaskFirst();
  LogicalResult lower(Operation *op);
  template <typename OpT> Value replaceRowwise(OpT op);

  ModuleOp module;
  func::FuncOp func;
  SymbolTable symbols;
  OpBuilder builder;
  bool computePadding;
  int64_t panelWidth;
  TokenAnalysis tokens;
  PackMode mode = PackMode::None;
  bool isToken(Value value) const { return tokens.isToken(value); }
  bool hasTokenDims(Value value) const { return tokens.hasTokenDims(value); }
  DenseMap<Value, Value> packedValues; // plm value -> [tokens, ...]
  DenseMap<Value, Value> plainValues;  // the other way, after plk.unpack
  std::map<std::string, FlatSymbolRefAttr> weights;
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

FailureOr<FlatSymbolRefAttr> Lowering::weight(Value value, bool panels,
                                              bool transposed) {
  if (auto quantized = QuantizedWeight::match(value))
    return quantizedWeight(*quantized, panels, transposed);
  auto get = value.getDefiningOp<plm::GetParameterOp>();
  if (!get || !typeOf(value).getElementType().isF32())
    return failure();
  std::string key =
      (get.getParameter() + (panels ? "|p" : "|") + (transposed ? "t" : ""))
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

/// A vector that was computed now, as a weight.
FlatSymbolRefAttr Lowering::storeRow(StringRef name, ArrayRef<float> values) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(func);
  auto type =
      RankedTensorType::get({int64_t(values.size())}, builder.getF32Type());
  auto parameter = plm::ParameterOp::create(
      builder, func.getLoc(), name,
      DenseResourceElementsAttr::get(
          type, name, HeapAsmResourceBlob::allocateAndCopyInferAlign(values)));
  symbols.insert(parameter); // renames on a clash
  auto op = plk::WeightOp::create(
      builder, func.getLoc(), (name + ".plain").str(),
      builder.getArrayAttr({FlatSymbolRefAttr::get(parameter)}),
      ArrayRef<int64_t>{int64_t(values.size())}, IntegerAttr(),
      ArrayRef<bool>{false});
  symbols.insert(op);
  return FlatSymbolRefAttr::get(op);
}

/// 8-bit values, and scales and zero points beside them: for panels one a
/// column, so that several weights can be put side by side.
FailureOr<FlatSymbolRefAttr>
Lowering::quantizedWeight(const QuantizedWeight &source, bool panels,
                          bool transposed) {
  plm::GetParameterOp get = source.parameter;
  SmallVector<int64_t> shape(typeOf(get.getResult()).getShape());
  if (transposed)
    std::swap(shape[0], shape[1]);
  int64_t axis = panels ? 1 : source.axis;
  int64_t count = axis < 0 ? 1 : shape[axis];
  auto scales = source.scales(count), zeroPoints = source.zeroPoints(count);
  if (!scales || !zeroPoints) {
    for (auto *error : {&scales, &zeroPoints})
      if (!*error)
        get.emitOpError() << llvm::toString(error->takeError());
    return failure();
  }
  auto hashOf = [](const std::vector<float> &values) {
    return llvm::xxh3_64bits(ArrayRef<uint8_t>(
        reinterpret_cast<const uint8_t *>(values.data()), values.size() * 4));
  };
  FlatSymbolRefAttr &ref =
      weights[llvm::formatv("{0}|{1}{2}q{3}|{4:x}|{5:x}", get.getParameter(),
                            panels ? "p" : "", transposed ? "t" : "", axis,
                            hashOf(*scales), hashOf(*zeroPoints))
                  .str()];
  if (ref)
    return ref;
  std::string name = get.getParameter().str();
  FlatSymbolRefAttr scale = storeRow(name + ".scale", *scales), zeroPoint;
  if (!zeroPoints->empty())
    zeroPoint = storeRow(name + ".zero_point", *zeroPoints);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(func);
  auto op = plk::WeightOp::create(
      builder, get.getLoc(), name + (panels ? ".panels" : ".plain"),
      builder.getArrayAttr({get.getParameterAttr()}), shape,
      panels ? builder.getI64IntegerAttr(panelWidth) : IntegerAttr(),
      ArrayRef<bool>{transposed});
  op.setQuantizedAttr(TypeAttr::get(source.elementType()));
  op.setScaleAttr(scale);
  op.setZeroPointAttr(zeroPoint);
  if (axis >= 0)
    op.setAxisAttr(builder.getI64IntegerAttr(axis));
  symbols.insert(op);
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
    auto parameter =
        plm::ParameterOp::create(builder, constant.getLoc(), "constant", blob);
    symbols.insert(parameter);
    builder.setInsertionPointAfter(constant);
    Value get = plm::GetParameterOp::create(builder, constant.getLoc(),
                                            constant.getType(),
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
    Value bias = attention.getBias() ? plain(attention.getBias()) : Value();
    result = plk::AttentionOp::create(
        builder, loc, resultType(), packed(attention.getQuery()),
        packed(attention.getKey()), packed(attention.getValue()), bias,
        attention.getMask() == tokens.mask ? UnitAttr() : builder.getUnitAttr(),
        builder.getI64IntegerAttr(0), builder.getI64IntegerAttr(0),
        builder.getI64IntegerAttr(0), builder.getI64IntegerAttr(heads),
        builder.getI64IntegerAttr(size), builder.getI64IntegerAttr(valueSize),
        attention.getScaleAttr());
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
