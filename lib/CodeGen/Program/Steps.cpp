//===- Steps.cpp - What a profile tells of plm_gen_run ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step is an op and the barrier after it. Thread 0 adds up what each takes,
// by the time stamp counter, if the frame has room for it: a step of a chain
// runs once for each block of rows. Switched off, this is a test of a register
// and a branch a step: some forty in a run of 200 us.
//
//===----------------------------------------------------------------------===//

#include "ProgramBuilder.h"

using namespace mlir;
using namespace plmc;

void ProgramBuilder::beginSteps() {
  auto none = LLVM::ZeroOp::create(b, b.loc, b.ptr);
  ticks = b.select(b.eq(thread, b.c(0)), frameField(runtime::FrameTicks), none);
  profiling = LLVM::ICmpOp::create(b, b.loc, LLVM::ICmpPredicate::ne, ticks,
                                   none.getResult());
  b.ifThen(profiling, [&] { b.store(readCounter(), ticks); });
}

Value ProgramBuilder::readCounter() {
  return LLVM::CallIntrinsicOp::create(b, b.loc, b.i64,
                                       b.getStringAttr("llvm.readcyclecounter"),
                                       ValueRange{})
      .getResult(0);
}

/// Adds the time since the last step to step `index`.
void ProgramBuilder::addTicks(int64_t index) {
  b.ifThen(profiling, [&] {
    Value now = readCounter(), at = b.offset(ticks, (index + 1) * 8);
    Value taken = b.sub(now, b.load(b.i64, ticks));
    b.store(b.add(b.load(b.i64, at), taken), at);
    b.store(now, ticks);
  });
}

/// Bytes of a value at run time.
static DimExpr bytesOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  DimExpr bytes(storageBytes(type.getElementType()));
  for (const DimExpr &dim : getDims(type))
    bytes = bytes * dim;
  return bytes;
}

void ProgramBuilder::endStep(Operation *op) {
  auto [known, isNew] = stepOf.try_emplace(op, info.steps.size());
  if (isNew)
    info.steps.push_back(describeStep(op));
  stepKernel.clear();
  addTicks(known->second);
}

ProgramInfo::Step ProgramBuilder::describeStep(Operation *op) {
  ProgramInfo::Step step;
  step.op = op->getName().stripDialect().str();
  step.kernel = stepKernel;
  step.layer = layerOf.lookup_or(op, -1);
  for (Value operand : op->getOperands())
    step.bytes = step.bytes + bytesOf(operand);
  for (Value result : op->getResults())
    step.bytes = step.bytes + bytesOf(result);
  if (auto linear = dyn_cast<plk::LinearOp>(op)) {
    auto weight = sourceSymbols.lookup<plk::WeightOp>(linear.getWeight());
    auto dot = DotFormat::of(weight);
    step.precision = !dot ? "f32" : dot->isInt() ? "int8" : "bf16";
    step.flops = rowsOf(linear.getType()) *
                 DimExpr(2 * weight.getShape()[0] * weight.getShape()[1]);
    step.bytes = step.bytes + DimExpr(weight.getStoredBytes());
  } else if (auto attention = dyn_cast<plk::AttentionOp>(op)) {
    auto batch = DimExpr::parse(
        source->getAttrOfType<StringAttr>(attrs::batch).getValue());
    DimExpr length = DimExpr::symbol(maxRowsSymbol);
    step.precision = attention.getPrecision()
                         ? stringifyPrecision(*attention.getPrecision()).str()
                         : "f32";
    step.flops =
        *batch * length * length *
        DimExpr(2 * int64_t(attention.getNumHeads()) *
                int64_t(attention.getHeadSize() + attention.getValueSize()));
  }
  return step;
}

/// A layer begins with the products that its attention reads, or what prepares
/// their rows.
static Operation *firstOfLayer(plk::AttentionOp attention) {
  Operation *first = attention;
  auto extend = [&](Operation *op) {
    if (op && op->isBeforeInBlock(first))
      first = op;
  };
  for (Value value :
       {attention.getQuery(), attention.getKey(), attention.getValue()})
    if (auto linear = value.getDefiningOp<plk::LinearOp>()) {
      extend(linear);
      extend(linear.getInput().getDefiningOp<plk::EncodeRowsOp>());
    }
  return first;
}

void ProgramBuilder::numberLayers() {
  Block &block = forward.getBody().front();
  SmallVector<Operation *> starts;
  for (auto attention : block.getOps<plk::AttentionOp>())
    starts.push_back(firstOfLayer(attention));
  if (starts.empty())
    return;
  auto count = [](Operation *from, Operation *to) {
    return std::distance(Block::iterator(from), Block::iterator(to));
  };
  // Nothing marks the end of the last layer: it is as long as the one before.
  size_t last = starts.size() - 1;
  auto length = last ? count(starts[last - 1], starts[last])
                     : count(starts[last], block.getTerminator());
  for (size_t layer = 0; layer <= last; ++layer)
    for (Operation *op = starts[layer];
         op && op != (layer < last ? starts[layer + 1] : nullptr) &&
         (layer < last || length-- > 0);
         op = op->getNextNode())
      layerOf[op] = layer;
}
