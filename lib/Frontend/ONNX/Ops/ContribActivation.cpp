//===- ContribActivation.cpp - com.microsoft activation functions ---------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"

using namespace plmc::plm;

namespace plmc::importer {

/// x, or x plus input 1 where there is one.
static Tensor biased(Node &node) {
  Tensor x = node.input(0), bias = node.optionalInput(1);
  return bias ? node.b.add(x, bias) : x;
}

/// Gelu(X), BiasGelu(A, B), FastGelu(X, bias?)
template <ActivationKind kind> static void importBiased(Node &node) {
  node.output(0, node.b.activation(kind, biased(node)));
}

/// x * sigmoid(alpha * x)
static void importQuickGelu(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  Tensor scaled =
      b.mul(x, b.scalar(x.dtype(), node.floatAttr("alpha", 1.702f)));
  node.output(0, b.mul(x, b.activation(ActivationKind::Sigmoid, scaled)));
}

/// x + bias + residual, in inference.
static void importBiasDropout(Node &node) {
  Tensor residual = node.optionalInput(2), sum = biased(node);
  node.output(0, residual ? node.b.add(sum, residual) : sum);
}

void registerContribActivation(OpTable &table) {
  table["com.microsoft:Gelu"] = importBiased<ActivationKind::Gelu>;
  table["com.microsoft:BiasGelu"] = importBiased<ActivationKind::Gelu>;
  table["com.microsoft:FastGelu"] = importBiased<ActivationKind::GeluTanh>;
  table["com.microsoft:QuickGelu"] = importQuickGelu;
  table["com.microsoft:BiasDropout"] = importBiasDropout;
}

} // namespace plmc::importer
