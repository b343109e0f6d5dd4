//===- TransformerOps.cpp - Verifiers of transformer operations -*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VerifyShapes.h"

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::plm::verify;

LogicalResult EmbeddingOp::verify() {
  DIMS(ids, getIds(), "ids");
  DIMS(table, getTable(), "table");
  DIMS(result, getResult(), "result");
  if (table.size() != 2)
    return emitOpError() << "table has shape " << shapeStr(table)
                         << ", expected [rows, width]";
  if (failed(checkInteger(*this, getIds(), "ids")))
    return failure();
  ids.push_back(table[1]);
  return expectDims(*this, result, ids, "result");
}

LogicalResult PositionEmbeddingOp::verify() {
  DIMS(table, getTable(), "table");
  DIMS(result, getResult(), "result");
  if (table.size() != 2)
    return emitOpError() << "table has shape " << shapeStr(table)
                         << ", expected [rows, width]";
  if (result.size() != 3 || !result[0].isConstant(1) || result[2] != table[1])
    return emitOpError() << "result has shape " << shapeStr(result)
                         << ", expected [1, length, " << table[1].str() << "]";
  if (getOffset() < 0)
    return emitOpError("offset must not be negative");
  return success();
}

LogicalResult LinearOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(weight, getWeight(), "weight");
  DIMS(result, getResult(), "result");
  if (weight.size() != 2 || input.empty())
    return emitOpError() << "input " << shapeStr(input) << " and weight "
                         << shapeStr(weight)
                         << ": expected [..., K] and a matrix";
  if (getTransposed())
    std::swap(weight[0], weight[1]);
  if (input.back() != weight[0])
    return emitOpError() << "input has shape " << shapeStr(input)
                         << ", but the weight takes " << weight[0].str()
                         << " features";
  if (getBias()) {
    DIMS(bias, getBias(), "bias");
    if (failed(expectDims(*this, bias, {weight[1]}, "bias")))
      return failure();
  }
  if (getPrecision() == Precision::Int8) {
    if (!getWeight().getDefiningOp<DequantizeOp>())
      return emitOpError("in int8 takes a weight that is a plm.dequantize");
  }
  input.back() = weight[1];
  return expectDims(*this, result, input, "result");
}

LogicalResult AttentionOp::verify() {
  DIMS(query, getQuery(), "query");
  DIMS(key, getKey(), "key");
  DIMS(value, getValue(), "value");
  DIMS(result, getResult(), "result");
  int64_t heads = getNumHeads();
  if (heads < 1)
    return emitOpError("num_heads must be positive");
  if (getPrecision() == Precision::Int8)
    return emitOpError("has no form in int8; bf16 or f32");
  for (auto [dims, name] :
       {std::pair{&query, "query"}, {&key, "key"}, {&value, "value"}}) {
    if (dims->size() != 3)
      return emitOpError() << name << " has shape " << shapeStr(*dims)
                           << ", expected [batch, length, width]";
    std::optional<int64_t> width = dims->back().constant();
    if (!width || *width % heads)
      return emitOpError() << name << " has width " << dims->back().str()
                           << ", not a multiple of " << heads << " heads";
  }
  if (query[0] != key[0] || query[2] != key[2] || key[0] != value[0] ||
      key[1] != value[1])
    return emitOpError() << "query " << shapeStr(query) << ", key "
                         << shapeStr(key) << " and value " << shapeStr(value)
                         << " do not fit together";
  if (getMask()) {
    DIMS(mask, getMask(), "mask");
    if (failed(expectDims(*this, mask, {key[0], key[1]}, "mask")))
      return failure();
  }
  if (getMaskInBias() && !getBias())
    return emitOpError("has mask_in_bias but no bias");
  if (getBias()) {
    DIMS(bias, getBias(), "bias");
    SmallVector<DimExpr> full{query[0], DimExpr(heads), query[1], key[1]};
    bool fits = bias.size() == 4;
    for (size_t i = 0; fits && i < 4; ++i)
      fits = bias[i].isConstant(1) || bias[i] == full[i];
    if (!fits)
      return emitOpError() << "bias has shape " << shapeStr(bias)
                           << ", expected " << shapeStr(full)
                           << " or 1 in place of a dimension";
    if (failed(expectElement(*this, typeOf(getBias()).getElementType(),
                             typeOf(getQuery()).getElementType(), "bias")))
      return failure();
  }
  return expectDims(*this, result, {query[0], query[1], value[2]}, "result");
}

LogicalResult LayerNormOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(gamma, getGamma(), "gamma");
  if (input.empty())
    return emitOpError("input must have rank 1 or more");
  if (failed(expectDims(*this, gamma, {input.back()}, "gamma")))
    return failure();
  if (getBeta()) {
    DIMS(beta, getBeta(), "beta");
    if (failed(expectDims(*this, beta, {input.back()}, "beta")))
      return failure();
  }
  return sameShapeAndType(*this, getInput(), getResult());
}

LogicalResult ActivationOp::verify() {
  DIMS(input, getInput(), "input");
  (void)input;
  if (failed(checkFloat(*this, getInput(), "input")))
    return failure();
  return sameShapeAndType(*this, getInput(), getResult());
}

LogicalResult PoolOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(result, getResult(), "result");
  if (input.size() != 3)
    return emitOpError() << "input has shape " << shapeStr(input)
                         << ", expected [batch, length, width]";
  if (getMask()) {
    DIMS(mask, getMask(), "mask");
    if (failed(expectDims(*this, mask, {input[0], input[1]}, "mask")))
      return failure();
  }
  return expectDims(*this, result, {input[0], input[2]}, "result");
}

LogicalResult L2NormalizeOp::verify() {
  DIMS(input, getInput(), "input");
  if (input.empty())
    return emitOpError("input must have rank 1 or more");
  return sameShapeAndType(*this, getInput(), getResult());
}
