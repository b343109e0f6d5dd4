//===- AttentionParts.cpp - What attention operators share ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionParts.h"
#include <limits>

using namespace llvm;
using namespace plmc::plm;

namespace plmc::importer {

Tensor splitHeads(GraphBuilder &b, const Tensor &x, int64_t heads) {
  if (!x || b.hasFailed())
    return Tensor();
  std::optional<int64_t> width = x.dim(2).constant();
  if (x.rank() != 3 || heads < 1 || !width || *width % heads)
    return b.fail("a tensor of shape " + shapeText(x.dims()) +
                  " has no width that is a multiple of " + Twine(heads) +
                  " heads");
  Tensor split = b.reshape(x, {x.dim(0), x.dim(1), heads, *width / heads});
  return b.transpose(split, {0, 2, 1, 3});
}

Tensor mergeHeads(GraphBuilder &b, const Tensor &x) {
  Tensor moved = b.transpose(x, {0, 2, 1, 3});
  return b.reshape(moved,
                   {moved.dim(0), moved.dim(1), moved.dim(2) * moved.dim(3)});
}

Tensor repeatHeads(GraphBuilder &b, const Tensor &x, int64_t times) {
  if (times == 1 || x.rank() != 4)
    return x;
  Tensor grouped = b.reshape(x, {x.dim(0), x.dim(1), 1, x.dim(2), x.dim(3)});
  Tensor repeated =
      b.broadcastTo(grouped, {x.dim(0), x.dim(1), times, x.dim(2), x.dim(3)});
  return b.reshape(repeated,
                   {x.dim(0), x.dim(1) * DimExpr(times), x.dim(2), x.dim(3)});
}

Tensor minusInfinity(GraphBuilder &b, DType dtype) {
  return b.scalar(dtype, -std::numeric_limits<double>::infinity());
}

Tensor keepToBias(GraphBuilder &b, const Tensor &keep, const Tensor &off) {
  return b.select(keep, b.scalar(off.dtype(), 0), off);
}

Tensor windowMask(GraphBuilder &b, const DimExpr &queries, const DimExpr &keys,
                  int64_t left, int64_t right, const Tensor &offset) {
  Tensor row = b.reshape(b.iota(DType::I64, 0, 1, queries), {queries, 1});
  Tensor column = b.reshape(b.iota(DType::I64, 0, 1, keys), {1, keys});
  if (offset) {
    Tensor shift = b.cast(offset, DType::I64);
    if (offset.rank() == 1)
      shift = b.reshape(shift, {offset.dim(0), 1, 1, 1});
    row = b.add(row, shift);
  }
  auto shifted = [&](int64_t by) {
    return by ? b.add(row, b.scalar(DType::I64, double(by))) : row;
  };
  Tensor mask;
  if (right >= 0)
    mask = b.binary(BinaryKind::Le, column, shifted(right));
  if (left >= 0) {
    Tensor lower = b.binary(BinaryKind::Ge, column, shifted(-left));
    mask = mask ? b.binary(BinaryKind::And, mask, lower) : lower;
  }
  return mask;
}

Tensor lengthMask(GraphBuilder &b, const Tensor &lengths, const DimExpr &keys) {
  Tensor column = b.reshape(b.iota(DType::I64, 0, 1, keys), {1, 1, 1, keys});
  Tensor end =
      b.reshape(b.cast(lengths, DType::I64), {lengths.dim(0), 1, 1, 1});
  return b.binary(BinaryKind::Lt, column, end);
}

/// Elements [from, from + count) of the last dimension.
static Tensor part(GraphBuilder &b, const Tensor &x, int64_t from,
                   int64_t count, int64_t step = 1) {
  Dims starts(x.rank(), DimExpr(0)), sizes(x.dims().begin(), x.dims().end());
  SmallVector<int64_t> steps(x.rank(), 1);
  starts.back() = DimExpr(from);
  sizes.back() = DimExpr(count);
  steps.back() = step;
  return b.slice(x, starts, steps, sizes);
}

Tensor rotate(GraphBuilder &b, const Tensor &x, Tensor cos, Tensor sin,
              bool interleaved) {
  if (!x || !cos || !sin || b.hasFailed())
    return Tensor();
  std::optional<int64_t> size = x.dim(3).constant(),
                         half = cos.dim(-1).constant();
  if (x.rank() != 4 || cos.rank() != 3 || sin.rank() != 3 || !size || !half ||
      *half < 1 || *half > *size / 2)
    return b.fail("angles of shape " + shapeText(cos.dims()) +
                  " do not rotate heads of shape " + shapeText(x.dims()));
  auto perHead = [&](const Tensor &t) {
    return b.reshape(t, {t.dim(0), 1, t.dim(1), t.dim(2)});
  };
  cos = perHead(cos);
  sin = perHead(sin);
  int64_t width = *half * 2;
  Tensor first = interleaved ? part(b, x, 0, *half, 2) : part(b, x, 0, *half);
  Tensor second =
      interleaved ? part(b, x, 1, *half, 2) : part(b, x, *half, *half);
  Tensor real = b.sub(b.mul(first, cos), b.mul(second, sin));
  Tensor imaginary = b.add(b.mul(first, sin), b.mul(second, cos));
  Tensor rotated;
  if (interleaved) {
    Dims pairs(x.dims().begin(), x.dims().end() - 1), flat = pairs;
    pairs.append({DimExpr(*half), DimExpr(1)});
    flat.push_back(DimExpr(width));
    rotated = b.reshape(
        b.concat({b.reshape(real, pairs), b.reshape(imaginary, pairs)}, 4),
        flat);
  } else {
    rotated = b.concat({real, imaginary}, 3);
  }
  if (width == *size)
    return rotated;
  return b.concat({rotated, part(b, x, width, *size - width)}, 3);
}

} // namespace plmc::importer
