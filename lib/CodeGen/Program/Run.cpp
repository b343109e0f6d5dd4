//===- Run.cpp - plm_gen_run ------------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// plm_gen_run is executed by every thread of a context at once (SPMD). It is a
// straight list of kernel calls; each thread takes its share of the rows,
// panels or tasks of each, and a barrier stands between two ops, or two chains
// of row ops (RowChains.cpp). With few rows the threads of a product share the
// columns instead: a product of 8 rows by 2 threads would leave each with a
// register tile that is half empty.
//
// Equal kernels are built once: a kernel is named by its widths and epilogue,
// and layers differ only in the addresses that they pass.
//
//===----------------------------------------------------------------------===//

#include "../Kernels/TileProduct.h"
#include "ProgramBuilder.h"

using namespace mlir;
using namespace plmc;

FailureOr<Value> ProgramBuilder::weightAddress(Operation *user,
                                               StringRef symbol) {
  auto offset = weights.offsetOf(symbol);
  if (!offset)
    return user->emitOpError() << llvm::toString(offset.takeError());
  return b.offset(frameField(runtime::FrameWeights), *offset);
}

FailureOr<Value>
ProgramBuilder::optionalWeight(Operation *user,
                               std::optional<StringRef> symbol) {
  if (symbol)
    return weightAddress(user, *symbol);
  return frameField(runtime::FrameWeights); // not read
}

FailureOr<Value> ProgramBuilder::address(Value value) {
  if (Value known = addresses.lookup(value))
    return known;
  Value result;
  Operation *op = value.getDefiningOp();
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    result = b.loadPtr(frameField(runtime::FrameInputs),
                       argument.getArgNumber() * 8);
  } else if (auto reshape = dyn_cast<plm::ReshapeOp>(op)) {
    return address(reshape.getInput());
  } else if (auto get = dyn_cast<plm::GetParameterOp>(op)) {
    FailureOr<Value> weight = weightAddress(op, get.getParameter());
    if (failed(weight))
      return failure();
    result = *weight;
  } else if (auto constant = dyn_cast<plm::ConstantOp>(op)) {
    auto offset = weights.offsetOf(constant);
    if (!offset)
      return op->emitOpError() << llvm::toString(offset.takeError());
    result = b.offset(frameField(runtime::FrameWeights), *offset);
  } else if (auto index = op->getAttrOfType<IntegerAttr>(attrs::output)) {
    result = b.loadPtr(frameField(runtime::FrameOutputs), index.getInt() * 8);
  } else if (auto slot = op->getAttrOfType<IntegerAttr>(attrs::slot)) {
    result =
        b.offset(frameField(runtime::FrameArena),
                 b.loadI64(frameField(runtime::FrameSlots), slot.getInt()));
  } else {
    return op->emitOpError("has no slot: run plk-plan-arena");
  }
  addresses[value] = result;
  return result;
}

BlockArgument plmc::idsArgument(Value ids) {
  while (Operation *op = ids.getDefiningOp()) {
    auto width = [](Value value) {
      auto type = cast<RankedTensorType>(value.getType()).getElementType();
      return type.isSignlessInteger() ? type.getIntOrFloatBitWidth() : 0;
    };
    bool view = isa<plm::ReshapeOp>(op);
    if (auto cast = dyn_cast<plm::CastOp>(op))
      view = width(cast.getInput()) > 1 &&
             width(cast.getInput()) <= width(cast.getResult());
    if (!view)
      return nullptr;
    ids = op->getOperand(0);
  }
  return cast<BlockArgument>(ids);
}

ProgramBuilder::Range ProgramBuilder::share(Value count) {
  return {b.div(b.mul(count, thread), threads),
          b.div(b.mul(count, b.add(thread, 1)), threads)};
}

/// Bytes from row to row, as the kernels count them.
static int64_t rowStride(const TargetInfo &target, Value value) {
  if (auto encode = storageOf(value).getDefiningOp<plk::EncodeRowsOp>()) {
    DotFormat format;
    format.precision = encode.getPrecision();
    format.block = encode.getBlock().value_or(0);
    return EncodedRow::of(target, format, widthOf(encode.getInput())).stride;
  }
  auto type = cast<RankedTensorType>(value.getType());
  return type.getShape().back() * storageBytes(type.getElementType());
}

FailureOr<Value> ProgramBuilder::rowAddress(Value value) {
  FailureOr<Value> base = address(value);
  Operation *producer = storageOf(value).getDefiningOp();
  if (failed(base) || !rowBlock || !producer ||
      !rowBlock->chain.members.contains(producer) ||
      producer->hasAttr(attrs::output) ||
      !rowBlock->chain.isLocal(producer->getResult(0)))
    return base;
  return b.offset(*base, b.mul(rowBlock->shift, rowStride(b.target, value)));
}

LogicalResult ProgramBuilder::emitChain(const RowChain &chain) {
  // Addresses that both ways and every block can use.
  int64_t bytes = 0;
  for (Operation *op : chain.ops) {
    for (Value operand : op->getOperands())
      if (failed(address(operand)))
        return failure();
    if (failed(address(op->getResult(0))))
      return failure();
    bytes += rowStride(b.target, op->getResult(0));
  }
  Value rows = dim(rowsOf(
      cast<RankedTensorType>(chain.ops.front()->getResult(0).getType())));
  bool good = true;
  auto singly = [&] {
    for (Operation *op : chain.ops)
      good &= succeeded(emitOp(op));
  };
  auto byBlocks = [&] {
    Range own = share(rows);
    Value count = b.sub(own.hi, own.lo);
    int64_t tile = b.target.tileRows;
    // What a block writes should stay in the L2.
    int64_t most = std::clamp<int64_t>((1 << 20) / bytes, 4 * tile, 256);
    // Blocks of equal size, so that no low one is left at the end.
    Value blocks = b.ceilDiv(count, most);
    Value size =
        b.div(b.add(count, b.sub(blocks, b.c(1))), b.max(blocks, b.c(1)));
    if (b.target.hasTiles()) // full tiles in all blocks but the last
      size = b.mul(b.ceilDiv(size, tileGroupRows), tileGroupRows);
    b.loop(b.c(0), blocks, 1, [&](Value index) {
      Value lo = b.min(b.add(own.lo, b.mul(index, size)), own.hi);
      Value hi = b.min(b.add(lo, size), own.hi);
      rowBlock.emplace(RowBlock{chain, {lo, hi}, b.sub(own.lo, lo)});
      singly();
      rowBlock.reset();
    });
    barrier();
  };
  b.ifThenElse(isFew(rows), singly, byBlocks);
  return success(good);
}

/// Too few rows for each thread to have some register tiles of its own.
Value ProgramBuilder::isFew(Value rows) {
  return b.lt(rows, b.mul(threads, 4 * b.target.tileRows));
}

int32_t ProgramBuilder::indexCheck(Operation *op, const Twine &what) {
  std::string node = "an unnamed node";
  if (auto name = op->getLoc()->findInstanceOf<NameLoc>())
    node = "node '" + name.getName().str() + "'";
  info.indexCheckMessages.push_back((what + " in " + node).str());
  return info.indexCheckMessages.size();
}

LogicalResult ProgramBuilder::emitReturn(func::ReturnOp op) {
  for (OpOperand &operand : op->getOpOperands()) {
    int64_t index = operand.getOperandNumber();
    Value storage = operand.get();
    while (auto reshape = storage.getDefiningOp<plm::ReshapeOp>())
      storage = reshape.getInput();
    if (Operation *producer = storage.getDefiningOp())
      if (auto output = producer->getAttrOfType<IntegerAttr>(attrs::output))
        if (output.getInt() == index)
          continue;
    // An input, a constant, or a value that another output holds.
    FailureOr<Value> from = address(operand.get());
    if (failed(from))
      return failure();
    Value to = b.loadPtr(frameField(runtime::FrameOutputs), index * 8);
    auto type = cast<RankedTensorType>(operand.get().getType());
    DimExpr bytes(storageBytes(type.getElementType()));
    for (const DimExpr &size : getDims(type))
      bytes = bytes * size;
    Value total = dim(bytes);
    b.ifThen(b.eq(thread, b.c(0)), [&] { copyBytes(*from, to, total); });
  }
  return success();
}

bool plmc::continuesRows(Operation *op) {
  auto encode = dyn_cast_if_present<plk::EncodeRowsOp>(op->getNextNode());
  if (!encode || op->getNumResults() != 1 ||
      encode.getInput() != op->getResult(0))
    return false;
  // A product without a norm may share columns, not rows, among the threads.
  auto linear = dyn_cast<plk::LinearOp>(op);
  return isa<plk::NormOp, plk::EmbedOp>(op) || (linear && linear.getGamma());
}

LogicalResult ProgramBuilder::emitOp(Operation *op) {
  if (isa<plm::GetParameterOp, plm::ConstantOp, plm::ReshapeOp,
          plm::ConstraintOp>(op))
    return success();
  if (auto ret = dyn_cast<func::ReturnOp>(op))
    return emitReturn(ret);
  if (auto mask = dyn_cast<plk::KeepMaskOp>(op)) {
    FailureOr<Value> keep = address(mask.getKeep());
    if (failed(keep))
      return failure();
    b.ifThen(b.eq(thread, b.c(0)),
             [&] { b.store(*keep, b.offset(frame, runtime::FrameKeep)); });
    return success();
  }
  if (op->getNumResults() != 1)
    return op->emitOpError("is not supported by code generation");
  FailureOr<Value> result = rowAddress(op->getResult(0));
  if (failed(result))
    return failure();
  LogicalResult status = success();
  if (auto embed = dyn_cast<plk::EmbedOp>(op)) {
    status = emitEmbed(embed, *result);
  } else if (auto linear = dyn_cast<plk::LinearOp>(op)) {
    status = emitLinear(linear, *result);
  } else if (auto encode = dyn_cast<plk::EncodeRowsOp>(op)) {
    status = emitEncodeRows(encode, *result);
  } else if (auto attention = dyn_cast<plk::AttentionOp>(op)) {
    status = emitAttention(attention, *result);
  } else if (auto norm = dyn_cast<plk::NormOp>(op)) {
    status = emitNorm(norm, *result);
  } else if (auto pool = dyn_cast<plk::PoolOp>(op)) {
    status = emitPool(pool, *result);
  } else if (auto l2 = dyn_cast<plm::L2NormalizeOp>(op)) {
    status = emitL2(l2, *result);
  } else if (isa<plk::PackOp, plk::UnpackOp>(op)) {
    FailureOr<Value> from = address(op->getOperand(0));
    if (failed(from))
      return failure();
    bool pack = isa<plk::PackOp>(op);
    emitPack(*from, *result,
             cast<RankedTensorType>(
                 (pack ? op->getResult(0) : op->getOperand(0)).getType()),
             pack);
  } else {
    status = emitTensorOp(op, *result);
  }
  if (failed(status))
    return failure();
  if (!rowBlock && !continuesRows(op))
    barrier();
  if (profiling)
    endStep(op);
  return success();
}

LogicalResult ProgramBuilder::emitPhase(StringRef name, Block::iterator begin,
                                        Block::iterator end) {
  auto func = b.beginFunction(output, name, {b.ptr, b.i64, b.i64});
  frame = func.getArgument(0);
  thread = func.getArgument(1);
  threads = func.getArgument(2);
  dims = frameField(runtime::FrameDims);
  addresses.clear(); // of another function
  if (name == "plm_gen_run")
    beginSteps();
  DenseMap<Operation *, const RowChain *> starts;
  SmallVector<RowChain> chains = findRowChains(*begin->getBlock());
  for (const RowChain &chain : chains)
    starts[chain.ops.front()] = &chain;
  const RowChain *current = nullptr;
  for (Operation &op : llvm::make_range(begin, end)) {
    b.setInsertionPointToEnd(&func.getBody().front());
    if (current && current->members.contains(&op))
      continue;
    current = starts.lookup(&op);
    if (failed(current ? emitChain(*current) : emitOp(&op)))
      return failure();
  }
  b.endFunction();
  return success();
}

LogicalResult ProgramBuilder::emitRun() {
  Block &block = forward.getBody().front();
  Block::iterator start = block.begin();
  for (auto mask : block.getOps<plk::KeepMaskOp>())
    start = std::next(Block::iterator(mask));
  if (start != block.begin() &&
      failed(emitPhase("plm_gen_mask", block.begin(), start)))
    return failure();
  numberLayers();
  return emitPhase("plm_gen_run", start, block.end());
}

LogicalResult ProgramBuilder::emit() {
  forward = source.lookupSymbol<func::FuncOp>("forward");
  if (!forward || forward.isExternal())
    return source.emitError("there is no function @forward to compile");
  collectSymbols();
  int64_t bytes = 0;
  for (auto weight : source.getOps<plk::WeightOp>())
    bytes += weight.getPanel() ? weight.getStoredBytes() : 0;
  streamsWeights = bytes > (int64_t(16) << 20);
  // Every dimension must come from an input.
  auto known = [&](Operation *op, Type type) -> LogicalResult {
    for (const DimExpr &expr : getDims(cast<RankedTensorType>(type)))
      for (const std::string &name : expr.symbols())
        if (!symbolIndex.count(name))
          return op->emitOpError()
                 << "depends on dimension '" << name << "', which no input has";
    return success();
  };
  for (Operation &op : forward.getBody().front())
    for (Type type : op.getResultTypes())
      if (failed(known(&op, type)))
        return failure();
  barrierFunc = b.declare(output, "plm_rt_barrier", {b.ptr, b.i64});
  if (failed(emitPlan()) || failed(emitCheck()))
    return failure();
  emitOutputDims();
  emitTokenDims();
  return emitRun();
}

FailureOr<OwningOpRef<ModuleOp>> plmc::emitProgram(ModuleOp module,
                                                   const TargetInfo &target,
                                                   WeightSection &weights,
                                                   ProgramInfo &info) {
  OwningOpRef<ModuleOp> output = ModuleOp::create(module.getLoc());
  if (failed(ProgramBuilder(module, *output, target, weights, info).emit()))
    return failure();
  return output;
}
