//===- Generate.cpp - Tensors made from sizes and numbers -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace llvm;
using namespace plmc::plm;

namespace plmc::importer {

static void importConstantOfShape(Node &node) {
  GraphBuilder &b = node.b;
  std::optional<Dims> shape = node.knownInput(0, "the shape");
  Tensor value = node.hasAttr("value") ? node.tensorAttr("value")
                                       : b.scalar(DType::F32, 0);
  if (shape)
    node.output(0, b.broadcastTo(b.reshape(value, {}), *shape));
}

/// A Range of constants that are no integers.
static Tensor constantRange(GraphBuilder &b, const LiteralPtr &start,
                            const LiteralPtr &limit, const LiteralPtr &delta) {
  double from = start->toHost().getDouble(0), to = limit->toHost().getDouble(0),
         step = delta->toHost().getDouble(0);
  double count = std::ceil((to - from) / step);
  if (!(count < 1 << 20))
    return b.fail(formatv("a range from {0:e} to {1:e} by {2:e} has no end, or "
                          "more than a million elements",
                          from, to, step));
  HostTensor host(start->dtype, {std::max<int64_t>(0, int64_t(count))});
  for (int64_t i = 0; i < host.numElements(); ++i)
    host.setDouble(i, from + i * step);
  return tensorFromLiteral(makeLiteral(std::move(host)));
}

static void importRange(Node &node) {
  GraphBuilder &b = node.b;
  Tensor operands[3];
  std::optional<Dims> known[3];
  bool allKnown = true, allLiteral = true;
  for (unsigned i = 0; i < 3; ++i) {
    Tensor operand = node.input(i);
    operands[i] = operand ? b.reshape(operand, {}) : operand;
    if (!operands[i])
      return;
    if (operands[i].dtype() != operands[0].dtype()) {
      b.fail("start, limit and delta have different element types");
      return;
    }
    known[i] = contentsOf(operands[i]);
    allKnown &= known[i].has_value();
    allLiteral &= operands[i].literal() != nullptr;
  }
  DType dtype = operands[0].dtype();
  if (!allKnown && allLiteral) {
    node.output(0, constantRange(b, operands[0].literal(),
                                 operands[1].literal(), operands[2].literal()));
    return;
  }
  std::optional<int64_t> delta =
      known[2] ? known[2]->front().constant() : std::nullopt;
  if (!allKnown || !delta || dtype == DType::F16 || dtype == DType::BF16) {
    b.unsupported("the range depends on the values of the inputs");
    return;
  }
  if (*delta == 0 || *delta == INT64_MIN) {
    b.fail("the range has no valid step");
    return;
  }
  DimExpr start = known[0]->front(), span = known[1]->front() - start;
  DimExpr count = span;
  if (std::optional<int64_t> length = span.constant()) {
    // ceil(length / delta), not below 0
    int64_t quotient = *length / *delta;
    if (*length % *delta != 0 && (*length > 0) == (*delta > 0))
      ++quotient;
    count = DimExpr((*length > 0) == (*delta > 0) ? quotient : 0);
  } else {
    std::optional<DimExpr> exact;
    if (isManageable(span))
      exact = span.divideExactly(DimExpr(*delta));
    if (!exact) {
      b.unsupported("cannot tell the length of a range of " + span.str() +
                    " by steps of " + Twine(*delta));
      return;
    }
    count = *exact;
    b.requireLessEqual(
        0, count, "the range (" + b.getNodeName() + ") needs a longer input");
  }
  bool isIndex = dtype == DType::I64 || dtype == DType::I32;
  Tensor range = b.iota(isIndex ? dtype : DType::I64, start, *delta, count);
  node.output(0, b.cast(range, dtype));
}

/// Row and column numbers as [N, 1] and [1, M].
static std::pair<Tensor, Tensor> coordinates(GraphBuilder &b, const DimExpr &n,
                                             const DimExpr &m) {
  return {b.reshape(b.iota(DType::I64, 0, 1, n), {n, 1}),
          b.reshape(b.iota(DType::I64, 0, 1, m), {1, m})};
}

static void importTrilu(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0), k = node.optionalInput(1);
  if (!x || x.rank() < 2) {
    b.fail("the operand has rank " + Twine(x.rank()) + ", expected 2 or more");
    return;
  }
  auto [row, column] = coordinates(b, x.dim(-2), x.dim(-1));
  Tensor diagonal = k ? b.add(row, b.reshape(b.cast(k, DType::I64), {})) : row;
  bool upper = node.intAttr("upper", 1) != 0;
  Tensor kept =
      b.binary(upper ? BinaryKind::Ge : BinaryKind::Le, column, diagonal);
  node.output(0, b.select(kept, x, b.scalar(x.dtype(), 0)));
}

static void importEyeLike(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  std::optional<DType> dtype = x.dtype();
  if (std::optional<int64_t> to = node.intAttr("dtype"))
    dtype = dtypeFromONNX(static_cast<int32_t>(*to));
  if (!x || x.rank() != 2 || !dtype) {
    b.unsupported("an identity of this type or rank");
    return;
  }
  auto [row, column] = coordinates(b, x.dim(0), x.dim(1));
  Tensor shifted =
      b.add(row, b.scalar(DType::I64, double(node.intAttr("k", 0))));
  node.output(0, b.cast(b.binary(BinaryKind::Eq, column, shifted), *dtype));
}

static void importOneHot(Node &node) {
  GraphBuilder &b = node.b;
  Tensor indices = b.cast(node.input(0), DType::I64), values = node.input(2);
  std::optional<Dims> depth = node.knownInput(1, "the depth");
  if (!indices || !values || !depth)
    return;
  if (depth->size() != 1 || values.rank() != 1 ||
      !values.dim(0).isConstant(2)) {
    b.fail("depth must be one number and values two");
    return;
  }
  int64_t axis =
      node.normalizeAxis(node.intAttr("axis", -1), indices.rank() + 1);
  // Negative indices count from the end.
  Tensor isNegative =
      b.binary(BinaryKind::Lt, indices, b.scalar(DType::I64, 0));
  indices = b.select(isNegative, b.add(indices, b.sizeScalar(depth->front())),
                     indices);
  Dims expanded(indices.dims().begin(), indices.dims().end());
  if (b.hasFailed())
    return;
  expanded.insert(expanded.begin() + axis, DimExpr(1));
  Dims classes(expanded.size(), DimExpr(1));
  classes[axis] = depth->front();
  Tensor classIds =
      b.reshape(b.iota(DType::I64, 0, 1, depth->front()), classes);
  Tensor hot = b.binary(BinaryKind::Eq, b.reshape(indices, expanded), classIds);
  auto value = [&](int64_t index) {
    return b.gather(values, b.scalar(DType::I64, double(index)), 0);
  };
  node.output(0, b.select(hot, value(1), value(0)));
}

/// Indices of what is not 0, [rank, count]: of a constant only, since count
/// is part of the shape.
static void importNonZero(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  if (!x)
    return;
  LiteralPtr literal = x.literal();
  if (!literal || literal->numElements() > (1 << 20)) {
    b.unsupported("the shape of its result depends on the values of the "
                  "inputs; export with a fixed mask, or without it");
    return;
  }
  HostTensor host = literal->toHost();
  SmallVector<int64_t> positions;
  for (int64_t i = 0; i < host.numElements(); ++i)
    if (isFloat(host.dtype) ? host.getDouble(i) != 0 : host.getInt(i) != 0)
      positions.push_back(i);
  int64_t rank = host.rank(), count = positions.size();
  HostTensor result(DType::I64, {rank, count});
  for (auto [column, position] : enumerate(positions))
    for (int64_t axis = rank, rest = position; axis-- > 0;
         rest /= host.shape[axis])
      result.setInt(axis * count + column, rest % host.shape[axis]);
  node.output(0, tensorFromLiteral(makeLiteral(std::move(result))));
}

static void importConstant(Node &node) {
  GraphBuilder &b = node.b;
  auto named = [&](HostTensor host) {
    node.output(
        0, tensorFromLiteral(makeLiteral(std::move(host), node.outputName(0))));
  };
  if (node.hasAttr("value")) {
    Tensor tensor = node.tensorAttr("value");
    if (tensor && tensor.literal()->name.empty()) {
      auto literal = std::make_shared<Literal>(*tensor.literal());
      literal->name = node.outputName(0).str();
      tensor = tensorFromLiteral(literal);
    }
    node.output(0, tensor);
  } else if (node.hasAttr("sparse_value")) {
    node.output(0, node.tensorAttr("sparse_value"));
  } else if (node.hasAttr("value_float")) {
    HostTensor host(DType::F32, {});
    host.setDouble(0, node.floatAttr("value_float", 0));
    named(std::move(host));
  } else if (node.hasAttr("value_int")) {
    HostTensor host(DType::I64, {});
    host.setInt(0, node.intAttr("value_int", 0));
    named(std::move(host));
  } else if (auto floats = node.floatsAttr("value_floats")) {
    HostTensor host(DType::F32, {int64_t(floats->size())});
    for (auto [index, value] : enumerate(*floats))
      host.setDouble(index, value);
    named(std::move(host));
  } else if (auto ints = node.intsAttr("value_ints")) {
    HostTensor host(DType::I64, {int64_t(ints->size())});
    for (auto [index, value] : enumerate(*ints))
      host.setInt(index, value);
    named(std::move(host));
  } else {
    b.unsupported("a constant that is no dense tensor of numbers");
  }
}

void registerGenerate(OpTable &table) {
  table["Constant"] = importConstant;
  table["ConstantOfShape"] = importConstantOfShape;
  table["Range"] = importRange;
  table["Trilu"] = importTrilu;
  table["EyeLike"] = importEyeLike;
  table["OneHot"] = importOneHot;
  table["NonZero"] = importNonZero;
}

} // namespace plmc::importer
