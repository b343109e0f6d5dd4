//===- QuantizeOps.cpp - Verifiers of quantized values -----------*- C++
//-*-===//
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

/// Scale and zero point: scalars, or one value a slice along the axis, or one
/// for every `block` neighbours along it.
template <typename OpT>
static LogicalResult verifyAffine(OpT op, Type floatType, Type integerType,
                                  int64_t block = 0) {
  Value input = op.getInput(), scale = op.getScale(),
        zeroPoint = op.getZeroPoint();
  auto inputDims = dimsOf(op, input, "input");
  auto scaleDims = dimsOf(op, scale, "scale");
  if (failed(inputDims) || failed(scaleDims) ||
      failed(checkFloat(op, scale, "scale")) ||
      failed(expectElement(op, typeOf(scale).getElementType(), floatType,
                           "scale")))
    return failure();
  if (block) {
    if (failed(checkAxis(op, op.getAxis(), inputDims->size())))
      return failure();
    SmallVector<DimExpr> blocks(*inputDims);
    std::optional<int64_t> size = blocks[op.getAxis()].constant();
    if (block < 1 || !size)
      return op.emitOpError("blocks have at least 1 element and divide a fixed "
                            "size");
    blocks[op.getAxis()] = DimExpr(llvm::divideCeil(*size, block));
    if (failed(expectDims(op, *scaleDims, blocks, "scale")))
      return failure();
  } else if (!scaleDims->empty()) {
    if (failed(checkAxis(op, op.getAxis(), inputDims->size())) ||
        failed(
            expectDims(op, *scaleDims, {(*inputDims)[op.getAxis()]}, "scale")))
      return failure();
  }
  if (zeroPoint) {
    auto zeroDims = dimsOf(op, zeroPoint, "zero_point");
    if (failed(zeroDims) ||
        failed(expectElement(op, typeOf(zeroPoint).getElementType(),
                             integerType, "zero_point")) ||
        failed(expectDims(op, *zeroDims, *scaleDims, "zero_point")))
      return failure();
  }
  auto resultDims = dimsOf(op, op.getResult(), "result");
  if (failed(resultDims))
    return failure();
  return expectDims(op, *resultDims, *inputDims, "result");
}

LogicalResult QuantizeOp::verify() {
  Type result = typeOf(getResult()).getElementType();
  if (!result.isInteger(8))
    return emitOpError() << "result has element type " << result
                         << ", expected i8 or ui8";
  if (failed(checkFloat(*this, getInput(), "input")))
    return failure();
  return verifyAffine(*this, typeOf(getInput()).getElementType(), result);
}

LogicalResult DequantizeOp::verify() {
  Type input = typeOf(getInput()).getElementType();
  if (!input.isInteger(8) && !input.isInteger(32))
    return emitOpError() << "input has element type " << input
                         << ", expected i8, ui8 or i32";
  if (failed(checkFloat(*this, getResult(), "result")))
    return failure();
  if (getBits() < 2 || getBits() > 8)
    return emitOpError() << "bits is " << getBits() << ", expected 2 to 8";
  return verifyAffine(*this, typeOf(getResult()).getElementType(), input,
                      getBlockSize());
}

LogicalResult CodebookLookupOp::verify() {
  DIMS(codes, getCodes(), "codes");
  DIMS(books, getCodebooks(), "codebooks");
  DIMS(result, getResult(), "result");
  if (!typeOf(getCodes()).getElementType().isUnsignedInteger(8))
    return emitOpError() << "codes have element type "
                         << typeOf(getCodes()).getElementType()
                         << ", expected ui8";
  if (failed(checkFloat(*this, getCodebooks(), "codebooks")) ||
      failed(expectElement(*this, typeOf(getResult()).getElementType(),
                           typeOf(getCodebooks()).getElementType(), "result")))
    return failure();
  if (codes.empty() || books.size() != 3 || codes.back() != books[0])
    return emitOpError() << "codes have shape " << shapeStr(codes)
                         << " and codebooks " << shapeStr(books)
                         << ", expected [..., M] and [M, C, D]";
  std::optional<int64_t> entries = books[1].constant();
  if (!entries || *entries < 1 || *entries > 256)
    return emitOpError() << "codebooks have shape " << shapeStr(books)
                         << ", expected 1 to 256 entries";
  codes.back() = books[0] * books[2];
  return expectDims(*this, result, codes, "result");
}
