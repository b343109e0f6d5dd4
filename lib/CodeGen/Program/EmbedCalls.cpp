//===- EmbedCalls.cpp - Calls of embedding kernels ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProgramBuilder.h"

using namespace mlir;
using namespace plmc;

/// What the kernel reads beside the table itself.
LogicalResult
ProgramBuilder::appendTableParts(Operation *user, plk::WeightOp table,
                                 SmallVectorImpl<Value> &arguments) {
  auto lookup = [&](std::optional<StringRef> symbol) {
    return symbol ? sourceSymbols.lookup<plk::WeightOp>(*symbol) : nullptr;
  };
  plk::WeightOp books = lookup(table.getCodebooks());
  if (failed(appendScales(user, books ? books : table, arguments)))
    return failure();
  for (auto symbol : {table.getCodebooks(), table.getMap()}) {
    if (!symbol)
      continue;
    FailureOr<Value> part = weightAddress(user, *symbol);
    if (failed(part))
      return failure();
    arguments.push_back(*part);
  }
  return success();
}

LogicalResult ProgramBuilder::emitEmbed(plk::EmbedOp op, Value result) {
  EmbedSpec spec;
  spec.width = widthOf(op.getResult());
  spec.offset = op.getOffset();
  SmallVector<Value> arguments, tables;
  SmallVector<plk::WeightOp> stored;
  bool checked = true;
  for (auto [ids, table] : llvm::zip(op.getIds(), op.getTables())) {
    StringRef symbol = cast<FlatSymbolRefAttr>(table).getValue();
    auto weight = sourceSymbols.lookup<plk::WeightOp>(symbol);
    Type element = cast<RankedTensorType>(ids.getType()).getElementType();
    if (!weight || !(element.isInteger(64) || element.isInteger(32)))
      return op.emitOpError("ids must be i32 or i64 and tables weights");
    stored.push_back(weight);
    spec.tables.push_back(TableFormat::of(weight, sourceSymbols));
    spec.idBytes.push_back(storageBytes(element));
    FailureOr<Value> idsAt = address(ids), tableAt = weightAddress(op, symbol);
    if (failed(idsAt) || failed(tableAt))
      return failure();
    arguments.push_back(*idsAt);
    tables.push_back(*tableAt);
    if (BlockArgument argument = idsArgument(ids))
      info.addIdCheck(argument.getArgNumber(), spec.tables.back().rows);
    else
      checked = false;
  }
  llvm::append_range(arguments, tables);
  FailureOr<Value> position = optionalWeight(op, op.getPosition());
  if (failed(position))
    return failure();
  if (op.getPosition()) {
    stored.push_back(sourceSymbols.lookup<plk::WeightOp>(*op.getPosition()));
    if (!stored.back())
      return op.emitOpError("the position table must be a weight");
    spec.position = TableFormat::of(stored.back(), sourceSymbols);
  }
  int64_t code =
      checked ? 0 : indexCheck(op, "a computed id is outside its table");
  auto func = kernel(spec.name(), [&] { return buildEmbed(b, output, spec); });
  DimExpr rows = rowsOf(op.getType());
  Range range = ownRows(dim(rows));
  auto sequence = DimExpr::parse(
      source->getAttrOfType<StringAttr>(attrs::sequence).getValue());
  arguments.append({*position, frameField(runtime::FrameRowSource), result,
                    b.offset(frame, runtime::FrameError), b.c(code),
                    dim(*sequence), range.lo, range.hi});
  for (plk::WeightOp weight : stored)
    if (failed(appendTableParts(op, weight, arguments)))
      return failure();
  b.call(func, arguments);
  if (op.getGamma()) {
    FailureOr<Value> gamma = weightAddress(op, *op.getGamma());
    FailureOr<Value> beta = optionalWeight(op, op.getBeta());
    if (failed(gamma) || failed(beta))
      return failure();
    normRows(*gamma, op.getBeta() ? *beta : Value(), result, result, spec.width,
             op.getEpsilon().convertToDouble(), range);
  }
  return success();
}
