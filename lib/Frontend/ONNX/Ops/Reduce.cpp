//===- Reduce.cpp - Reductions and running sums ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"

using namespace plmc::plm;

namespace plmc::importer {

namespace {
struct Reduction {
  Tensor x;
  llvm::SmallVector<int64_t> axes;
  bool keepdims = true;
};
} // namespace

/// Axes are an attribute (up to opset 12 of ReduceSum, 17 of the others) or
/// an input; none means all, or with noop_with_empty_axes, none.
static std::optional<Reduction> readReduction(Node &node) {
  Reduction reduction;
  reduction.x = node.input(0);
  reduction.keepdims = node.intAttr("keepdims", 1) != 0;
  std::optional<llvm::SmallVector<int64_t>> axes = node.axes("axes", 1);
  bool noop = node.intAttr("noop_with_empty_axes", 0) != 0;
  if (!reduction.x || node.b.hasFailed())
    return std::nullopt;
  if (axes && !axes->empty()) {
    if (!node.normalizeAxes(*axes, reduction.x.rank()))
      return std::nullopt;
    reduction.axes = *axes;
  } else if (!noop) {
    for (int64_t i = 0; i < reduction.x.rank(); ++i)
      reduction.axes.push_back(i);
  }
  return reduction;
}

template <ReduceKind kind> static void importReduce(Node &node) {
  std::optional<Reduction> r = readReduction(node);
  if (!r)
    return;
  GraphBuilder &b = node.b;
  if (r->x.dtype() != DType::Bool) {
    node.output(0, b.reduce(kind, r->x, r->axes, r->keepdims));
    return;
  }
  // Maximum and minimum of truth values (opset 20): any and all. Nothing at
  // all gives the least or greatest integer, hence the comparison.
  Tensor numbers = b.cast(r->x, DType::I32);
  node.output(0, b.binary(BinaryKind::Gt,
                          b.reduce(kind, numbers, r->axes, r->keepdims),
                          b.scalar(DType::I32, 0)));
}

static void importReduceLogSum(Node &node) {
  if (std::optional<Reduction> r = readReduction(node))
    node.output(
        0, node.b.unary(UnaryKind::Log, node.b.reduce(ReduceKind::Sum, r->x,
                                                      r->axes, r->keepdims)));
}

static void importReduceLogSumExp(Node &node) {
  std::optional<Reduction> r = readReduction(node);
  if (!r)
    return;
  // log(sum(exp(x - max))) + max does not overflow.
  GraphBuilder &b = node.b;
  Tensor top = b.reduce(ReduceKind::Max, r->x, r->axes, /*keepdims=*/true);
  Tensor powers = b.unary(UnaryKind::Exp, b.sub(r->x, top));
  Tensor logs = b.unary(UnaryKind::Log, b.reduce(ReduceKind::Sum, powers,
                                                 r->axes, /*keepdims=*/true));
  Tensor result = b.add(logs, top);
  // Only drops the reduced dimensions of size 1.
  Dims dims;
  for (int64_t i = 0; i < r->x.rank(); ++i) {
    if (!llvm::is_contained(r->axes, i))
      dims.push_back(r->x.dim(i));
    else if (r->keepdims)
      dims.push_back(DimExpr(1));
  }
  node.output(0, b.reshape(result, dims));
}

static void importCumSum(Node &node) {
  Tensor x = node.input(0);
  std::optional<llvm::SmallVector<int64_t>> axis =
      node.constantInput(1, "the axis");
  if (!x || !axis)
    return;
  if (axis->size() != 1) {
    node.b.fail("the axis must be one number");
    return;
  }
  node.output(0, node.b.cumsum(x, node.normalizeAxis(axis->front(), x.rank()),
                               node.intAttr("exclusive", 0) != 0,
                               node.intAttr("reverse", 0) != 0));
}

template <ReduceKind kind> static void importArg(Node &node) {
  Tensor x = node.input(0);
  int64_t axis = node.normalizeAxis(node.intAttr("axis", 0), x.rank());
  node.output(0,
              node.b.argReduce(kind, x, axis, node.intAttr("keepdims", 1) != 0,
                               node.intAttr("select_last_index", 0) != 0));
}

/// Over all dimensions but the first two. tf2onnx writes the mean over the last
/// of three dimensions so.
template <ReduceKind kind> static void importGlobalPool(Node &node) {
  Tensor x = node.input(0);
  if (!x)
    return;
  if (x.rank() < 3) {
    node.b.fail("the input has rank " + llvm::Twine(x.rank()) +
                ", expected 3 or more");
    return;
  }
  llvm::SmallVector<int64_t> axes;
  for (int64_t axis = 2; axis < x.rank(); ++axis)
    axes.push_back(axis);
  node.output(0, node.b.reduce(kind, x, axes, /*keepdims=*/true));
}

void registerReduce(OpTable &table) {
  table["ReduceSum"] = importReduce<ReduceKind::Sum>;
  table["ReduceMean"] = importReduce<ReduceKind::Mean>;
  table["ReduceMax"] = importReduce<ReduceKind::Max>;
  table["ReduceMin"] = importReduce<ReduceKind::Min>;
  table["ReduceProd"] = importReduce<ReduceKind::Prod>;
  table["ReduceL1"] = importReduce<ReduceKind::L1>;
  table["ReduceL2"] = importReduce<ReduceKind::L2>;
  table["ReduceSumSquare"] = importReduce<ReduceKind::SumSquare>;
  table["ReduceLogSum"] = importReduceLogSum;
  table["ReduceLogSumExp"] = importReduceLogSumExp;
  table["ArgMax"] = importArg<ReduceKind::Max>;
  table["ArgMin"] = importArg<ReduceKind::Min>;
  table["CumSum"] = importCumSum;
  table["GlobalAveragePool"] = importGlobalPool<ReduceKind::Mean>;
  table["GlobalMaxPool"] = importGlobalPool<ReduceKind::Max>;
}

} // namespace plmc::importer
