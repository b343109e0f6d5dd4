//===- TableRows.cpp - Rows of computed tables ----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Table.h"
#include "plmc/Dialect/PLM/DimExpr.h"

using namespace mlir;
using namespace plmc;

namespace {

RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Reads rows [..., W] of tables [V, W], the same rows of each.
class RowReader {
public:
  RowReader(OpBuilder &builder, Location loc, ArrayRef<DimExpr> lead)
      : builder(builder), loc(loc), lead(lead) {}
  virtual ~RowReader() = default;
  /// The rows of a table that is computed, if it can be, from rows.
  Value rows(Value table);

protected:
  virtual Value read(Value table) = 0;
  RankedTensorType rowsType(Value table) const {
    SmallVector<DimExpr> dims(lead);
    dims.push_back(getDims(typeOf(table))[1]);
    return makeTensorType(dims, typeOf(table).getElementType());
  }
  Value dequantized(plm::DequantizeOp op);
  Value column(Value vector);

  OpBuilder &builder;
  Location loc;
  SmallVector<DimExpr> lead;
};

/// plm.embedding or plm.position_embedding: `op` with other tables.
struct CloneReader : RowReader {
  Operation *op;
  CloneReader(OpBuilder &builder, Operation *op)
      : RowReader(builder, op->getLoc(), leadOf(op)), op(op) {}
  static SmallVector<DimExpr> leadOf(Operation *op) {
    SmallVector<DimExpr> dims = getDims(typeOf(op->getResult(0)));
    dims.pop_back();
    return dims;
  }
  Value read(Value table) override {
    Operation *clone = builder.clone(*op);
    clone->setOperand(clone->getNumOperands() - 1, table);
    clone->getResult(0).setType(rowsType(table));
    return clone->getResult(0);
  }
};

/// plm.gather: indices may be negative.
struct GatherReader : RowReader {
  Value indices;
  GatherReader(OpBuilder &builder, Location loc, Value indices)
      : RowReader(builder, loc, getDims(typeOf(indices))), indices(indices) {}
  Value read(Value table) override {
    return plm::GatherOp::create(builder, loc, rowsType(table),
                                 builder.getI64IntegerAttr(0), table, indices);
  }
};

} // namespace

/// A vector of V as a table [V, 1].
Value RowReader::column(Value vector) {
  SmallVector<DimExpr> dims = getDims(typeOf(vector));
  dims.push_back(DimExpr(1));
  return plm::ReshapeOp::create(
      builder, loc, makeTensorType(dims, typeOf(vector).getElementType()),
      vector);
}

Value RowReader::dequantized(plm::DequantizeOp op) {
  RankedTensorType type = rowsType(op.getResult());
  int64_t axis = op.getAxis(), block = op.getBlockSize();
  Value scale = op.getScale(), zeroPoint = op.getZeroPoint();
  if (block && axis == 0) // a row has a part of a scale
    return {};
  if (block || typeOf(scale).getRank()) {
    if (!block && axis == 0) { // one a row: the row is one block
      if (type.isDynamicDim(type.getRank() - 1))
        return {};
      block = type.getShape().back();
      scale = column(scale);
      if (zeroPoint)
        zeroPoint = column(zeroPoint);
    }
    axis = type.getRank() - 1;
    if (block) {
      scale = rows(scale);
      if (zeroPoint)
        zeroPoint = rows(zeroPoint);
    }
  }
  return plm::DequantizeOp::create(builder, loc, type, rows(op.getInput()),
                                   scale, zeroPoint, axis, block, op.getBits());
}

Value RowReader::rows(Value table) {
  if (auto op = table.getDefiningOp<plm::DequantizeOp>())
    if (Value result = dequantized(op))
      return result;
  if (auto op = table.getDefiningOp<plm::CodebookLookupOp>())
    return plm::CodebookLookupOp::create(
        builder, loc, rowsType(table), rows(op.getCodes()), op.getCodebooks());
  if (auto op = table.getDefiningOp<plm::GatherOp>())
    if (op.getAxis() == 0 && typeOf(op.getIndices()).getRank() == 1 &&
        typeOf(op.getData()).getRank() == 2) {
      Value entries = rows(column(op.getIndices()));
      Value indices = plm::ReshapeOp::create(
          builder, loc, makeTensorType(lead, typeOf(entries).getElementType()),
          entries);
      return GatherReader(builder, loc, indices).rows(op.getData());
    }
  return read(table);
}

void plmc::readTablesByRows(func::FuncOp func) {
  SmallVector<Operation *> lookups;
  for (Operation &op : func.getBody().front())
    if (isa<plm::EmbeddingOp, plm::PositionEmbeddingOp>(op))
      lookups.push_back(&op);
  for (Operation *op : lookups) {
    Value table = op->getOperand(op->getNumOperands() - 1);
    if (!isa_and_present<plm::DequantizeOp, plm::CodebookLookupOp,
                         plm::GatherOp>(table.getDefiningOp()))
      continue;
    OpBuilder builder(op);
    Value rows = CloneReader(builder, op).rows(table);
    op->replaceAllUsesWith(ValueRange{rows});
    op->erase();
    // What computed the table, users first.
    for (SmallVector<Value> unused{table}; !unused.empty();) {
      Operation *producer = unused.pop_back_val().getDefiningOp();
      if (!producer || !producer->use_empty() || !isMemoryEffectFree(producer))
        continue;
      llvm::append_range(unused, producer->getOperands());
      producer->erase();
    }
  }
}
