//===- KernelCalls.cpp - Calls of kernels -----------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProgramBuilder.h"

using namespace mlir;
using namespace plmc;

/// Scales and zero points of a quantised weight.
LogicalResult ProgramBuilder::appendScales(Operation *user,
                                           plk::WeightOp weight,
                                           SmallVectorImpl<Value> &arguments) {
  if (!weight.getQuantized())
    return success();
  FailureOr<Value> scale = optionalWeight(user, weight.getScale()),
                   zeroPoint = optionalWeight(user, weight.getZeroPoint());
  if (failed(scale) || failed(zeroPoint))
    return failure();
  arguments.append({*scale, *zeroPoint});
  return success();
}

void ProgramBuilder::normRows(Value gamma, Value beta, Value x, Value y,
                              int64_t width, double epsilon, Range rows) {
  std::string key = llvm::formatv("norm {0} {1} {2}", width, beta ? 1 : 0,
                                  llvm::bit_cast<uint64_t>(epsilon));
  auto func = kernel(
      key, [&] { return buildNorm(b, output, width, bool(beta), epsilon); });
  b.call(func, {x, gamma, beta ? beta : gamma, y, rows.lo, rows.hi});
}

LogicalResult ProgramBuilder::emitLinear(plk::LinearOp op, Value result) {
  auto weight = sourceSymbols.lookup<plk::WeightOp>(op.getWeight());
  LinearSpec spec;
  spec.panelWidth = weight ? weight.getPanel().value_or(0) : 0;
  if (weight)
    spec.dot = DotFormat::of(weight);
  int64_t tileColumns = spec.tileColumns(b.target);
  if (!spec.panelWidth || spec.panelWidth % tileColumns)
    return op.emitOpError("weight is not packed for this target: lower with "
                          "a panel width that is a multiple of ")
           << tileColumns;
  spec.k = weight.getShape()[0];
  spec.n = weight.getShape()[1];
  spec.weight = WeightFormat::of(weight);
  spec.bias = op.getBias().has_value();
  spec.residual = bool(op.getResidual());
  spec.activation = op.getActivation();
  spec.prefetch = streamsWeights;

  FailureOr<Value> input = rowAddress(op.getInput());
  FailureOr<Value> panels = weightAddress(op, op.getWeight());
  FailureOr<Value> bias = optionalWeight(op, op.getBias());
  FailureOr<Value> residual =
      op.getResidual() ? rowAddress(op.getResidual()) : input;
  if (failed(input) || failed(panels) || failed(bias) || failed(residual))
    return failure();

  auto func = kernel(spec.name(), [&] { return buildLinear(b, output, spec); });
  Value rows = dim(rowsOf(op.getType()));
  Value numTiles = b.c(spec.numTiles(b.target));
  // Few rows: share columns. With one thread both are everything.
  Value few = rowBlock ? Value() : isFew(rows);
  Range own = ownRows(rows), tiles{b.c(0), numTiles};
  Range ofRows = own;
  if (few) {
    Range ownTiles = share(numTiles);
    ofRows = {b.select(few, b.c(0), own.lo), b.select(few, rows, own.hi)};
    tiles = {b.select(few, ownTiles.lo, tiles.lo),
             b.select(few, ownTiles.hi, tiles.hi)};
  }
  SmallVector<Value> arguments{*input,    *panels,  *bias,
                               *residual, result,   ofRows.lo,
                               ofRows.hi, tiles.lo, tiles.hi};
  if (failed(appendScales(op, weight, arguments)))
    return failure();
  b.call(func, arguments);
  if (op.getGamma()) {
    FailureOr<Value> gamma = weightAddress(op, *op.getGamma());
    FailureOr<Value> beta = optionalWeight(op, op.getBeta());
    if (failed(gamma) || failed(beta))
      return failure();
    if (few)
      b.ifThen(few, [&] { barrier(); });
    normRows(*gamma, op.getBeta() ? *beta : Value(), result, result, spec.n,
             op.getEpsilon().convertToDouble(), own);
  }
  return success();
}

LogicalResult ProgramBuilder::emitEncodeRows(plk::EncodeRowsOp op,
                                             Value result) {
  FailureOr<Value> input = rowAddress(op.getInput());
  if (failed(input))
    return failure();
  DotFormat format;
  format.precision = op.getPrecision();
  format.block = op.getBlock().value_or(0);
  int64_t width = widthOf(op.getInput());
  std::optional<GivenCodes> given;
  SmallVector<Value> scales;
  if (Value scale = op.getScale()) {
    Value zero = op.getZeroPoint() ? op.getZeroPoint() : scale;
    FailureOr<Value> scaleAt = address(scale), zeroAt = address(zero);
    if (failed(scaleAt) || failed(zeroAt))
      return failure();
    auto quantized = cast<RankedTensorType>(zero.getType()).getElementType();
    given = {bool(op.getZeroPoint()), quantized.isUnsignedInteger()};
    scales = {*scaleAt, *zeroAt};
  }
  std::string key = llvm::formatv(
      "encode {0} {1} {2} {3}", int(format.precision), width, format.block,
      given ? 1 + given->zeroPoint + 2 * given->isUnsigned : 0);
  auto func = kernel(
      key, [&] { return buildEncodeRows(b, output, format, width, given); });
  Range rows = ownRows(dim(rowsOf(op.getType())));
  SmallVector<Value> arguments{*input, result, rows.lo, rows.hi};
  llvm::append_range(arguments, scales);
  b.call(func, arguments);
  return success();
}

LogicalResult ProgramBuilder::emitAttention(plk::AttentionOp op, Value result) {
  AttentionSpec spec;
  spec.heads = op.getNumHeads();
  spec.headSize = op.getHeadSize();
  spec.valueSize = op.getValueSize();
  spec.queryStride = widthOf(op.getQuery());
  spec.keyStride = widthOf(op.getKey());
  spec.valueStride = widthOf(op.getValue());
  spec.scale = op.getScale().convertToDouble();
  spec.allKeys = op.getAllKeys();
  spec.bias = bool(op.getBias());
  spec.bf16 = op.getPrecision() == plm::Precision::BF16;
  FailureOr<Value> q = address(op.getQuery()), k = address(op.getKey()),
                   v = address(op.getValue());
  auto scratchSlot = op->getAttrOfType<IntegerAttr>(attrs::scratchSlot);
  if (failed(q) || failed(k) || failed(v))
    return failure();
  if (!scratchSlot)
    return op.emitOpError("has no scratch slot: run plk-plan-arena");
  auto func =
      kernel(spec.name(), [&] { return buildAttention(b, output, spec); });
  auto batch = DimExpr::parse(
      source->getAttrOfType<StringAttr>(attrs::batch).getValue());
  Range tasks = share(b.mul(dim(*batch), spec.heads));
  Value scratch = b.offset(
      frameField(runtime::FrameArena),
      b.loadI64(frameField(runtime::FrameSlots), scratchSlot.getInt()));
  Value maxRows = dim(DimExpr::symbol(maxRowsSymbol));
  scratch = b.offset(scratch,
                     b.mul(thread, b.mul(b.add(maxRows, 64),
                                         attentionScratchBytesPerRow(
                                             spec.headSize, spec.valueSize))));
  SmallVector<Value> arguments{b.offset(*q, op.getQueryOffset() * 4),
                               b.offset(*k, op.getKeyOffset() * 4),
                               b.offset(*v, op.getValueOffset() * 4),
                               result,
                               frameField(runtime::FrameSeqStart),
                               frameField(runtime::FrameSeqKeys),
                               scratch,
                               tasks.lo,
                               tasks.hi};
  if (op.getBias()) {
    FailureOr<Value> bias = address(op.getBias());
    if (failed(bias))
      return failure();
    auto sequence = DimExpr::parse(
        source->getAttrOfType<StringAttr>(attrs::sequence).getValue());
    arguments.append(
        {*bias, frameField(runtime::FrameRowSource), dim(*sequence)});
    SmallVector<DimExpr> dims =
        getDims(cast<RankedTensorType>(op.getBias().getType()));
    SmallVector<Value> strides(4);
    DimExpr stride(1);
    for (int64_t i = 3; i >= 0; --i) {
      strides[i] = dims[i].isConstant(1) ? b.c(0) : dim(stride);
      stride = stride * dims[i];
    }
    llvm::append_range(arguments, strides);
  }
  b.call(func, arguments);
  return success();
}

LogicalResult ProgramBuilder::emitNorm(plk::NormOp op, Value result) {
  FailureOr<Value> input = rowAddress(op.getInput()),
                   gamma = weightAddress(op, op.getGamma()),
                   beta = optionalWeight(op, op.getBeta());
  if (failed(input) || failed(gamma) || failed(beta))
    return failure();
  normRows(*gamma, op.getBeta() ? *beta : Value(), *input, result,
           widthOf(op.getResult()), op.getEpsilon().convertToDouble(),
           ownRows(dim(rowsOf(op.getType()))));
  return success();
}

LogicalResult ProgramBuilder::emitPool(plk::PoolOp op, Value result) {
  FailureOr<Value> input = address(op.getInput());
  if (failed(input))
    return failure();
  int64_t width = widthOf(op.getResult());
  double epsilon = op.getEpsilon().convertToDouble();
  std::string key =
      llvm::formatv("pool {0} {1} {2} {3}", int(op.getKind()), width,
                    op.getAllRows(), llvm::bit_cast<uint64_t>(epsilon));
  auto func = kernel(key, [&] {
    return buildPool(b, output, op.getKind(), width, op.getAllRows(), epsilon);
  });
  Range sequences = share(dim(getDims(op.getType())[0]));
  b.call(func,
         {*input, result, frameField(runtime::FrameSeqStart),
          frameField(runtime::FrameSeqKeys), frameField(runtime::FrameFirstRow),
          sequences.lo, sequences.hi});
  return success();
}

LogicalResult ProgramBuilder::emitL2(plm::L2NormalizeOp op, Value result) {
  FailureOr<Value> input = address(op.getInput());
  if (failed(input))
    return failure();
  int64_t width = widthOf(op.getResult());
  if (ShapedType::isDynamic(width) || !op.getType().getElementType().isF32())
    return op.emitOpError("needs f32 rows of a fixed width");
  double epsilon = op.getEpsilon().convertToDouble();
  std::string key =
      llvm::formatv("l2 {0} {1}", width, llvm::bit_cast<uint64_t>(epsilon));
  auto func =
      kernel(key, [&] { return buildL2Normalize(b, output, width, epsilon); });
  Range rows = share(dim(rowsOf(op.getType())));
  b.call(func, {*input, result, rows.lo, rows.hi});
  return success();
}
