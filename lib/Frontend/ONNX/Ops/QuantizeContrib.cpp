//===- QuantizeContrib.cpp - com.microsoft quantised operators ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What ONNX Runtime fuses quantised graphs to.
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include "AttentionParts.h"
#include "NormalizationParts.h"
#include "Quantize.h"

using namespace plmc::plm;

namespace plmc::importer {

static Tensor plusBias(GraphBuilder &b, const Tensor &product,
                       const Tensor &bias) {
  return bias ? b.add(product, bias) : product;
}

/// DynamicQuantizeLinear and MatMulIntegerToFloat in one.
static void importDynamicQuantizeMatMul(Node &node) {
  GraphBuilder &b = node.b;
  QuantizedTensor rhs{node.input(1), node.input(2), node.optionalInput(3)};
  Tensor product = scaledProduct(b, dynamicQuantize(b, node.input(0)), rhs);
  node.output(0, plusBias(b, product, node.optionalInput(4)));
}

static void importMatMulIntegerToFloat(Node &node) {
  GraphBuilder &b = node.b;
  QuantizedTensor lhs{node.input(0), node.input(2), node.optionalInput(4)};
  QuantizedTensor rhs{node.input(1), node.input(3), node.optionalInput(5)};
  Tensor product = scaledProduct(b, lhs, rhs);
  node.output(0, plusBias(b, product, node.optionalInput(6)));
}

/// (A' B' + C) * alpha * a_scale * b_scale; C is int32.
static void importQGemm(Node &node) {
  GraphBuilder &b = node.b;
  QuantizedTensor lhs{node.input(0), node.input(1), node.optionalInput(2)};
  QuantizedTensor rhs{node.input(3), node.input(4), node.optionalInput(5)};
  Tensor c = node.optionalInput(6), scale = node.optionalInput(7),
         zeroPoint = node.optionalInput(8);
  if (b.hasFailed() || !lhs.value || !rhs.value)
    return;
  if (lhs.value.rank() != 2 || rhs.value.rank() != 2) {
    b.fail("the operands have ranks " + llvm::Twine(lhs.value.rank()) +
           " and " + llvm::Twine(rhs.value.rank()) + ", expected 2");
    return;
  }
  if (node.intAttr("transA", 0))
    lhs.value = b.transpose(lhs.value, {1, 0});
  if (node.intAttr("transB", 0))
    rhs.value = b.transpose(rhs.value, {1, 0});
  double alpha = node.floatAttr("alpha", 1);
  if (alpha != 1)
    rhs.scale = b.mul(rhs.scale, b.scalar(rhs.scale.dtype(), alpha));
  Tensor result = scaledProduct(b, lhs, rhs);
  if (c)
    result = b.add(
        result, b.mul(b.cast(c, result.dtype()), b.mul(lhs.scale, rhs.scale)));
  if (scale) {
    if (!zeroPoint)
      zeroPoint = b.scalar(lhs.value.dtype(), 0);
    result = b.quantize(result, scale, zeroPoint, 1, zeroPoint.dtype());
  }
  node.output(0, result);
}

/// Attention whose joined projection is an integer product. It is taken apart
/// into one product each for query, key and value.
static void importQAttention(Node &node) {
  GraphBuilder &b = node.b;
  QuantizedTensor x{node.input(0), node.input(3), node.optionalInput(6)};
  QuantizedTensor weight{node.input(1), node.input(4), node.optionalInput(7)};
  Tensor bias = node.input(2), mask = node.optionalInput(5);
  if (refuseCache(node, {8}, {1}) || !x.value || !weight.value || !bias)
    return;
  if (node.intAttr("do_rotary", 0)) {
    b.unsupported("attention with a built-in rotary embedding");
    return;
  }
  std::optional<int64_t> total = weight.value.dim(-1).constant();
  if (x.value.rank() != 3 || weight.value.rank() != 2 || !total || *total % 3) {
    b.fail("the weight's columns do not divide into query, key and value");
    return;
  }
  auto project = [&](int64_t part, llvm::StringRef name) {
    int64_t width = *total / 3;
    auto columns = [&](const Tensor &list) {
      return list && list.rank() == 1 && list.dim(0).isConstant(*total)
                 ? b.columns(list, part * width, width, name)
                 : list;
    };
    QuantizedTensor own{b.columns(weight.value, part * width, width, name),
                        columns(weight.scale), columns(weight.zeroPoint)};
    return b.add(scaledProduct(b, x, own), columns(bias));
  };
  Tensor query = project(0, "query"), key = project(1, "key"),
         value = project(2, "value");
  if (!b.hasFailed())
    node.output(0, contribAttention(node, query, key, value, mask));
}

/// EmbedLayerNormalization whose five parameters are 8-bit.
static void importQEmbedLayerNormalization(Node &node) {
  GraphBuilder &b = node.b;
  // Parameters are inputs 2 to 6, their scales 8 to 12, zero points 13 to 17.
  auto parameter = [&](unsigned index) {
    Tensor value = node.optionalInput(index);
    if (!value)
      return value;
    return b.dequantize(value, node.input(index + 6),
                        node.optionalInput(index + 11), 0);
  };
  embedAndNormalize(node, {node.input(0),
                           node.optionalInput(1),
                           parameter(2),
                           parameter(3),
                           parameter(4),
                           parameter(5),
                           parameter(6),
                           node.optionalInput(7),
                           {}});
}

void registerContribQuantize(OpTable &table) {
  table["com.microsoft:DynamicQuantizeMatMul"] = importDynamicQuantizeMatMul;
  table["com.microsoft:MatMulIntegerToFloat"] = importMatMulIntegerToFloat;
  table["com.microsoft:QGemm"] = importQGemm;
  table["com.microsoft:QAttention"] = importQAttention;
  table["com.microsoft:QEmbedLayerNormalization"] =
      importQEmbedLayerNormalization;
}

} // namespace plmc::importer
