//===- BuildShape.cpp - Operations that move elements ---------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphBuilder.h"
#include "IndexRange.h"
#include "ShapeArithmetic.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::importer {

/// Broadcasts are cheaper than what they would be folded to.
static constexpr int64_t maxFoldedBroadcast = 1 << 16;

static std::optional<SmallVector<int64_t>>
constantShape(ArrayRef<DimExpr> dims) {
  SmallVector<int64_t> shape;
  for (const DimExpr &dim : dims) {
    std::optional<int64_t> size = dim.constant();
    if (!size)
      return std::nullopt;
    shape.push_back(*size);
  }
  return shape;
}

/// [a, b] reshaped to [c, 1, 1, d] says that a*b is c*d. Exporters that lose
/// names (a mask given the ids' shape) mean a = c and b = d; nothing else can
/// be followed, and a run checks that the inputs agree.
bool GraphBuilder::equatePairs(ArrayRef<DimExpr> from, ArrayRef<DimExpr> to) {
  auto varying = [](ArrayRef<DimExpr> dims) {
    Dims result;
    for (const DimExpr &dim : dims)
      if (!dim.isConstant(1))
        result.push_back(dim);
    return result;
  };
  Dims a = varying(from), b = varying(to);
  if (a.size() != b.size())
    return false;
  for (auto [left, right] : llvm::zip(a, b))
    if (left != right && symbols.equateNames(left, right)) {
      restart = true;
      return true;
    }
  return false;
}

Tensor GraphBuilder::reshape(const Tensor &x, ArrayRef<DimExpr> dims) {
  if (!x || hasFailed() || x.dims() == dims)
    return x;
  if (!checkShape(x.dtype(), dims))
    return Tensor();
  DimExpr before = productOf(x.dims()), after = productOf(dims);
  if (before.hasOverflow() || after.hasOverflow())
    return fail("too many elements");
  if (before != after && equatePairs(x.dims(), dims))
    return Tensor();
  if (!requireEqual(before, after,
                    "reshaping " + shapeText(x.dims()) + " to " +
                        shapeText(dims)))
    return Tensor();
  if (LiteralPtr literal = x.literal())
    if (auto shape = constantShape(dims))
      return tensorFromLiteral(reshapeLiteral(literal, *shape));
  if (x.get()->contents && dims.size() <= 1)
    return tensorFromContents(x.dtype(), *x.get()->contents, dims.empty());
  return emit(x, x.dtype(), dims, /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return ReshapeOp::create(b, loc, type, v[0]);
              });
}

Tensor GraphBuilder::transpose(const Tensor &x, ArrayRef<int64_t> permutation) {
  if (!x || hasFailed())
    return Tensor();
  Dims dims;
  SmallVector<bool> seen(x.rank(), false);
  bool isIdentity = true;
  for (auto [index, axis] : llvm::enumerate(permutation)) {
    if (!checkAxis(axis, x.rank()))
      return Tensor();
    if (seen[axis])
      return fail("the permutation repeats axis " + Twine(axis));
    seen[axis] = true;
    isIdentity &= axis == int64_t(index);
    dims.push_back(x.dim(axis));
  }
  if (int64_t(dims.size()) != x.rank())
    return fail("the permutation has " + Twine(dims.size()) +
                " axes, the tensor " + Twine(x.rank()));
  if (isIdentity)
    return x;
  // Transposing a weight is left to code generation, which packs weights in
  // an order of its own anyway.
  return emit(x, x.dtype(), dims, /*mayFold=*/!isFloat(x.dtype()),
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return TransposeOp::create(b, loc, type, permutation, v[0]);
              });
}

Tensor GraphBuilder::broadcastTo(const Tensor &x, ArrayRef<DimExpr> target) {
  if (!x || hasFailed())
    return Tensor();
  std::optional<Dims> dims = broadcastDims(x.dims(), target);
  if (!dims)
    return Tensor();
  if (x.dims() == ArrayRef<DimExpr>(*dims))
    return x;
  if (ArrayRef<DimExpr>(*dims) != target)
    return fail("shape " + shapeText(x.dims()) + " does not broadcast to " +
                shapeText(target));
  std::optional<int64_t> count = productOf(*dims).constant();
  // Contents stay known: what was a scalar is repeated.
  if (x.get()->contents && dims->size() <= 1 && count)
    if (*count <= 64 && x.get()->contents->size() == 1)
      return tensorFromContents(
          x.dtype(), Dims(*count, x.get()->contents->front()), dims->empty());
  return emit(x, x.dtype(), *dims, count && *count <= maxFoldedBroadcast,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return BroadcastOp::create(b, loc, type, v[0]);
              });
}

Tensor GraphBuilder::concat(ArrayRef<Tensor> inputs, int64_t axis) {
  if (hasFailed())
    return Tensor();
  if (inputs.empty())
    return fail("there is nothing to concatenate");
  for (const Tensor &input : inputs)
    if (!input)
      return Tensor();
  const Tensor &first = inputs.front();
  if (!checkAxis(axis, first.rank()))
    return Tensor();
  Dims dims(first.dims().begin(), first.dims().end());
  dims[axis] = DimExpr(0);
  for (const Tensor &input : inputs) {
    if (input.dtype() != first.dtype() || input.rank() != first.rank())
      return fail("inputs of " + dtypeName(first.dtype()) +
                  shapeText(first.dims()) + " and " + dtypeName(input.dtype()) +
                  shapeText(input.dims()) + " cannot be concatenated");
    for (int64_t i = 0; i < first.rank(); ++i)
      if (i != axis &&
          !requireEqual(first.dim(i), input.dim(i),
                        "concatenating " + shapeText(first.dims()) + " and " +
                            shapeText(input.dims())))
        return Tensor();
    dims[axis] = dims[axis] + input.dim(axis);
  }
  if (inputs.size() == 1)
    return first;
  bool allLiteral = llvm::all_of(
      inputs, [](const Tensor &input) { return bool(input.literal()); });
  if (first.rank() == 1 && !allLiteral) {
    Dims joined;
    bool known = true;
    for (const Tensor &input : inputs) {
      std::optional<Dims> contents = contentsOf(input);
      known &= contents.has_value();
      if (contents)
        joined.append(*contents);
    }
    if (known)
      if (Tensor result = tensorFromContents(first.dtype(), joined,
                                             /*scalar=*/false))
        return result;
  }
  // Code generation takes memory that is quadratic in the operands of one
  // operation: thousands become a tree.
  constexpr size_t maxOperands = 32;
  if (inputs.size() > maxOperands && !allLiteral) {
    SmallVector<Tensor> groups;
    for (size_t i = 0; i < inputs.size(); i += maxOperands)
      groups.push_back(concat(
          inputs.slice(i, std::min(maxOperands, inputs.size() - i)), axis));
    return concat(groups, axis);
  }
  return emit(inputs, first.dtype(), dims, /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return ConcatOp::create(b, loc, type, axis, v);
              });
}

Tensor GraphBuilder::slice(const Tensor &x, ArrayRef<DimExpr> starts,
                           ArrayRef<int64_t> steps, ArrayRef<DimExpr> sizes) {
  if (!x || hasFailed())
    return Tensor();
  bool isWhole = x.dims() == sizes;
  for (auto [start, step] : llvm::zip(starts, steps))
    isWhole &= start.isConstant(0) && step == 1;
  if (isWhole)
    return x;
  if (x.rank() == 1 && x.get()->contents && starts[0].isConstant() &&
      sizes[0].isConstant()) {
    const Dims &contents = *x.get()->contents;
    Dims window;
    int64_t position = *starts[0].constant();
    for (int64_t i = 0; i < *sizes[0].constant(); ++i, position += steps[0]) {
      if (position < 0 || position >= int64_t(contents.size()))
        return fail("the slice leaves a tensor of " + Twine(contents.size()) +
                    " elements");
      window.push_back(contents[position]);
    }
    if (Tensor result = tensorFromContents(x.dtype(), window, /*scalar=*/false))
      return result;
  }
  SmallVector<std::string> texts;
  for (const DimExpr &start : starts)
    texts.push_back(start.str());
  return emit(x, x.dtype(), sizes, /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                SmallVector<StringRef> refs(texts.begin(), texts.end());
                return SliceOp::create(b, loc, type, b.getStrArrayAttr(refs),
                                       b.getDenseI64ArrayAttr(steps), v[0]);
              });
}

/// Exporters read a mask by computed positions: mask.flatten()[b * sequence +
/// s] for b < batch. If the mask has a batch dimension of another name, the
/// graph only demands that this is not the smaller one. Nobody means more: a
/// mask for sentences that are not there is a mistake. So positions that begin
/// at 0 and are counted by one dimension are taken to run through all of the
/// other; then the two names are one, the mask is recognised, and a run whose
/// inputs disagree is refused. Sizes that are fixed (position tables) are never
/// concluded from this.
void GraphBuilder::assumeAllRead(const Tensor &indices, const DimExpr &extent) {
  if (hasFailed() || extent.isConstant() || !indices || !indices.get()->value)
    return;
  std::optional<IndexRange> range = indexRange(indices.get()->value);
  if (range && range->low.isConstant(0) &&
      symbols.equateNames(range->high + DimExpr(1), extent))
    restart = true;
}

Tensor GraphBuilder::gather(const Tensor &data, const Tensor &indices,
                            int64_t axis) {
  if (!data || !indices || !checkAxis(axis, data.rank()))
    return Tensor();
  std::optional<Dims> positions = contentsOf(indices);
  if (!checkConstantIndices(indices, data.dim(axis)))
    return Tensor();
  if (data.rank() == 1 && data.get()->contents && positions) {
    const Dims &contents = *data.get()->contents;
    Dims taken;
    int64_t size = contents.size();
    for (const DimExpr &position : *positions) {
      std::optional<int64_t> index = position.constant();
      if (index && *index >= -size && *index < size)
        taken.push_back(contents[*index < 0 ? *index + size : *index]);
    }
    if (taken.size() == positions->size())
      if (Tensor result =
              tensorFromContents(data.dtype(), taken, indices.rank() == 0))
        return result;
  }
  Dims dims(data.dims().begin(), data.dims().begin() + axis);
  dims.append(indices.dims().begin(), indices.dims().end());
  dims.append(data.dims().begin() + axis + 1, data.dims().end());
  assumeAllRead(indices, data.dim(axis));
  return emit({data, indices}, data.dtype(), dims, /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange v) -> Operation * {
                return GatherOp::create(b, loc, type, axis, v[0], v[1]);
              });
}

} // namespace plmc::importer
