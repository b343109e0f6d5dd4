//===- IndexedOps.cpp - Verifiers of scatters and arg_reduce ----*- C++ -*-===//
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

LogicalResult ScatterNDOp::verify() {
  DIMS(data, getData(), "data");
  DIMS(indices, getIndices(), "indices");
  DIMS(updates, getUpdates(), "updates");
  if (failed(checkInteger(*this, getIndices(), "indices")) ||
      failed(expectElement(*this, typeOf(getUpdates()).getElementType(),
                           typeOf(getData()).getElementType(), "updates")))
    return failure();
  std::optional<int64_t> tuple =
      indices.empty() ? std::nullopt : indices.back().constant();
  if (!tuple || *tuple < 1 || *tuple > int64_t(data.size()))
    return emitOpError() << "indices of shape " << shapeStr(indices)
                         << " do not address data of shape " << shapeStr(data);
  SmallVector<DimExpr> expected(indices.begin(), indices.end() - 1);
  expected.append(data.begin() + *tuple, data.end());
  if (failed(expectDims(*this, updates, expected, "updates")))
    return failure();
  return sameShapeAndType(*this, getData(), getResult());
}

LogicalResult ScatterElementsOp::verify() {
  DIMS(data, getData(), "data");
  DIMS(indices, getIndices(), "indices");
  DIMS(updates, getUpdates(), "updates");
  if (failed(checkAxis(*this, getAxis(), data.size())) ||
      failed(checkInteger(*this, getIndices(), "indices")) ||
      failed(expectElement(*this, typeOf(getUpdates()).getElementType(),
                           typeOf(getData()).getElementType(), "updates")))
    return failure();
  if (data.size() != indices.size())
    return emitOpError("data and indices must have the same rank");
  if (failed(expectDims(*this, updates, indices, "updates")))
    return failure();
  return sameShapeAndType(*this, getData(), getResult());
}

LogicalResult ArgReduceOp::verify() {
  DIMS(input, getInput(), "input");
  DIMS(result, getResult(), "result");
  if (failed(checkAxis(*this, getAxis(), input.size())))
    return failure();
  if (getKind() != ReduceKind::Max && getKind() != ReduceKind::Min)
    return emitOpError("kind must be max or min");
  if (failed(expectElement(*this, typeOf(getResult()).getElementType(),
                           IntegerType::get(getContext(), 64), "result")))
    return failure();
  if (getKeepdims())
    input[getAxis()] = DimExpr(1);
  else
    input.erase(input.begin() + getAxis());
  return expectDims(*this, result, input, "result");
}
