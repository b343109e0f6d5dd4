//===- Activation.cpp - Activation functions ------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"

using namespace plmc::plm;

namespace plmc::importer {

template <ActivationKind kind> static void importActivation(Node &node) {
  node.output(0, node.b.activation(kind, node.input(0)));
}

static void importRelu(Node &node) {
  Tensor x = node.input(0);
  node.output(
      0, isFloat(x.dtype())
             ? node.b.activation(ActivationKind::Relu, x)
             : node.b.binary(BinaryKind::Max, x, node.b.scalar(x.dtype(), 0)));
}

static void importGelu(Node &node) {
  std::string approximate = node.stringAttr("approximate", "none");
  if (approximate != "none" && approximate != "tanh") {
    node.b.fail("attribute 'approximate' must be none or tanh");
    return;
  }
  node.output(0,
              node.b.activation(approximate == "tanh" ? ActivationKind::GeluTanh
                                                      : ActivationKind::Gelu,
                                node.input(0)));
}

static void importSoftplus(Node &node) {
  node.output(0, node.b.unary(UnaryKind::Softplus, node.input(0)));
}

/// x * sigmoid(alpha * x)
static void importSwish(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  double alpha = node.floatAttr("alpha", 1);
  if (alpha == 1) {
    node.output(0, b.activation(ActivationKind::Silu, x));
    return;
  }
  Tensor scaled = b.mul(x, b.scalar(x.dtype(), alpha));
  node.output(0, b.mul(x, b.activation(ActivationKind::Sigmoid, scaled)));
}

static void importLeakyRelu(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  Tensor isNegative = b.binary(BinaryKind::Lt, x, b.scalar(x.dtype(), 0));
  Tensor scaled = b.mul(x, b.scalar(x.dtype(), node.floatAttr("alpha", 0.01)));
  node.output(0, b.select(isNegative, scaled, x));
}

/// alpha * (exp(x) - 1) below 0
static void importElu(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  Tensor one = b.scalar(x.dtype(), 1);
  Tensor below = b.mul(b.sub(b.unary(UnaryKind::Exp, x), one),
                       b.scalar(x.dtype(), node.floatAttr("alpha", 1)));
  node.output(0, b.select(b.binary(BinaryKind::Lt, x, b.scalar(x.dtype(), 0)),
                          below, x));
}

/// gamma * (x, or below 0, alpha * (exp(x) - 1))
static void importSelu(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  double alpha = node.floatAttr("alpha", 1.67326319217681884765625);
  double gamma = node.floatAttr("gamma", 1.05070102214813232421875);
  Tensor below =
      b.mul(b.sub(b.unary(UnaryKind::Exp, x), b.scalar(x.dtype(), 1)),
            b.scalar(x.dtype(), alpha));
  Tensor isNegative = b.binary(BinaryKind::Le, x, b.scalar(x.dtype(), 0));
  node.output(
      0, b.mul(b.select(isNegative, below, x), b.scalar(x.dtype(), gamma)));
}

/// x, or below 0, alpha * (exp(x / alpha) - 1)
static void importCelu(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  Tensor alpha = b.scalar(x.dtype(), node.floatAttr("alpha", 1));
  Tensor below = b.mul(
      b.sub(b.unary(UnaryKind::Exp, b.div(x, alpha)), b.scalar(x.dtype(), 1)),
      alpha);
  node.output(0, b.select(b.binary(BinaryKind::Lt, x, b.scalar(x.dtype(), 0)),
                          below, x));
}

/// x where it is over alpha, else 0
static void importThresholdedRelu(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  Tensor alpha = b.scalar(x.dtype(), node.floatAttr("alpha", 1));
  node.output(0, b.select(b.binary(BinaryKind::Gt, x, alpha), x,
                          b.scalar(x.dtype(), 0)));
}

/// slope * x below 0
static void importPRelu(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  node.output(0, b.select(b.binary(BinaryKind::Lt, x, b.scalar(x.dtype(), 0)),
                          b.mul(x, node.input(1)), x));
}

/// x * tanh(softplus(x))
static void importMish(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  node.output(0, b.mul(x, b.activation(ActivationKind::Tanh,
                                       b.unary(UnaryKind::Softplus, x))));
}

/// x / (1 + |x|)
static void importSoftsign(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  node.output(
      0, b.div(x, b.add(b.unary(UnaryKind::Abs, x), b.scalar(x.dtype(), 1))));
}

static Tensor hardSigmoid(GraphBuilder &b, const Tensor &x, double alpha,
                          double beta) {
  Tensor line =
      b.add(b.mul(x, b.scalar(x.dtype(), alpha)), b.scalar(x.dtype(), beta));
  Tensor above = b.binary(BinaryKind::Max, line, b.scalar(x.dtype(), 0));
  return b.binary(BinaryKind::Min, above, b.scalar(x.dtype(), 1));
}

static void importHardSigmoid(Node &node) {
  node.output(0,
              hardSigmoid(node.b, node.input(0), node.floatAttr("alpha", 0.2),
                          node.floatAttr("beta", 0.5)));
}

static void importHardSwish(Node &node) {
  Tensor x = node.input(0);
  node.output(0, node.b.mul(x, hardSigmoid(node.b, x, 1.0 / 6, 0.5)));
}

void registerActivation(OpTable &table) {
  table["Relu"] = importRelu;
  table["Tanh"] = importActivation<ActivationKind::Tanh>;
  table["Sigmoid"] = importActivation<ActivationKind::Sigmoid>;
  table["Gelu"] = importGelu;
  table["Softplus"] = importSoftplus;
  table["Swish"] = importSwish;
  table["LeakyRelu"] = importLeakyRelu;
  table["Elu"] = importElu;
  table["Selu"] = importSelu;
  table["Celu"] = importCelu;
  table["ThresholdedRelu"] = importThresholdedRelu;
  table["PRelu"] = importPRelu;
  table["Mish"] = importMish;
  table["Softsign"] = importSoftsign;
  table["HardSigmoid"] = importHardSigmoid;
  table["HardSwish"] = importHardSwish;
}

} // namespace plmc::importer
