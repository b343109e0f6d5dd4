//===- Quantize.cpp - Quantisation and integer products -------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Quantize.h"
#include "../Diagnostics.h"
#include "../OpTable.h"
#include "MatMulParts.h"

using namespace plmc::plm;

namespace plmc::importer {

static bool is8Bit(const Tensor &x) {
  return x.dtype() == DType::U8 || x.dtype() == DType::I8;
}

/// A tensor of one element as a scalar, any other as it is.
static Tensor squeezed(GraphBuilder &b, const Tensor &x) {
  return x && x.rank() && x.numElements() == 1 ? b.reshape(x, {}) : x;
}

/// What belongs to rows, when it is a list: [M] becomes [M, 1].
static Tensor alongRows(GraphBuilder &b, const Tensor &x) {
  Tensor result = squeezed(b, x);
  return result && result.rank() == 1 ? b.reshape(result, {result.dim(0), 1})
                                      : result;
}

//===----------------------------------------------------------------------===//
// QuantizeLinear, DequantizeLinear
//===----------------------------------------------------------------------===//

/// True, after a failure, for quantisation in blocks along an axis, which only
/// weights may have.
static bool isBlocked(Node &node) {
  if (node.intAttr("block_size", 0) == 0)
    return false;
  node.b.unsupported("blocked quantization (block_size " +
                     llvm::Twine(node.intAttr("block_size", 0)) +
                     ") is not supported; quantize per tensor or per channel");
  return true;
}

static void importQuantizeLinear(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0), scale = node.input(1),
         zeroPoint = node.optionalInput(2);
  if (!x || !scale || isBlocked(node))
    return;
  DType type = zeroPoint ? zeroPoint.dtype() : DType::U8;
  if (int64_t declared = node.intAttr("output_dtype", 0);
      declared && !zeroPoint)
    type = dtypeFromONNX(static_cast<int32_t>(declared)).value_or(DType::F32);
  if (type != DType::U8 && type != DType::I8) {
    b.unsupported("quantization to other types than int8 and uint8 is not "
                  "supported");
    return;
  }
  // The quotient is computed in the scale's type, unless `precision` says.
  DType precision = scale.dtype();
  if (int64_t declared = node.intAttr("precision", 0))
    precision =
        dtypeFromONNX(static_cast<int32_t>(declared)).value_or(precision);
  node.output(0, b.quantize(b.cast(x, precision), b.cast(scale, precision),
                            zeroPoint, node.intAttr("axis", 1), type));
}

static void importDequantizeLinear(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0), scale = node.input(1),
         zeroPoint = node.optionalInput(2);
  if (!x || !scale)
    return;
  if (!is8Bit(x) && x.dtype() != DType::I32) {
    b.unsupported("dequantization of " + dtypeName(x.dtype()) +
                  " is not supported");
    return;
  }
  int64_t block = node.intAttr("block_size", 0), axis = node.intAttr("axis", 1);
  bool isWeight =
      x.literal() && scale.literal() && (!zeroPoint || zeroPoint.literal());
  Tensor result;
  if (block && isWeight)
    result = b.dequantizeBlocks(x, scale, zeroPoint, axis, block);
  else if (!isBlocked(node))
    result = b.dequantize(x, scale, zeroPoint, axis);
  if (!result)
    return;
  if (int64_t declared = node.intAttr("output_dtype", 0))
    if (auto type = dtypeFromONNX(static_cast<int32_t>(declared));
        type && isFloat(*type))
      result = b.cast(result, *type);
  node.output(0, result);
}

QuantizedTensor dynamicQuantize(GraphBuilder &b, const Tensor &x) {
  QuantizedTensor result;
  if (!x || x.dtype() != DType::F32) {
    b.fail("dynamic quantization of another type than float32");
    return result;
  }
  auto axes = llvm::to_vector(llvm::seq<int64_t>(0, x.rank()));
  Tensor zero = b.scalar(DType::F32, 0), one = b.scalar(DType::F32, 1);
  Tensor steps = b.scalar(DType::F32, 255);
  auto bound = [&](ReduceKind reduce, BinaryKind kind) {
    return b.binary(kind, b.reduce(reduce, x, axes, /*keepdims=*/false), zero);
  };
  Tensor low = bound(ReduceKind::Min, BinaryKind::Min);
  Tensor high = bound(ReduceKind::Max, BinaryKind::Max);
  // A tensor of zeros: any scale does, but not 0.
  result.scale = b.select(b.binary(BinaryKind::Eq, low, high), one,
                          b.div(b.sub(high, low), steps));
  Tensor zeroPoint = b.sub(zero, b.div(low, result.scale));
  zeroPoint = b.binary(BinaryKind::Min,
                       b.binary(BinaryKind::Max, zeroPoint, zero), steps);
  result.zeroPoint = b.cast(b.unary(UnaryKind::Round, zeroPoint), DType::U8);
  result.value = b.quantize(x, result.scale, result.zeroPoint, 0, DType::U8);
  return result;
}

static void importDynamicQuantizeLinear(Node &node) {
  QuantizedTensor quantized = dynamicQuantize(node.b, node.input(0));
  node.output(0, quantized.value);
  node.output(1, quantized.scale);
  node.output(2, quantized.zeroPoint);
}

//===----------------------------------------------------------------------===//
// Integer products
//===----------------------------------------------------------------------===//

/// value - zeroPoint in int32.
static Tensor centered(GraphBuilder &b, const Tensor &value,
                       const Tensor &zeroPoint) {
  Tensor wide = b.cast(value, DType::I32);
  return zeroPoint ? b.sub(wide, b.cast(zeroPoint, DType::I32)) : wide;
}

Tensor integerProduct(GraphBuilder &b, const QuantizedTensor &lhs,
                      const QuantizedTensor &rhs) {
  if (!lhs.value || !rhs.value || b.hasFailed())
    return Tensor();
  for (const QuantizedTensor *operand : {&lhs, &rhs}) {
    if (!is8Bit(operand->value))
      return b.fail("an operand has element type " +
                    dtypeName(operand->value.dtype()) +
                    ", expected int8 or uint8");
    if (operand->zeroPoint &&
        operand->zeroPoint.dtype() != operand->value.dtype())
      return b.fail("a zero point has another element type than its matrix");
  }
  return matrixProduct(b, centered(b, lhs.value, alongRows(b, lhs.zeroPoint)),
                       centered(b, rhs.value, squeezed(b, rhs.zeroPoint)));
}

Tensor scaledProduct(GraphBuilder &b, const QuantizedTensor &lhs,
                     const QuantizedTensor &rhs) {
  Tensor product = integerProduct(b, lhs, rhs);
  if (!product || !lhs.scale || !rhs.scale)
    return Tensor();
  return b.mul(b.cast(product, lhs.scale.dtype()),
               b.mul(alongRows(b, lhs.scale), squeezed(b, rhs.scale)));
}

static void importMatMulInteger(Node &node) {
  QuantizedTensor lhs{node.input(0), {}, node.optionalInput(2)};
  QuantizedTensor rhs{node.input(1), {}, node.optionalInput(3)};
  node.output(0, integerProduct(node.b, lhs, rhs));
}

static void importQLinearMatMul(Node &node) {
  GraphBuilder &b = node.b;
  QuantizedTensor lhs{node.input(0), node.input(1), node.input(2)};
  QuantizedTensor rhs{node.input(3), node.input(4), node.input(5)};
  Tensor scale = node.input(6), zeroPoint = node.input(7);
  Tensor product = scaledProduct(b, lhs, rhs);
  if (product && product.rank() < 2)
    scale = squeezed(b, scale);
  node.output(0, b.quantize(product, scale, zeroPoint, product.rank() - 2,
                            zeroPoint.dtype()));
}

void registerQuantize(OpTable &table) {
  // The contributed forms came first and mean the same.
  for (const char *domain : {"", "com.microsoft"}) {
    table[opKey(domain, "QuantizeLinear")] = importQuantizeLinear;
    table[opKey(domain, "DequantizeLinear")] = importDequantizeLinear;
  }
  table["DynamicQuantizeLinear"] = importDynamicQuantizeLinear;
  table["MatMulInteger"] = importMatMulInteger;
  table["QLinearMatMul"] = importQLinearMatMul;
  registerContribQuantize(table);
  registerQLinear(table);
  registerMatMulNBits(table);
}

} // namespace plmc::importer
