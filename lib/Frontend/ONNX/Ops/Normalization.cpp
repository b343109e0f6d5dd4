//===- Normalization.cpp - Normalisations and softmax ---------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include "NormalizationParts.h"

using namespace llvm;
using namespace plmc::plm;

namespace plmc::importer {

/// Axes [axis, rank).
static SmallVector<int64_t> axesFrom(int64_t axis, int64_t rank) {
  SmallVector<int64_t> axes;
  for (int64_t i = axis; i < rank; ++i)
    axes.push_back(i);
  return axes;
}

/// Mean and 1 / standard deviation: outputs that training wants.
static void layerNormStatistics(Node &node, const Tensor &x, int64_t axis,
                                double epsilon) {
  GraphBuilder &b = node.b;
  if (!node.usesOutput(1) && !node.usesOutput(2))
    return;
  SmallVector<int64_t> axes = axesFrom(axis, x.rank());
  Tensor mean = b.reduce(ReduceKind::Mean, x, axes, /*keepdims=*/true);
  Tensor centred = b.sub(x, mean);
  Tensor variance = b.reduce(ReduceKind::Mean, b.mul(centred, centred), axes,
                             /*keepdims=*/true);
  node.output(1, mean);
  node.output(2, b.unary(UnaryKind::Rsqrt,
                         b.add(variance, b.scalar(x.dtype(), epsilon))));
}

/// stash_type 1, the default: narrow floats are normalised in f32.
static DType computeType(Node &node, DType dtype) {
  bool isNarrow = dtype == DType::F16 || dtype == DType::BF16;
  return isNarrow && node.intAttr("stash_type", 1) == 1 ? DType::F32 : dtype;
}

Tensor layerNormalize(Node &node, const Tensor &input, const Tensor &scale,
                      const Tensor &bias, int64_t axis, double epsilon) {
  GraphBuilder &b = node.b;
  axis = node.normalizeAxis(axis, input.rank());
  if (b.hasFailed() || !input || !scale)
    return Tensor();
  DType dtype = input.dtype(), compute = computeType(node, dtype);
  Tensor x = b.cast(input, compute);
  layerNormStatistics(node, x, axis, epsilon);

  // plm normalises over one dimension: several are merged.
  ArrayRef<DimExpr> normalized = input.dims().drop_front(axis);
  DimExpr width = productOf(normalized);
  auto vector = [&](const Tensor &t) {
    return t ? b.reshape(b.broadcastTo(b.cast(t, compute), normalized), {width})
             : t;
  };
  Dims flat(input.dims().begin(), input.dims().begin() + axis);
  flat.push_back(width);
  Tensor result =
      b.layerNorm(b.reshape(x, flat), vector(scale), vector(bias), epsilon);
  return b.cast(b.reshape(result, input.dims()), dtype);
}

Tensor rmsNormalize(Node &node, const Tensor &input, const Tensor &scale,
                    int64_t axis, double epsilon) {
  GraphBuilder &b = node.b;
  axis = node.normalizeAxis(axis, input.rank());
  if (b.hasFailed() || !input || !scale)
    return Tensor();
  DType dtype = input.dtype(), compute = computeType(node, dtype);
  Tensor x = b.cast(input, compute);
  Tensor square = b.reduce(ReduceKind::Mean, b.mul(x, x),
                           axesFrom(axis, x.rank()), /*keepdims=*/true);
  Tensor factor =
      b.unary(UnaryKind::Rsqrt, b.add(square, b.scalar(compute, epsilon)));
  if (node.usesOutput(1))
    node.output(1, factor);
  // Mixed types (f32 input, f16 scale) have the scale's.
  Tensor unit = b.cast(b.mul(x, factor), scale.dtype());
  return b.mul(unit, scale);
}

static void importLayerNormalization(Node &node) {
  Tensor input = node.input(0), scale = node.input(1),
         bias = node.optionalInput(2);
  node.output(0,
              layerNormalize(node, input, scale, bias, node.intAttr("axis", -1),
                             node.floatAttr("epsilon", 1e-5f)));
}

static void importRMSNormalization(Node &node) {
  Tensor input = node.input(0), scale = node.input(1);
  node.output(0, rmsNormalize(node, input, scale, node.intAttr("axis", -1),
                              node.floatAttr("epsilon", 1e-5f)));
}

/// With running statistics: scale and shift of each channel (dimension 1).
static void importBatchNormalization(Node &node) {
  GraphBuilder &b = node.b;
  if (node.intAttr("training_mode", 0)) {
    b.unsupported("training mode; export the model for inference");
    return;
  }
  Tensor x = node.input(0);
  Dims channel(std::max<int64_t>(x.rank(), 2), DimExpr(1));
  channel[1] = x.dim(1);
  auto perChannel = [&](unsigned index) {
    return b.reshape(node.input(index), channel);
  };
  Tensor variance = b.add(
      perChannel(4), b.scalar(x.dtype(), node.floatAttr("epsilon", 1e-5f)));
  Tensor factor = b.div(perChannel(1), b.unary(UnaryKind::Sqrt, variance));
  node.output(0, b.add(b.mul(b.sub(x, perChannel(3)), factor), perChannel(2)));
}

/// Calls `compute` on the tensor and axis that a Softmax means: before opset
/// 13 everything from the axis on was one dimension.
static void withSoftmaxAxis(Node &node,
                            function_ref<Tensor(Tensor, int64_t)> compute) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  bool flattens = node.opset() < 13;
  int64_t axis =
      node.normalizeAxis(node.intAttr("axis", flattens ? 1 : -1), x.rank());
  if (!x || b.hasFailed())
    return;
  if (!flattens || axis == x.rank() - 1) {
    node.output(0, compute(x, axis));
    return;
  }
  Dims flat(x.dims().begin(), x.dims().begin() + axis);
  flat.push_back(productOf(x.dims().drop_front(axis)));
  node.output(0, b.reshape(compute(b.reshape(x, flat), axis), x.dims()));
}

static void importSoftmax(Node &node) {
  withSoftmaxAxis(
      node, [&](Tensor x, int64_t axis) { return node.b.softmax(x, axis); });
}

/// 1 at the first of the greatest elements, 0 elsewhere.
static void importHardmax(Node &node) {
  GraphBuilder &b = node.b;
  withSoftmaxAxis(node, [&](Tensor x, int64_t axis) {
    Tensor best = b.argReduce(ReduceKind::Max, x, axis, /*keepdims=*/true,
                              /*last=*/false);
    Dims along(x.rank(), DimExpr(1));
    along[axis] = x.dim(axis);
    Tensor position = b.reshape(b.iota(DType::I64, 0, 1, along[axis]), along);
    return b.cast(b.binary(BinaryKind::Eq, position, best), x.dtype());
  });
}

static void importLogSoftmax(Node &node) {
  GraphBuilder &b = node.b;
  withSoftmaxAxis(node, [&](Tensor x, int64_t axis) {
    Tensor top = b.reduce(ReduceKind::Max, x, axis, /*keepdims=*/true);
    Tensor shifted = b.sub(x, top);
    Tensor sum = b.reduce(ReduceKind::Sum, b.unary(UnaryKind::Exp, shifted),
                          axis, /*keepdims=*/true);
    return b.sub(shifted, b.unary(UnaryKind::Log, sum));
  });
}

/// x / |x|; zero stays zero.
static void importLpNormalization(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  int64_t p = node.intAttr("p", 2);
  int64_t axis = node.normalizeAxis(node.intAttr("axis", -1), x.rank());
  if (p != 1 && p != 2) {
    b.fail("p is " + Twine(p) + ", expected 1 or 2");
    return;
  }
  Tensor norm = b.reduce(p == 1 ? ReduceKind::L1 : ReduceKind::L2, x, axis,
                         /*keepdims=*/true);
  Tensor isZero = b.binary(BinaryKind::Eq, norm, b.scalar(x.dtype(), 0));
  node.output(0, b.div(x, b.select(isZero, b.scalar(x.dtype(), 1), norm)));
}

void registerNormalization(OpTable &table) {
  table["LayerNormalization"] = importLayerNormalization;
  table["RMSNormalization"] = importRMSNormalization;
  table["BatchNormalization"] = importBatchNormalization;
  table["Softmax"] = importSoftmax;
  table["Hardmax"] = importHardmax;
  table["LogSoftmax"] = importLogSoftmax;
  table["LpNormalization"] = importLpNormalization;
}

} // namespace plmc::importer
