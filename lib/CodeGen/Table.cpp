//===- Table.cpp - Forms of the tables of embeddings ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Table.h"
#include "QuantizedWeight.h"

using namespace mlir;
using namespace plmc;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static bool isStored(Value value) {
  return isa_and_present<plm::GetParameterOp, plm::ConstantOp>(
      value.getDefiningOp());
}

/// Codebooks in f32, or in 8 bits with one scale, or one a codebook, or one a
/// column of entries.
static bool areCodebooks(Value value) {
  if (!typeOf(value).getElementType().isF32())
    return false;
  if (value.getDefiningOp<plm::GetParameterOp>())
    return true;
  auto dequantize = value.getDefiningOp<plm::DequantizeOp>();
  if (!dequantize || dequantize.getBlockSize() || dequantize.getZeroPoint() ||
      !dequantize.getInput().getDefiningOp<plm::GetParameterOp>() ||
      !typeOf(dequantize.getInput()).getElementType().isInteger(8) ||
      !isStored(dequantize.getScale()))
    return false;
  return typeOf(dequantize.getScale()).getRank() == 0 ||
         dequantize.getAxis() != 1;
}

std::optional<TableSource> TableSource::match(Value table) {
  TableSource result;
  if (auto gather = table.getDefiningOp<plm::GatherOp>()) {
    Value map = gather.getIndices();
    if (gather.getAxis() != 0 || !isStored(map) || typeOf(map).getRank() != 1 ||
        !typeOf(gather.getData()).hasStaticShape() ||
        !typeOf(gather.getResult()).getElementType().isF32())
      return std::nullopt;
    result.map = map;
    table = gather.getData();
  }
  result.values = table;
  if (auto lookup = table.getDefiningOp<plm::CodebookLookupOp>()) {
    result.codes = lookup.getCodes().getDefiningOp<plm::GetParameterOp>();
    result.values = lookup.getCodebooks();
    if (!result.codes || typeOf(result.codes.getResult()).getRank() != 2 ||
        !areCodebooks(result.values))
      return std::nullopt;
    return result;
  }
  if (table.getDefiningOp<plm::GetParameterOp>() ||
      QuantizedWeight::matchCodes(table) || QuantizedWeight::match(table))
    return result;
  return std::nullopt;
}
