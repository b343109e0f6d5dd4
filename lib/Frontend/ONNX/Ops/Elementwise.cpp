//===- Elementwise.cpp - Arithmetic, comparison, logic, casts -------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../Diagnostics.h"
#include "../OpTable.h"

using namespace plmc::plm;

namespace plmc::importer {

template <UnaryKind kind> static void importUnary(Node &node) {
  node.output(0, node.b.unary(kind, node.input(0)));
}

template <BinaryKind kind> static void importBinary(Node &node) {
  node.output(0, node.b.binary(kind, node.input(0), node.input(1)));
}

template <BinaryKind kind> static void importVariadic(Node &node) {
  Tensor result = node.input(0);
  for (unsigned i = 1; i < node.numInputs(); ++i)
    result = node.b.binary(kind, result, node.input(i));
  node.output(0, result);
}

static void importMean(Node &node) {
  importVariadic<BinaryKind::Add>(node);
  Tensor sum = node.getOutputs()[0];
  node.output(0, node.b.div(sum, node.b.scalar(sum.dtype(), node.numInputs())));
}

/// Pow may mix types: the result has the base's.
static void importPow(Node &node) {
  Tensor base = node.input(0);
  Tensor exponent = node.b.cast(node.input(1), base.dtype());
  node.output(0, node.b.binary(BinaryKind::Pow, base, exponent));
}

static void importMod(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0), y = node.input(1);
  bool fmod = node.intAttr("fmod", 0) != 0;
  // Floats without fmod came late (opset 28, as 0 must not be written before):
  // the remainder of fmod moved to the divisor's sign.
  if (isFloat(x.dtype()) && !fmod) {
    Tensor zero = b.scalar(x.dtype(), 0);
    Tensor rest = b.binary(BinaryKind::Mod, x, y);
    auto isNegative = [&](const Tensor &t) {
      return b.binary(BinaryKind::Lt, t, zero);
    };
    Tensor differs =
        b.binary(BinaryKind::And, b.binary(BinaryKind::Ne, rest, zero),
                 b.binary(BinaryKind::Xor, isNegative(rest), isNegative(y)));
    node.output(0, b.select(differs, b.add(rest, y), rest));
    return;
  }
  // plm's integer remainder has the divisor's sign; fmod wants the dividend's.
  if (!isFloat(x.dtype()) && fmod)
    node.output(0, b.sub(x, b.mul(b.div(x, y), y)));
  else
    node.output(0, b.binary(BinaryKind::Mod, x, y));
}

static void importWhere(Node &node) {
  node.output(0, node.b.select(node.input(0), node.input(1), node.input(2)));
}

static void importClip(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  auto bound = [&](unsigned index, llvm::StringRef attr) -> Tensor {
    if (node.hasAttr(attr)) // before opset 11
      return b.scalar(x.dtype(), node.floatAttr(attr, 0));
    Tensor value = node.optionalInput(index);
    return value ? b.reshape(value, {}) : value;
  };
  if (Tensor low = bound(1, "min"))
    x = b.binary(BinaryKind::Max, x, low);
  if (Tensor high = bound(2, "max"))
    x = b.binary(BinaryKind::Min, x, high);
  node.output(0, x);
}

static void importCast(Node &node) {
  int64_t to = node.intAttr("to", 0);
  std::optional<DType> dtype = dtypeFromONNX(static_cast<int32_t>(to));
  if (!dtype) {
    node.b.unsupported("element type " +
                       onnxTypeName(static_cast<int32_t>(to)) +
                       " is not supported");
    return;
  }
  node.output(0, node.b.cast(node.input(0), *dtype));
}

static void importCastLike(Node &node) {
  Tensor like = node.input(1);
  node.output(0, node.b.cast(node.input(0), like.dtype()));
}

static void importTan(Node &node) {
  Tensor x = node.input(0);
  node.output(0, node.b.div(node.b.unary(UnaryKind::Sin, x),
                            node.b.unary(UnaryKind::Cos, x)));
}

static void importIsInf(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0), result = b.unary(UnaryKind::IsInf, x);
  Tensor zero = b.scalar(x.dtype(), 0);
  if (node.intAttr("detect_positive", 1) == 0)
    result =
        b.binary(BinaryKind::And, result, b.binary(BinaryKind::Lt, x, zero));
  if (node.intAttr("detect_negative", 1) == 0)
    result =
        b.binary(BinaryKind::And, result, b.binary(BinaryKind::Gt, x, zero));
  node.output(0, result);
}

void registerElementwise(OpTable &table) {
  table["Neg"] = importUnary<UnaryKind::Neg>;
  table["Abs"] = importUnary<UnaryKind::Abs>;
  table["Exp"] = importUnary<UnaryKind::Exp>;
  table["Log"] = importUnary<UnaryKind::Log>;
  table["Sqrt"] = importUnary<UnaryKind::Sqrt>;
  table["Reciprocal"] = importUnary<UnaryKind::Reciprocal>;
  table["Erf"] = importUnary<UnaryKind::Erf>;
  table["Floor"] = importUnary<UnaryKind::Floor>;
  table["Ceil"] = importUnary<UnaryKind::Ceil>;
  table["Sin"] = importUnary<UnaryKind::Sin>;
  table["Cos"] = importUnary<UnaryKind::Cos>;
  table["Tan"] = importTan;
  table["Sign"] = importUnary<UnaryKind::Sign>;
  table["Not"] = importUnary<UnaryKind::Not>;
  table["IsNaN"] = importUnary<UnaryKind::IsNaN>;
  table["IsInf"] = importIsInf;
  table["Round"] = importUnary<UnaryKind::Round>;

  table["Add"] = importBinary<BinaryKind::Add>;
  table["Sub"] = importBinary<BinaryKind::Sub>;
  table["Mul"] = importBinary<BinaryKind::Mul>;
  table["Div"] = importBinary<BinaryKind::Div>;
  table["Pow"] = importPow;
  table["Mod"] = importMod;
  table["And"] = importBinary<BinaryKind::And>;
  table["Or"] = importBinary<BinaryKind::Or>;
  table["Xor"] = importBinary<BinaryKind::Xor>;
  table["Equal"] = importBinary<BinaryKind::Eq>;
  table["Less"] = importBinary<BinaryKind::Lt>;
  table["LessOrEqual"] = importBinary<BinaryKind::Le>;
  table["Greater"] = importBinary<BinaryKind::Gt>;
  table["GreaterOrEqual"] = importBinary<BinaryKind::Ge>;

  table["Min"] = importVariadic<BinaryKind::Min>;
  table["Max"] = importVariadic<BinaryKind::Max>;
  table["Sum"] = importVariadic<BinaryKind::Add>;
  table["Mean"] = importMean;
  table["Where"] = importWhere;
  table["Clip"] = importClip;
  table["Cast"] = importCast;
  table["CastLike"] = importCastLike;
}

} // namespace plmc::importer
