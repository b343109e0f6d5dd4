//===- TensorCalls.cpp - Packing, and tensor operations ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../TokenAnalysis.h"
#include "ProgramBuilder.h"

using namespace mlir;
using namespace plmc;

void ProgramBuilder::copyBytes(Value from, Value to, Value bytes) {
  LLVM::MemcpyOp::create(b, b.loc, to, from, bytes, /*isVolatile=*/false);
}

/// Rows between [batch, sequence, ...] and [tokens, ...].
void ProgramBuilder::emitPack(Value from, Value to, RankedTensorType packedType,
                              bool pack) {
  DimExpr rowBytes(storageBytes(packedType.getElementType()));
  SmallVector<DimExpr> dims = getDims(packedType);
  for (const DimExpr &size : ArrayRef<DimExpr>(dims).drop_front())
    rowBytes = rowBytes * size;
  Value bytes = dim(rowBytes);
  Value tokens = dim(dims[0]);
  Value rowSource = frameField(runtime::FrameRowSource);
  if (!pack) {
    // Positions without a row are 0.
    auto expr = [&](StringRef name) {
      return *DimExpr::parse(
          source->getAttrOfType<StringAttr>(name).getValue());
    };
    Value positions = dim(expr(attrs::batch) * expr(attrs::sequence));
    b.ifThen(b.lt(tokens, positions), [&] {
      Range own = share(positions);
      Value zero = arith::ConstantIntOp::create(b, b.loc, 0, 8);
      LLVM::MemsetOp::create(b, b.loc, b.offset(to, b.mul(own.lo, bytes)), zero,
                             b.mul(b.sub(own.hi, own.lo), bytes),
                             /*isVolatile=*/false);
      barrier();
    });
  }
  Range rows = share(tokens);
  b.loop(rows.lo, rows.hi, 1, [&](Value row) {
    Value packedAt = b.mul(row, bytes);
    Value plainAt = b.mul(b.loadI32(rowSource, row), bytes);
    copyBytes(b.offset(from, pack ? plainAt : packedAt),
              b.offset(to, pack ? packedAt : plainAt), bytes);
  });
  auto mode = source->getAttrOfType<IntegerAttr>(attrs::packMode);
  if (pack || !mode || mode.getInt() != int64_t(PackMode::KeptAndFirst))
    return;
  // Position 0 of a left-padded sequence has a row, but is padding. It was
  // scattered by whoever owns the row, so wait for that.
  barrier();
  auto parse = [&](StringRef name) {
    return *DimExpr::parse(source->getAttrOfType<StringAttr>(name).getValue());
  };
  Value sequence = dim(parse(attrs::sequence));
  Range sequences = share(dim(parse(attrs::batch)));
  Value zero = arith::ConstantIntOp::create(b, b.loc, 0, 8);
  b.loop(sequences.lo, sequences.hi, 1, [&](Value index) {
    Value first = b.sub(b.loadI32(frameField(runtime::FrameFirstRow), index),
                        b.loadI32(frameField(runtime::FrameSeqStart), index));
    Value keys = b.loadI32(frameField(runtime::FrameSeqKeys), index);
    b.ifThenElse(
        b.lt(first, keys), [] {},
        [&] {
          LLVM::MemsetOp::create(
              b, b.loc, b.offset(to, b.mul(b.mul(index, sequence), bytes)),
              zero, bytes, /*isVolatile=*/false);
        });
  });
}

/// What the code of a tensor operation depends on: not its place in the model,
/// nor its operands' values, but for an exponent. Twelve layers share one
/// function.
static std::string tensorOpKey(Operation *op) {
  std::string key;
  llvm::raw_string_ostream os(key);
  os << op->getName() << op->getPropertiesAsAttribute() << op->getOperandTypes()
     << " -> " << op->getResultTypes();
  auto binary = dyn_cast<plm::BinaryOp>(op);
  if (binary && binary.getKind() == plm::BinaryKind::Pow)
    if (auto exponent = binary.getRhs().getDefiningOp<plm::ConstantOp>())
      os << exponent.getValue();
  return key;
}

LogicalResult ProgramBuilder::emitTensorOp(Operation *op, Value result) {
  // A function of its own: (frame, thread, threads, error code, operands...,
  // result).
  int64_t code = TensorOpEmitter::checksIndices(op)
                     ? indexCheck(op, "an index is out of range")
                     : 0;
  SmallVector<Value> arguments{frame, thread, threads, b.c(code)};
  size_t numFixed = arguments.size();
  for (Value operand : op->getOperands()) {
    FailureOr<Value> at = address(operand);
    if (failed(at))
      return failure();
    arguments.push_back(*at);
  }
  arguments.push_back(result);
  if (auto embedding = dyn_cast<plm::EmbeddingOp>(op))
    if (BlockArgument argument = idsArgument(embedding.getIds()))
      info.addIdCheck(
          argument.getArgNumber(),
          cast<RankedTensorType>(embedding.getTable().getType()).getDimSize(0));

  bool emitted = true;
  auto func = kernel(tensorOpKey(op), [&] {
    SmallVector<Type> types;
    for (Value argument : arguments)
      types.push_back(argument.getType());
    std::string name = llvm::formatv(
        "tensor_{0}_{1}", op->getName().stripDialect(), kernels.size());
    while (output.lookupSymbol(name))
      name += "_";
    auto built = b.beginFunction(output, name, types);
    built.setPrivate();

    Value localDims = b.loadPtr(built.getArgument(0), runtime::FrameDims);
    auto localDim = [&](const DimExpr &expr) {
      return dimension(localDims, expr);
    };
    TensorOpContext context{b,
                            localDim,
                            built.getArgument(1),
                            built.getArgument(2),
                            b.offset(built.getArgument(0), runtime::FrameError),
                            built.getArgument(3)};
    auto buffer = [&](Value value, Value at) {
      auto type = cast<RankedTensorType>(value.getType());
      return Buffer{at, getDims(type), type.getElementType()};
    };
    SmallVector<Buffer> operands;
    for (auto [index, operand] : llvm::enumerate(op->getOperands()))
      operands.push_back(buffer(operand, built.getArgument(numFixed + index)));
    Buffer out = buffer(op->getResult(0),
                        built.getArgument(numFixed + op->getNumOperands()));
    emitted = succeeded(TensorOpEmitter(context).emit(op, operands, out));
    b.endFunction();
    return built;
  });
  if (!emitted)
    return failure();
  b.call(func, arguments);
  return success();
}
