//===- Positions.cpp - Relative and rotary positions ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Positions.h"
#include <cmath>
#include <limits>

using namespace plmc::importer;
using plmc::plm::BinaryKind;

namespace plmc::huggingface {

Tensor positionDifferences(ModelBuilder &b, const DimExpr &length,
                           bool keyMinusQuery) {
  GraphBuilder &graph = b.graph;
  Tensor positions = graph.iota(DType::I64, DimExpr(0), 1, length);
  Tensor query = graph.reshape(positions, {length, DimExpr(1)});
  Tensor key = graph.reshape(positions, {DimExpr(1), length});
  return keyMinusQuery ? graph.sub(key, query) : graph.sub(query, key);
}

Tensor lookupByDifference(ModelBuilder &b, const Tensor &table,
                          const Tensor &differences, int64_t limit) {
  GraphBuilder &graph = b.graph;
  auto number = [&](int64_t value) {
    return graph.scalar(DType::I64, double(value));
  };
  Tensor cut = graph.binary(BinaryKind::Min, differences, number(limit));
  cut = graph.binary(BinaryKind::Max, cut, number(-limit));
  return graph.gather(table, graph.add(cut, number(limit)), table.rank() - 1);
}

Tensor splitHeads(ModelBuilder &b, const Tensor &x, int64_t heads) {
  if (!x || b.hasFailed())
    return Tensor();
  DimExpr size(x.dim(2).constant().value_or(0) / heads);
  return b.graph.transpose(
      b.graph.reshape(x, {x.dim(0), x.dim(1), DimExpr(heads), size}),
      {0, 2, 1, 3});
}

Tensor scoresByDistance(ModelBuilder &b, const Tensor &x, const Tensor &table,
                        const Tensor &index, int64_t heads, bool ofKey) {
  if (!x || !table || !index || b.hasFailed())
    return Tensor();
  GraphBuilder &graph = b.graph;
  DimExpr batch = x.dim(0), length = x.dim(1), rows = table.dim(3);
  Tensor all = graph.matmul(splitHeads(b, x, heads), table);
  all = graph.reshape(all, {batch, DimExpr(heads), length * rows});
  Tensor start =
      graph.mul(graph.iota(DType::I64, DimExpr(0), 1, length),
                graph.scalar(DType::I64, double(rows.constant().value_or(0))));
  start = graph.reshape(start, ofKey ? Dims{DimExpr(1), length}
                                     : Dims{length, DimExpr(1)});
  return graph.gather(all, graph.add(start, index), 2);
}

Tensor windowBias(ModelBuilder &b, const DimExpr &length, int64_t reach) {
  GraphBuilder &graph = b.graph;
  Tensor distance =
      graph.unary(plm::UnaryKind::Abs, positionDifferences(b, length, false));
  Tensor near = graph.binary(BinaryKind::Le, distance,
                             graph.scalar(DType::I64, double(reach)));
  Tensor bias = graph.select(
      near, graph.scalar(DType::F32, 0),
      graph.scalar(DType::F32, -std::numeric_limits<double>::infinity()));
  return graph.reshape(bias, {DimExpr(1), DimExpr(1), length, length});
}

Rotary::Rotary(ModelBuilder &b, double theta, int64_t size, int64_t positions,
               const std::string &name)
    : b(b), size(size), positions(positions) {
  HostTensor cosine(DType::F32, {positions, size / 2});
  HostTensor sine(DType::F32, {positions, size / 2});
  for (int64_t i = 0; i < size / 2; ++i) {
    // In float where the Python model computes in float: at position 8000 a
    // rounding of the frequency is an angle that shows.
    float frequency =
        1.0f / float(std::pow(theta, double(float(2 * i) / float(size))));
    for (int64_t p = 0; p < positions; ++p) {
      float angle = float(p) * frequency;
      cosine.as<float>()[p * (size / 2) + i] = float(std::cos(double(angle)));
      sine.as<float>()[p * (size / 2) + i] = float(std::sin(double(angle)));
    }
  }
  cosines = b.table(std::move(cosine), name + ".cos");
  sines = b.table(std::move(sine), name + ".sin");
}

Tensor Rotary::rotate(const Tensor &x, int64_t heads) const {
  if (!x || b.hasFailed())
    return Tensor();
  GraphBuilder &graph = b.graph;
  DimExpr batch = x.dim(0), length = x.dim(1), half(size / 2);
  b.limitSequence(length, positions);
  auto rowsOf = [&](const Tensor &table) {
    Tensor rows =
        graph.slice(table, {DimExpr(0), DimExpr(0)}, {1, 1}, {length, half});
    return graph.reshape(rows, {DimExpr(1), length, DimExpr(1), half});
  };
  Tensor cosine = rowsOf(cosines), sine = rowsOf(sines);
  Tensor split =
      graph.reshape(x, {batch, length, DimExpr(heads), DimExpr(size)});
  auto halfOf = [&](int64_t start) {
    return graph.slice(split,
                       {DimExpr(0), DimExpr(0), DimExpr(0), DimExpr(start)},
                       {1, 1, 1, 1}, {batch, length, DimExpr(heads), half});
  };
  Tensor low = halfOf(0), high = halfOf(size / 2);
  Tensor turned =
      graph.concat({graph.sub(graph.mul(low, cosine), graph.mul(high, sine)),
                    graph.add(graph.mul(high, cosine), graph.mul(low, sine))},
                   3);
  return graph.reshape(turned, {batch, length, DimExpr(heads * size)});
}

} // namespace plmc::huggingface
