//===- QLinear.cpp - com.microsoft operators on 8-bit values --------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ONNX Runtime's static quantisation in QOperator form: QLinearAdd is Add on
// 8-bit values, and so on. Each means what DequantizeLinear, the operator on
// floats and QuantizeLinear mean, and is imported as those. ONNX Runtime itself
// reads a few of them from tables; its result may lie one step beside ours.
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include "Quantize.h"

using namespace plmc::plm;

namespace plmc::importer {

/// The floats that the inputs value, scale and zero point stand for, which
/// begin at `first`.
static Tensor floatsOf(Node &node, unsigned first) {
  GraphBuilder &b = node.b;
  Tensor value = node.input(first), scale = node.input(first + 1);
  if (value && value.dtype() != DType::U8 && value.dtype() != DType::I8)
    return b.fail("an operand has element type " + dtypeName(value.dtype()) +
                  ", expected int8 or uint8");
  return b.dequantize(value, scale, node.optionalInput(first + 2), 0);
}

/// Writes floats as 8-bit values, by the inputs scale and zero point that
/// begin at `first`; without a zero point in the type of input `like`.
static void outputQuantized(Node &node, const Tensor &floats, unsigned first,
                            unsigned like) {
  GraphBuilder &b = node.b;
  Tensor scale = node.input(first), zeroPoint = node.optionalInput(first + 1);
  Tensor typed = zeroPoint ? zeroPoint : node.input(like);
  if (b.hasFailed())
    return;
  node.output(0, b.quantize(floats, scale, zeroPoint, 0, typed.dtype()));
}

template <BinaryKind kind> static void importQLinearBinary(Node &node) {
  Tensor x = floatsOf(node, 0), y = floatsOf(node, 3);
  outputQuantized(node, node.b.binary(kind, x, y), 6, 0);
}

static void importQLinearSigmoid(Node &node) {
  Tensor x = floatsOf(node, 0);
  outputQuantized(node, node.b.activation(ActivationKind::Sigmoid, x), 3, 0);
}

static void importQLinearLeakyRelu(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = floatsOf(node, 0);
  if (!x)
    return;
  Tensor slope = b.scalar(x.dtype(), node.floatAttr("alpha", 0.01f));
  Tensor zero = b.scalar(x.dtype(), 0);
  Tensor y = b.select(b.binary(BinaryKind::Lt, x, zero), b.mul(x, slope), x);
  outputQuantized(node, y, 3, 0);
}

/// The attribute `opset` says which Softmax is meant: before 13, everything
/// from the axis on is one dimension.
static void importQLinearSoftmax(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = floatsOf(node, 0);
  if (!x)
    return;
  bool flattens = node.intAttr("opset", 13) < 13;
  int64_t axis =
      node.normalizeAxis(node.intAttr("axis", flattens ? 1 : -1), x.rank());
  if (b.hasFailed())
    return;
  Dims dims(x.dims().begin(), x.dims().end());
  if (flattens && axis != x.rank() - 1) {
    Dims flat(dims.begin(), dims.begin() + axis);
    flat.push_back(productOf(x.dims().drop_front(axis)));
    x = b.reshape(x, flat);
  }
  outputQuantized(node, b.reshape(b.softmax(x, axis), dims), 3, 0);
}

static void importQLinearWhere(Node &node) {
  Tensor x = floatsOf(node, 1), y = floatsOf(node, 4);
  outputQuantized(node, node.b.select(node.input(0), x, y), 7, 1);
}

/// Scale and zero point of the result come first.
static void importQLinearConcat(Node &node) {
  GraphBuilder &b = node.b;
  if (node.numInputs() < 5 || node.numInputs() % 3 != 2) {
    b.fail("it has " + llvm::Twine(node.numInputs()) +
           " inputs, expected two and three for each tensor");
    return;
  }
  llvm::SmallVector<Tensor> parts;
  for (unsigned i = 2; i < node.numInputs(); i += 3)
    parts.push_back(floatsOf(node, i));
  if (b.hasFailed())
    return;
  int64_t axis =
      node.normalizeAxis(node.intAttr("axis", 0), parts.front().rank());
  outputQuantized(node, b.concat(parts, axis), 0, 2);
}

void registerQLinear(OpTable &table) {
  table["com.microsoft:QLinearAdd"] = importQLinearBinary<BinaryKind::Add>;
  table["com.microsoft:QLinearMul"] = importQLinearBinary<BinaryKind::Mul>;
  table["com.microsoft:QLinearSigmoid"] = importQLinearSigmoid;
  table["com.microsoft:QLinearLeakyRelu"] = importQLinearLeakyRelu;
  table["com.microsoft:QLinearSoftmax"] = importQLinearSoftmax;
  table["com.microsoft:QLinearWhere"] = importQLinearWhere;
  table["com.microsoft:QLinearConcat"] = importQLinearConcat;
}

} // namespace plmc::importer
