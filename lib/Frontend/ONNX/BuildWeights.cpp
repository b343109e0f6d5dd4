//===- BuildWeights.cpp - Weights that a file stores joined ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Fused operators keep the weights of several layers side by side in one
// matrix. They are taken apart here and not by plm.slice, so that each layer
// has its parameter and is recognised like any other. What is copied is
// bounded: from one weight at most twice its size, whatever the nodes ask for.
//
//===----------------------------------------------------------------------===//

#include "GraphBuilder.h"

using namespace llvm;

namespace plmc::importer {

static LiteralPtr copyColumns(const Literal &weight, int64_t from,
                              int64_t count, StringRef suffix) {
  int64_t width = weight.shape.back();
  int64_t rows = width ? weight.numElements() / width : 0;
  int64_t size = dtypeSize(weight.dtype);
  SmallVector<int64_t, 4> shape(weight.shape);
  shape.back() = count;
  HostTensor host(weight.dtype, shape);
  for (int64_t row = 0; row < rows; ++row)
    std::copy_n(weight.bytes.data() + (row * width + from) * size, count * size,
                host.data.data() + row * count * size);
  return makeLiteral(std::move(host), weight.name.empty()
                                          ? std::string()
                                          : weight.name + "." + suffix.str());
}

Tensor GraphBuilder::columns(const Tensor &weight, int64_t from, int64_t count,
                             StringRef suffix) {
  if (!weight || hasFailed())
    return Tensor();
  std::optional<int64_t> width = weight.dim(-1).constant();
  if (weight.rank() == 0 || !width || from < 0 || count < 0 || from > *width ||
      count > *width - from)
    return fail("a weight of shape " + shapeText(weight.dims()) +
                " has no columns " + Twine(from) + " to " +
                Twine(from + count));
  if (LiteralPtr literal = weight.literal()) {
    SplitWeight &split = splitWeights[literal.get()];
    split.whole = literal;
    auto known = split.parts.find({from, count});
    if (known != split.parts.end())
      return known->second;
    split.copied += count;
    if (split.copied <= 2 * *width)
      return split.parts[{from, count}] =
                 tensorFromLiteral(copyColumns(*literal, from, count, suffix));
  }
  Dims starts(weight.rank(), DimExpr(0)),
      sizes(weight.dims().begin(), weight.dims().end());
  starts.back() = DimExpr(from);
  sizes.back() = DimExpr(count);
  return slice(weight, starts, SmallVector<int64_t>(weight.rank(), 1), sizes);
}

} // namespace plmc::importer
