//===- Tensor.cpp - What the importer knows of a value --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"
#include "DimSymbols.h"
#include <cmath>

using namespace llvm;

namespace plmc::importer {

/// Longest tensor that is followed element by element.
static constexpr int64_t maxContents = 64;

DimExpr Tensor::dim(int64_t index) const {
  if (index < 0)
    index += rank();
  return index >= 0 && index < rank() ? state->dims[index] : DimExpr(1);
}

std::optional<int64_t> Tensor::numElements() const {
  return productOf(dims()).constant();
}

std::optional<Dims> contentsOf(const Tensor &tensor) {
  if (!tensor)
    return std::nullopt;
  if (tensor.get()->contents)
    return tensor.get()->contents;
  LiteralPtr literal = tensor.literal();
  if (!literal || tensor.rank() > 1 || literal->numElements() > maxContents ||
      literal->dtype == DType::F16 || literal->dtype == DType::BF16)
    return std::nullopt;
  HostTensor host = literal->toHost();
  Dims contents;
  for (int64_t i = 0; i < host.numElements(); ++i) {
    if (isFloat(host.dtype)) {
      double value = host.getDouble(i);
      if (!(std::fabs(value) < 9e15) || value != std::floor(value))
        return std::nullopt;
      contents.push_back(DimExpr(int64_t(value)));
    } else {
      contents.push_back(DimExpr(host.getInt(i)));
    }
  }
  return contents;
}

Tensor tensorFromLiteral(LiteralPtr literal) {
  Tensor::State state;
  state.dtype = literal->dtype;
  for (int64_t size : literal->shape)
    state.dims.push_back(DimExpr(size));
  state.literal = std::move(literal);
  return Tensor(std::move(state));
}

Tensor tensorFromContents(DType dtype, Dims contents, bool scalar) {
  if (int64_t(contents.size()) > maxContents)
    return Tensor();
  bool constant = true;
  for (const DimExpr &expr : contents) {
    if (!expr.isConstant() && !isManageable(expr))
      return Tensor();
    constant &= expr.isConstant();
  }
  if (constant) {
    SmallVector<int64_t> shape;
    if (!scalar)
      shape.push_back(contents.size());
    HostTensor host(dtype, shape);
    for (size_t i = 0; i < contents.size(); ++i)
      host.setInt(i, *contents[i].constant());
    return tensorFromLiteral(makeLiteral(std::move(host)));
  }
  Tensor::State state;
  state.dtype = dtype;
  if (!scalar)
    state.dims.push_back(DimExpr(contents.size()));
  state.contents = std::move(contents);
  return Tensor(std::move(state));
}

} // namespace plmc::importer
