//===- ContribMatMul.cpp - com.microsoft matrix products ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Diagnostics.h"
#include "../OpTable.h"
#include "MatMulParts.h"

using namespace llvm;
using namespace plmc::plm;

namespace plmc::importer {

/// transBatch moves the first dimension to before the last, so that what was
/// [M, batch..., K] is [batch..., M, K]; trans swaps the last two.
static Tensor arrange(Node &node, const Tensor &x, bool transBatch,
                      bool trans) {
  int64_t rank = x.rank();
  if (rank < 2) // a vector stays one
    return x;
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < rank; ++i)
    order.push_back(i);
  if (transBatch && rank > 2)
    std::rotate(order.begin(), order.begin() + 1, order.end() - 1);
  if (trans)
    std::swap(order[rank - 2], order[rank - 1]);
  return node.b.transpose(x, order);
}

/// alpha * A' B'
static void importFusedMatMul(Node &node) {
  GraphBuilder &b = node.b;
  Tensor lhs = node.input(0), rhs = node.input(1);
  lhs = arrange(node, lhs, node.intAttr("transBatchA", 0) != 0,
                node.intAttr("transA", 0) != 0);
  rhs = arrange(node, rhs, node.intAttr("transBatchB", 0) != 0,
                node.intAttr("transB", 0) != 0);
  Tensor result = matrixProduct(b, lhs, rhs);
  double alpha = node.floatAttr("alpha", 1);
  if (alpha != 1)
    result = b.mul(result, b.scalar(result.dtype(), alpha));
  node.output(0, result);
}

static Tensor activate(Node &node, const Tensor &x) {
  GraphBuilder &b = node.b;
  std::string name = node.stringAttr("activation", "");
  if (name.empty())
    return x;
  if (name == "Relu")
    return b.activation(ActivationKind::Relu, x);
  if (name == "Tanh")
    return b.activation(ActivationKind::Tanh, x);
  if (name == "Sigmoid")
    return b.activation(ActivationKind::Sigmoid, x);
  if (name == "LeakyRelu") {
    Tensor slope =
        b.scalar(x.dtype(), node.floatAttr("activation_alpha", 0.01f));
    Tensor isNegative = b.binary(BinaryKind::Lt, x, b.scalar(x.dtype(), 0));
    return b.select(isNegative, b.mul(x, slope), x);
  }
  return b.unsupported("the activation '" + printable(name) + "'");
}

static void importFusedGemm(Node &node) {
  node.output(0, activate(node, gemm(node)));
}

/// FastGelu(X W + bias)
static void importGemmFastGelu(Node &node) {
  GraphBuilder &b = node.b;
  Tensor product = matrixProduct(b, node.input(0), node.input(1));
  if (Tensor bias = node.optionalInput(2))
    product = b.add(product, bias);
  node.output(0, b.activation(ActivationKind::GeluTanh, product));
}

void registerContribMatMul(OpTable &table) {
  table["com.microsoft:FusedMatMul"] = importFusedMatMul;
  table["com.microsoft:TransposeMatMul"] = importFusedMatMul;
  table["com.microsoft:FusedGemm"] = importFusedGemm;
  table["com.microsoft:GemmFastGelu"] = importGemmFastGelu;
}

} // namespace plmc::importer
