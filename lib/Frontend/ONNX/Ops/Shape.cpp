//===- Shape.cpp - Shapes, and operations that only change them -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"

namespace plmc::importer {

static void importShape(Node &node) {
  Tensor x = node.input(0);
  int64_t rank = x.rank();
  auto clamp = [&](int64_t position) {
    if (position < 0)
      position += rank;
    return std::min(std::max<int64_t>(position, 0), rank);
  };
  int64_t start = clamp(node.intAttr("start", 0));
  int64_t end = clamp(node.intAttr("end", rank));
  llvm::ArrayRef<DimExpr> dims = x.dims();
  if (!x)
    return;
  node.output(0, node.b.shapeOf(end > start ? dims.slice(start, end - start)
                                            : llvm::ArrayRef<DimExpr>()));
}

static void importSize(Node &node) {
  if (Tensor x = node.input(0))
    node.output(0, node.b.sizeScalar(productOf(x.dims())));
}

/// 0 copies the input's dimension, -1 is what is left over.
static void importReshape(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  std::optional<Dims> shape = node.knownInput(1, "the shape");
  if (!x || !shape)
    return;
  bool zeroCopies = node.intAttr("allowzero", 0) == 0;
  std::optional<size_t> inferred;
  DimExpr others(1);
  Dims dims;
  for (auto [index, size] : llvm::enumerate(*shape)) {
    dims.push_back(size);
    if (size.isConstant(-1)) {
      if (inferred) {
        b.fail("the shape has more than one -1");
        return;
      }
      inferred = index;
      continue;
    }
    if (size.isConstant(0) && zeroCopies) {
      if (int64_t(index) >= x.rank()) {
        b.fail("the shape copies dimension " + llvm::Twine(index) +
               " of a tensor of rank " + llvm::Twine(x.rank()));
        return;
      }
      dims.back() = x.dim(index);
    }
    others = others * dims.back();
  }
  if (inferred) {
    DimExpr total = productOf(x.dims());
    std::optional<DimExpr> rest;
    if (isManageable(total) && isManageable(others))
      rest = total.divideExactly(others);
    if (!rest) {
      if (total.isConstant() && others.isConstant())
        b.fail("shape " + shapeText(x.dims()) + " cannot become " +
               shapeText(*shape));
      else
        b.unsupported("cannot tell the size of -1 in reshaping " +
                      shapeText(x.dims()) + " to " + shapeText(*shape) +
                      "; export with fixed or fewer dynamic dimensions");
      return;
    }
    dims[*inferred] = *rest;
  }
  node.output(0, b.reshape(x, dims));
}

static void importFlatten(Node &node) {
  Tensor x = node.input(0);
  int64_t axis = node.intAttr("axis", 1);
  if (axis != x.rank()) // one past the end is allowed
    axis = node.normalizeAxis(axis, x.rank());
  if (node.b.hasFailed() || !x)
    return;
  node.output(0, node.b.reshape(x, {productOf(x.dims().take_front(axis)),
                                    productOf(x.dims().drop_front(axis))}));
}

static void importSqueeze(Node &node) {
  Tensor x = node.input(0);
  std::optional<llvm::SmallVector<int64_t>> axes = node.axes("axes", 1);
  if (!x || (axes && !node.normalizeAxes(*axes, x.rank())))
    return;
  Dims dims;
  for (int64_t i = 0; i < x.rank(); ++i) {
    bool named = axes ? llvm::is_contained(*axes, i) : x.dim(i).isConstant(1);
    if (named && !node.b.requireEqual(x.dim(i), 1, "the squeezed dimension"))
      return;
    if (!named)
      dims.push_back(x.dim(i));
  }
  node.output(0, node.b.reshape(x, dims));
}

static void importUnsqueeze(Node &node) {
  Tensor x = node.input(0);
  std::optional<llvm::SmallVector<int64_t>> axes = node.axes("axes", 1);
  if (!x || !axes) {
    node.b.fail("the axes are missing");
    return;
  }
  int64_t rank = x.rank() + axes->size();
  if (!node.normalizeAxes(*axes, rank))
    return;
  Dims dims;
  int64_t next = 0;
  for (int64_t i = 0; i < rank; ++i)
    dims.push_back(llvm::is_contained(*axes, i) ? DimExpr(1) : x.dim(next++));
  node.output(0, node.b.reshape(x, dims));
}

static void importTranspose(Node &node) {
  Tensor x = node.input(0);
  llvm::SmallVector<int64_t> permutation;
  if (auto perm = node.intsAttr("perm"))
    permutation = *perm;
  else
    for (int64_t i = x.rank(); i-- > 0;)
      permutation.push_back(i);
  node.output(0, node.b.transpose(x, permutation));
}

static void importExpand(Node &node) {
  Tensor x = node.input(0);
  std::optional<Dims> shape = node.knownInput(1, "the shape");
  if (!x || !shape)
    return;
  // A 1 in the shape keeps the input's dimension: broadcasting both ways.
  if (std::optional<Dims> dims = node.b.broadcastDims(x.dims(), *shape))
    node.output(0, node.b.broadcastTo(x, *dims));
}

/// [.., d, ..] -> [.., 1, d, ..] -> [.., r, d, ..] -> [.., r*d, ..]
static void importTile(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  std::optional<Dims> repeats = node.knownInput(1, "the repeats");
  if (!x || !repeats)
    return;
  if (int64_t(repeats->size()) != x.rank()) {
    b.fail("there are " + llvm::Twine(repeats->size()) +
           " repeats for a tensor of rank " + llvm::Twine(x.rank()));
    return;
  }
  Dims separated, repeated, result;
  for (auto [dim, repeat] : llvm::zip(x.dims(), *repeats)) {
    if (!repeat.isConstant(1)) {
      separated.push_back(DimExpr(1));
      repeated.push_back(repeat);
    }
    separated.push_back(dim);
    repeated.push_back(dim);
    result.push_back(dim * repeat);
  }
  node.output(
      0, b.reshape(b.broadcastTo(b.reshape(x, separated), repeated), result));
}

static void importConcat(Node &node) {
  llvm::SmallVector<Tensor> inputs;
  for (unsigned i = 0; i < node.numInputs(); ++i)
    inputs.push_back(node.input(i));
  if (node.b.hasFailed() || inputs.empty()) {
    node.b.fail("it has no inputs");
    return;
  }
  int64_t axis =
      node.normalizeAxis(node.intAttr("axis", 0), inputs.front().rank());
  node.output(0, node.b.concat(inputs, axis));
}

void registerShape(OpTable &table) {
  table["Shape"] = importShape;
  table["Size"] = importSize;
  table["Reshape"] = importReshape;
  table["Flatten"] = importFlatten;
  table["Squeeze"] = importSqueeze;
  table["Unsqueeze"] = importUnsqueeze;
  table["Transpose"] = importTranspose;
  table["Expand"] = importExpand;
  table["Tile"] = importTile;
  table["Concat"] = importConcat;
}

} // namespace plmc::importer
