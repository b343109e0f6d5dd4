//===- ProgramEmitter.cpp - The function that runs a model ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// plm_gen_run is executed by every thread of a context at once (SPMD). It is a
// straight list of kernel calls; each thread takes its share of the rows,
// panels or tasks of each, and a barrier stands between two ops. With few rows
// the threads of a product share the columns instead: a product of 8 rows by 2
// threads would leave each with a register tile that is half empty.
//
// Equal kernels are built once: a kernel is named by its widths and epilogue,
// and layers differ only in the addresses that they pass.
//
//===----------------------------------------------------------------------===//

#include "ProgramEmitter.h"
#include "Kernels/Kernels.h"
#include "RuntimeInterface.h"
#include "TensorOps/TensorOps.h"
#include "plmc/CodeGen/Passes.h"

using namespace mlir;
using namespace plmc;

namespace {

/// PLM_PACK_KEPT_AND_FIRST of lib/Runtime/Generated.h.
constexpr int64_t packKeptAndFirst = 3;

class ProgramEmitter {
public:
  ProgramEmitter(ModuleOp source, ModuleOp output, const TargetInfo &target,
                 WeightSection &weights, ProgramInfo &info)
      : source(source), output(output), weights(weights), info(info),
        sourceSymbols(source), b(source.getContext(), target) {}

  LogicalResult emit();

private:
  // Dimensions.
  void collectSymbols();
  Value dimension(Value dims, const DimExpr &expr, Value threads = {});
  Value dim(const DimExpr &expr) { return dimension(dims, expr); }
  DimExpr rowsOf(RankedTensorType type);

  // Addresses, inside plm_gen_run.
  Value frameField(int64_t offset) { return b.loadPtr(frame, offset); }
  FailureOr<Value> weightAddress(Operation *user, StringRef symbol);
  FailureOr<Value> optionalWeight(Operation *user,
                                  std::optional<StringRef> symbol);
  FailureOr<Value> address(Value value);

  // Sharing work.
  struct Range {
    Value lo, hi;
  };
  Range share(Value count);
  Range shareRows(Value rows);
  void barrier() { b.call(barrierFunc, {frame, threads}); }

  template <typename BuildT>
  func::FuncOp kernel(StringRef key, BuildT &&build);

  LogicalResult emitRun();
  LogicalResult emitOp(Operation *op);
  LogicalResult emitEmbed(plk::EmbedOp op, Value result);
  LogicalResult emitLinear(plk::LinearOp op, Value result);
  LogicalResult emitAttention(plk::AttentionOp op, Value result);
  LogicalResult emitNorm(plk::NormOp op, Value result);
  LogicalResult emitPool(plk::PoolOp op, Value result);
  LogicalResult emitL2(plm::L2NormalizeOp op, Value result);
  void emitPack(Value from, Value to, RankedTensorType packedType, bool pack);
  LogicalResult emitTensorOp(Operation *op, Value result);
  LogicalResult emitReturn(func::ReturnOp op);
  void normRows(Value gamma, Value beta, Value x, Value y,
                int64_t width, double epsilon, Range rows);
  void copyBytes(Value from, Value to, Value bytes);
  LogicalResult emitPlan();
  LogicalResult emitCheck();
  void emitOutputDims();
  int32_t indexCheck(Operation *op, const Twine &what);

  ModuleOp source, output;
  WeightSection &weights;
  ProgramInfo &info;
  SymbolTable sourceSymbols;
  KernelBuilder b;
  func::FuncOp forward, barrierFunc;
  llvm::StringMap<func::FuncOp> kernels;
  std::map<std::string, int64_t> symbolIndex;
  Value frame, thread, threads, dims;
  DenseMap<Value, Value> addresses;
};

} // namespace

//===----------------------------------------------------------------------===//
// Dimensions
//===----------------------------------------------------------------------===//

void ProgramEmitter::collectSymbols() {
  for (Type type : forward.getArgumentTypes())
    for (const DimExpr &expr : getDims(cast<RankedTensorType>(type)))
      for (const std::string &name : expr.symbols())
        if (symbolIndex.try_emplace(name, info.symbols.size()).second)
          info.symbols.push_back(name);
  symbolIndex[tokensSymbol.str()] = info.symbols.size() + runtime::DimTokens;
  symbolIndex[maxRowsSymbol.str()] = info.symbols.size() + runtime::DimMaxRows;
}

Value ProgramEmitter::dimension(Value dims, const DimExpr &expr,
                                Value threads) {
  Value sum;
  for (const auto &[monomial, coefficient] : expr.getTerms()) {
    Value product;
    for (const std::string &name : monomial) {
      Value factor;
      if (name == threadsSymbol)
        factor = threads;
      else if (auto it = symbolIndex.find(name); it != symbolIndex.end())
        factor = b.loadI64(dims, it->second);
      else // checked by emit() before any code is built
        factor = b.c(0);
      product = product ? b.mul(product, factor) : factor;
    }
    product = product ? b.mul(product, coefficient) : b.c(coefficient);
    sum = sum ? b.add(sum, product) : product;
  }
  return sum ? sum : b.c(0);
}

DimExpr ProgramEmitter::rowsOf(RankedTensorType type) {
  DimExpr rows(1);
  SmallVector<DimExpr> dims = getDims(type);
  for (const DimExpr &dim : ArrayRef<DimExpr>(dims).drop_back())
    rows = rows * dim;
  return rows;
}

static int64_t widthOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getShape().back();
}

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

FailureOr<Value> ProgramEmitter::weightAddress(Operation *user,
                                               StringRef symbol) {
  auto offset = weights.offsetOf(symbol);
  if (!offset)
    return user->emitOpError() << llvm::toString(offset.takeError());
  return b.offset(frameField(runtime::FrameWeights), *offset);
}

FailureOr<Value>
ProgramEmitter::optionalWeight(Operation *user,
                               std::optional<StringRef> symbol) {
  if (symbol)
    return weightAddress(user, *symbol);
  return frameField(runtime::FrameWeights); // not read
}

FailureOr<Value> ProgramEmitter::address(Value value) {
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
    result = b.offset(frameField(runtime::FrameArena),
                      b.loadI64(frameField(runtime::FrameSlots),
                                slot.getInt()));
  } else {
    return op->emitOpError("has no slot: run plk-plan-arena");
  }
  addresses[value] = result;
  return result;
}

//===----------------------------------------------------------------------===//
// Sharing work
//===----------------------------------------------------------------------===//

ProgramEmitter::Range ProgramEmitter::share(Value count) {
  return {b.div(b.mul(count, thread), threads),
          b.div(b.mul(count, b.add(thread, 1)), threads)};
}

/// Whole register tiles, so that only the last share has a low one.
ProgramEmitter::Range ProgramEmitter::shareRows(Value rows) {
  int64_t tile = b.target.tileRows;
  Range tiles = share(b.ceilDiv(rows, tile));
  return {b.min(b.mul(tiles.lo, tile), rows),
          b.min(b.mul(tiles.hi, tile), rows)};
}

template <typename BuildT>
func::FuncOp ProgramEmitter::kernel(StringRef key, BuildT &&build) {
  func::FuncOp &func = kernels[key];
  if (!func) {
    OpBuilder::InsertionGuard guard(b);
    func = build();
  }
  return func;
}

int32_t ProgramEmitter::indexCheck(Operation *op, const Twine &what) {
  std::string node = "an unnamed node";
  if (auto name = op->getLoc()->findInstanceOf<NameLoc>())
    node = "node '" + name.getName().str() + "'";
  info.indexCheckMessages.push_back((what + " in " + node).str());
  return info.indexCheckMessages.size();
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult ProgramEmitter::emitEmbed(plk::EmbedOp op, Value result) {
  EmbedSpec spec;
  spec.width = widthOf(op.getResult());
  spec.position = op.getPosition().has_value();
  spec.offset = op.getOffset();
  SmallVector<Value> arguments, tables;
  bool checked = true;
  for (auto [ids, table] : llvm::zip(op.getIds(), op.getTables())) {
    StringRef symbol = cast<FlatSymbolRefAttr>(table).getValue();
    auto weight = sourceSymbols.lookup<plk::WeightOp>(symbol);
    Type element = cast<RankedTensorType>(ids.getType()).getElementType();
    if (!weight || !(element.isInteger(64) || element.isInteger(32)))
      return op.emitOpError("ids must be i32 or i64 and tables f32 weights");
    spec.tableRows.push_back(weight.getShape()[0]);
    spec.idBytes.push_back(storageBytes(element));
    FailureOr<Value> idsAt = address(ids), tableAt = weightAddress(op, symbol);
    if (failed(idsAt) || failed(tableAt))
      return failure();
    arguments.push_back(*idsAt);
    tables.push_back(*tableAt);
    if (auto argument = dyn_cast<BlockArgument>(ids))
      info.idChecks.push_back({int32_t(argument.getArgNumber()),
                               weight.getShape()[0]});
    else
      checked = false;
  }
  llvm::append_range(arguments, tables);
  FailureOr<Value> position = optionalWeight(op, op.getPosition());
  if (failed(position))
    return failure();
  int64_t code =
      checked ? 0 : indexCheck(op, "a computed id is outside its table");
  auto func = kernel(spec.name(), [&] { return buildEmbed(b, output, spec); });
  DimExpr rows = rowsOf(op.getType());
  Range range = shareRows(dim(rows));
  auto sequence = DimExpr::parse(
      source->getAttrOfType<StringAttr>(attrs::sequence).getValue());
  arguments.append({*position, frameField(runtime::FrameRowSource), result,
                    b.offset(frame, runtime::FrameError), b.c(code),
                    dim(*sequence), range.lo, range.hi});
  b.call(func, arguments);
  if (op.getGamma()) {
    FailureOr<Value> gamma = weightAddress(op, *op.getGamma());
    FailureOr<Value> beta = optionalWeight(op, op.getBeta());
    if (failed(gamma) || failed(beta))
      return failure();
    normRows(*gamma, op.getBeta() ? *beta : Value(), result, result,
             spec.width, op.getEpsilon().convertToDouble(), range);
  }
  return success();
}

void ProgramEmitter::normRows(Value gamma, Value beta, Value x,
                              Value y, int64_t width, double epsilon,
                              Range rows) {
  std::string key = llvm::formatv("norm {0} {1} {2}", width, beta ? 1 : 0,
                                  llvm::bit_cast<uint64_t>(epsilon));
  auto func = kernel(key, [&] {
    return buildNorm(b, output, width, bool(beta), epsilon);
  });
  b.call(func, {x, gamma, beta ? beta : gamma, y, rows.lo, rows.hi});
}

LogicalResult ProgramEmitter::emitLinear(plk::LinearOp op, Value result) {
  auto weight = sourceSymbols.lookup<plk::WeightOp>(op.getWeight());
  if (!weight || !weight.getPanel() ||
      int64_t(*weight.getPanel()) != b.target.panelWidth())
    return op.emitOpError("weight is not packed for this target: lower with "
                          "the panel width ")
           << b.target.panelWidth();
  LinearSpec spec;
  spec.k = weight.getShape()[0];
  spec.n = weight.getShape()[1];
  spec.bias = op.getBias().has_value();
  spec.residual = bool(op.getResidual());
  spec.activation = op.getActivation();

  FailureOr<Value> input = address(op.getInput());
  FailureOr<Value> panels = weightAddress(op, op.getWeight());
  FailureOr<Value> bias = optionalWeight(op, op.getBias());
  FailureOr<Value> residual =
      op.getResidual() ? address(op.getResidual()) : input;
  if (failed(input) || failed(panels) || failed(bias) || failed(residual))
    return failure();

  auto func = kernel(spec.name(), [&] { return buildLinear(b, output, spec); });
  Value rows = dim(rowsOf(op.getType()));
  Value numPanels = b.c(llvm::divideCeil(spec.n, b.target.panelWidth()));
  // Few rows: share columns. With one thread both are everything.
  Value few = b.lt(rows, b.mul(threads, 4 * b.target.tileRows));
  Range ownRows = shareRows(rows), ownPanels = share(numPanels);
  b.call(func,
         {*input, *panels, *bias, *residual, result,
          b.select(few, b.c(0), ownRows.lo), b.select(few, rows, ownRows.hi),
          b.select(few, ownPanels.lo, b.c(0)),
          b.select(few, ownPanels.hi, numPanels)});
  if (op.getGamma()) {
    FailureOr<Value> gamma = weightAddress(op, *op.getGamma());
    FailureOr<Value> beta = optionalWeight(op, op.getBeta());
    if (failed(gamma) || failed(beta))
      return failure();
    b.ifThen(few, [&] { barrier(); });
    normRows(*gamma, op.getBeta() ? *beta : Value(), result, result,
             spec.n, op.getEpsilon().convertToDouble(), ownRows);
  }
  return success();
}

LogicalResult ProgramEmitter::emitAttention(plk::AttentionOp op,
                                            Value result) {
  AttentionSpec spec;
  spec.heads = op.getNumHeads();
  spec.headSize = op.getHeadSize();
  spec.valueSize = op.getValueSize();
  spec.queryStride = widthOf(op.getQuery());
  spec.keyStride = widthOf(op.getKey());
  spec.valueStride = widthOf(op.getValue());
  spec.scale = op.getScale().convertToDouble();
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
  scratch = b.offset(
      scratch,
      b.mul(thread,
            b.mul(b.add(maxRows, 64), attentionScratchBytesPerRow(
                                          spec.headSize, spec.valueSize))));
  b.call(func, {b.offset(*q, op.getQueryOffset() * 4),
                b.offset(*k, op.getKeyOffset() * 4),
                b.offset(*v, op.getValueOffset() * 4), result,
                frameField(runtime::FrameSeqStart),
                frameField(runtime::FrameSeqKeys), scratch, tasks.lo,
                tasks.hi});
  return success();
}

LogicalResult ProgramEmitter::emitNorm(plk::NormOp op, Value result) {
  FailureOr<Value> input = address(op.getInput()),
                   gamma = weightAddress(op, op.getGamma()),
                   beta = optionalWeight(op, op.getBeta());
  if (failed(input) || failed(gamma) || failed(beta))
    return failure();
  normRows(*gamma, op.getBeta() ? *beta : Value(), *input, result,
           widthOf(op.getResult()), op.getEpsilon().convertToDouble(),
           shareRows(dim(rowsOf(op.getType()))));
  return success();
}

LogicalResult ProgramEmitter::emitPool(plk::PoolOp op, Value result) {
  FailureOr<Value> input = address(op.getInput());
  if (failed(input))
    return failure();
  int64_t width = widthOf(op.getResult());
  double epsilon = op.getEpsilon().convertToDouble();
  std::string key = llvm::formatv(
      "pool {0} {1} {2} {3}", int(op.getKind()), width, op.getAllRows(),
      llvm::bit_cast<uint64_t>(epsilon));
  auto func = kernel(key, [&] {
    return buildPool(b, output, op.getKind(), width, op.getAllRows(), epsilon);
  });
  Range sequences = share(dim(getDims(op.getType())[0]));
  b.call(func, {*input, result, frameField(runtime::FrameSeqStart),
                frameField(runtime::FrameSeqKeys),
                frameField(runtime::FrameFirstRow), sequences.lo,
                sequences.hi});
  return success();
}

LogicalResult ProgramEmitter::emitL2(plm::L2NormalizeOp op, Value result) {
  FailureOr<Value> input = address(op.getInput());
  if (failed(input))
    return failure();
  int64_t width = widthOf(op.getResult());
  if (ShapedType::isDynamic(width) || !op.getType().getElementType().isF32())
    return op.emitOpError("needs f32 rows of a fixed width");
  double epsilon = op.getEpsilon().convertToDouble();
  std::string key = llvm::formatv("l2 {0} {1}", width,
                                  llvm::bit_cast<uint64_t>(epsilon));
  auto func = kernel(
      key, [&] { return buildL2Normalize(b, output, width, epsilon); });
  Range rows = shareRows(dim(rowsOf(op.getType())));
  b.call(func, {*input, result, rows.lo, rows.hi});
  return success();
}

void ProgramEmitter::copyBytes(Value from, Value to, Value bytes) {
  LLVM::MemcpyOp::create(b, b.loc, to, from, bytes, /*isVolatile=*/false);
}

/// Rows between [batch, sequence, ...] and [tokens, ...].
void ProgramEmitter::emitPack(Value from, Value to,
                              RankedTensorType packedType, bool pack) {
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
      return *DimExpr::parse(source->getAttrOfType<StringAttr>(name).getValue());
    };
    Value positions = dim(expr(attrs::batch) * expr(attrs::sequence));
    b.ifThen(b.lt(tokens, positions), [&] {
      Range own = share(positions);
      Value zero = arith::ConstantIntOp::create(b, b.loc, 0, 8);
      LLVM::MemsetOp::create(b, b.loc, b.offset(to, b.mul(own.lo, bytes)),
                             zero, b.mul(b.sub(own.hi, own.lo), bytes),
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
  if (pack || !mode || mode.getInt() != packKeptAndFirst)
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

LogicalResult ProgramEmitter::emitTensorOp(Operation *op, Value result) {
  // A function of its own: (frame, thread, threads, operands..., result).
  SmallVector<Value> arguments{frame, thread, threads};
  for (Value operand : op->getOperands()) {
    FailureOr<Value> at = address(operand);
    if (failed(at))
      return failure();
    arguments.push_back(*at);
  }
  arguments.push_back(result);
  if (auto embedding = dyn_cast<plm::EmbeddingOp>(op))
    if (auto argument = dyn_cast<BlockArgument>(embedding.getIds()))
      info.idChecks.push_back(
          {int32_t(argument.getArgNumber()),
           cast<RankedTensorType>(embedding.getTable().getType())
               .getDimSize(0)});
  int64_t code = TensorOpEmitter::checksIndices(op)
                     ? indexCheck(op, "an index is out of range")
                     : 0;

  OpBuilder::InsertionGuard guard(b);
  SmallVector<Type> types;
  for (Value argument : arguments)
    types.push_back(argument.getType());
  auto callSite = b.saveInsertionPoint();
  std::string name = llvm::formatv("tensor_{0}_{1}",
                                   op->getName().stripDialect(),
                                   kernels.size() + info.numSlots);
  while (output.lookupSymbol(name))
    name += "_";
  auto func = b.beginFunction(output, name, types);
  func.setPrivate();
  kernels[name] = func;

  Value localDims = b.loadPtr(func.getArgument(0), runtime::FrameDims);
  auto localDim = [&](const DimExpr &expr) {
    return dimension(localDims, expr);
  };
  TensorOpContext context{b,
                          localDim,
                          func.getArgument(1),
                          func.getArgument(2),
                          b.offset(func.getArgument(0), runtime::FrameError),
                          code};
  auto buffer = [&](Value value, Value at) {
    auto type = cast<RankedTensorType>(value.getType());
    return Buffer{at, getDims(type), type.getElementType()};
  };
  SmallVector<Buffer> operands;
  for (auto [index, operand] : llvm::enumerate(op->getOperands()))
    operands.push_back(buffer(operand, func.getArgument(3 + index)));
  Buffer out = buffer(op->getResult(0),
                      func.getArgument(3 + op->getNumOperands()));
  if (failed(TensorOpEmitter(context).emit(op, operands, out)))
    return failure();
  b.endFunction();
  b.restoreInsertionPoint(callSite);
  b.call(func, arguments);
  return success();
}

LogicalResult ProgramEmitter::emitReturn(func::ReturnOp op) {
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

LogicalResult ProgramEmitter::emitOp(Operation *op) {
  if (isa<plm::GetParameterOp, plm::ConstantOp, plm::ReshapeOp,
          plm::ConstraintOp>(op))
    return success();
  if (auto ret = dyn_cast<func::ReturnOp>(op))
    return emitReturn(ret);
  if (op->getNumResults() != 1)
    return op->emitOpError("is not supported by code generation");
  FailureOr<Value> result = address(op->getResult(0));
  if (failed(result))
    return failure();
  LogicalResult status = success();
  if (auto embed = dyn_cast<plk::EmbedOp>(op)) {
    status = emitEmbed(embed, *result);
  } else if (auto linear = dyn_cast<plk::LinearOp>(op)) {
    status = emitLinear(linear, *result);
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
  barrier();
  return success();
}

LogicalResult ProgramEmitter::emitRun() {
  auto func = b.beginFunction(output, "plm_gen_run", {b.ptr, b.i64, b.i64});
  frame = func.getArgument(0);
  thread = func.getArgument(1);
  threads = func.getArgument(2);
  dims = frameField(runtime::FrameDims);
  for (Operation &op : forward.getBody().front()) {
    b.setInsertionPointToEnd(&func.getBody().front());
    if (failed(emitOp(&op)))
      return failure();
  }
  b.endFunction();
  return success();
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

LogicalResult ProgramEmitter::emitPlan() {
  auto slots = source->getAttrOfType<ArrayAttr>(attrs::slots);
  if (!slots)
    return source.emitError("the module has no arena plan: run plk-plan-arena");
  info.numSlots = slots.size();
  auto func = b.beginFunction(output, "plm_gen_plan", {b.ptr, b.i64, b.ptr},
                              {b.i64});
  Value total = b.c(0);
  for (auto [index, slot] : llvm::enumerate(slots)) {
    b.store(total, b.offset(func.getArgument(2), index * 8));
    Value size = b.c(0);
    for (Attribute expr : cast<ArrayAttr>(slot))
      size = b.max(size,
                   dimension(func.getArgument(0),
                             *DimExpr::parse(cast<StringAttr>(expr).getValue()),
                             func.getArgument(1)));
    total = b.add(total, b.mul(b.ceilDiv(size, 64), 64));
  }
  b.endFunction({total});
  return success();
}

LogicalResult ProgramEmitter::emitCheck() {
  auto func = b.beginFunction(output, "plm_gen_check", {b.ptr}, {b.i32});
  Value result = arith::ConstantIntOp::create(b, b.loc, -1, 32);
  SmallVector<plm::ConstraintOp> constraints(
      forward.getOps<plm::ConstraintOp>());
  for (auto [index, constraint] :
       llvm::reverse(llvm::to_vector(llvm::enumerate(constraints)))) {
    Value value =
        dimension(func.getArgument(0), *DimExpr::parse(constraint.getExpr()));
    Value bad = arith::CmpIOp::create(b, b.loc,
                                      constraint.getEqual()
                                          ? arith::CmpIPredicate::ne
                                          : arith::CmpIPredicate::slt,
                                      value, b.c(0));
    result = b.select(
        bad, arith::ConstantIntOp::create(b, b.loc, index, 32), result);
  }
  for (plm::ConstraintOp constraint : constraints)
    info.constraintMessages.push_back(constraint.getMessage().str());
  b.endFunction({result});
  return success();
}

void ProgramEmitter::emitOutputDims() {
  auto func = b.beginFunction(output, "plm_gen_output_dims", {b.ptr, b.ptr});
  int64_t next = 0;
  for (Type type : forward.getResultTypes())
    for (const DimExpr &expr : getDims(cast<RankedTensorType>(type)))
      b.store(dimension(func.getArgument(0), expr),
              b.offset(func.getArgument(1), 8 * next++));
  b.endFunction();
}

LogicalResult ProgramEmitter::emit() {
  forward = source.lookupSymbol<func::FuncOp>("forward");
  if (!forward || forward.isExternal())
    return source.emitError("there is no function @forward to compile");
  collectSymbols();
  // Every dimension must come from an input.
  auto known = [&](Operation *op, Type type) -> LogicalResult {
    for (const DimExpr &expr : getDims(cast<RankedTensorType>(type)))
      for (const std::string &name : expr.symbols())
        if (!symbolIndex.count(name))
          return op->emitOpError() << "depends on dimension '" << name
                                   << "', which no input has";
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
  return emitRun();
}

FailureOr<OwningOpRef<ModuleOp>> plmc::emitProgram(ModuleOp module,
                                                   const TargetInfo &target,
                                                   WeightSection &weights,
                                                   ProgramInfo &info) {
  OwningOpRef<ModuleOp> output = ModuleOp::create(module.getLoc());
  if (failed(ProgramEmitter(module, *output, target, weights, info).emit()))
    return failure();
  return output;
}
