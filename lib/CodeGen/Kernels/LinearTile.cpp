//===- LinearTile.cpp - Register tiles of matrix products -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Tiles of every height are most of a small library's code. What a tile's loop
// needs to know is K, for its trip count and for the distance of the rows of x,
// and the format of the weights. The rest comes at run time and costs nothing
// beside the loop: the distance of the rows of y, and whether there is a
// residual. So all products of one K and format share their tiles. An
// activation is a function of its own: unrolled into each tile, the polynomial
// would be most of the library's code and of the time to compile it.
//
//===----------------------------------------------------------------------===//

#include "LinearTile.h"
#include "../VectorMath.h"

using namespace mlir;
using namespace plmc;

SmallVector<Value> plmc::emitTile(KernelBuilder &b, const TileOperands &tile,
                                  ArrayRef<Value> init) {
  int64_t vectors = b.target.panelVectors;
  int64_t lanes = b.target.lanes, bytes = tile.format.bytes();
  int64_t rowBytes =
      (tile.panelWidth ? tile.panelWidth : b.target.panelWidth()) * bytes;
  int64_t unroll = 1;
  for (int64_t candidate : {4, 2})
    if (unroll == 1 && tile.constantK > 0 && tile.constantK % candidate == 0)
      unroll = candidate;

  SmallVector<Value> rows;
  for (int64_t r = 0; r < tile.rows; ++r)
    rows.push_back(b.offset(tile.a, b.mul(tile.aStride, b.c(r))));

  return b.loop(b.c(0), tile.k, unroll, init, [&](Value k, ValueRange carried) {
    SmallVector<Value> acc(carried);
    Value panel = b.at(tile.panel, k, rowBytes);
    for (int64_t u = 0; u < unroll; ++u) {
      if (tile.prefetchBytes && u * rowBytes % 64 == 0)
        for (int64_t line = 0; line < rowBytes; line += 64)
          b.prefetch(b.offset(panel, tile.prefetchBytes + u * rowBytes + line));
      SmallVector<Value> weights;
      for (int64_t v = 0; v < vectors; ++v) {
        Value at = b.offset(panel, u * rowBytes + v * lanes * bytes);
        if (!tile.format.isQuantized()) {
          weights.push_back(b.load(b.vf32, at));
          continue;
        }
        Value weight =
            b.loadVec8(at, lanes, tile.format.element == WeightFormat::U8);
        weights.push_back(tile.format.zeroPoint
                              ? b.fsub(weight, tile.zeroPoints[v])
                              : weight);
      }
      for (int64_t r = 0; r < tile.rows; ++r) {
        Value x = b.broadcast(b.load(b.f32, b.offset(b.at(rows[r], k), u * 4)));
        for (int64_t v = 0; v < vectors; ++v)
          acc[r * vectors + v] = b.fma(x, weights[v], acc[r * vectors + v]);
      }
    }
    return acc;
  });
}

Value plmc::loadColumns(KernelBuilder &b, Value vector, int64_t v,
                        int64_t valid) {
  int64_t lanes = b.target.lanes;
  int64_t here = std::clamp<int64_t>(valid - v * lanes, 0, lanes);
  return here ? b.loadVec(b.offset(vector, v * lanes * 4), here) : b.splat(0);
}

// Of 4 to 400 KB, 8 and 16 were best, by up to 10 % at 8 rows. A single row
// streams them as fast as they can be read.
int64_t plmc::prefetchDistance(const LinearSpec &spec, int64_t rows) {
  return spec.prefetch && rows > 1 ? 8 * 1024 : 0;
}

void plmc::storeTile(KernelBuilder &b, const LinearSpec &spec, int64_t rows,
                     int64_t valid, ArrayRef<Value> acc, Value residual,
                     Value y, Value rowBytes) {
  int64_t lanes = b.target.lanes;
  int64_t vectors = spec.tileColumns(b.target) / lanes;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t v = 0; v < vectors; ++v) {
      int64_t here = std::clamp<int64_t>(valid - v * lanes, 0, lanes);
      if (!here)
        continue;
      int64_t at = v * lanes * 4;
      Value value = acc[r * vectors + v];
      if (residual)
        value = b.fadd(value, b.loadVec(b.offset(residual, at), here));
      b.storeVec(value, b.offset(y, at), here);
    }
    y = b.offset(y, rowBytes);
    if (residual)
      residual = b.offset(residual, rowBytes);
  }
}

/// x W + bias of a tile, by multiply-adds in f32.
static SmallVector<Value> emitFloat(KernelBuilder &b, const LinearSpec &spec,
                                    int64_t rows, int64_t valid,
                                    func::FuncOp func) {
  bool quantized = spec.weight.isQuantized();
  int64_t vectors = b.target.panelVectors;
  Value bias = func.getArgument(2);
  // Without scales the sum starts at the bias.
  SmallVector<Value> start;
  for (int64_t v = 0; v < vectors; ++v)
    start.push_back(spec.bias && !quantized ? loadColumns(b, bias, v, valid)
                                            : b.splat(0));
  SmallVector<Value> init;
  for (int64_t r = 0; r < rows; ++r)
    llvm::append_range(init, start);

  TileOperands tile{rows,
                    func.getArgument(0),
                    b.c(spec.k * 4),
                    func.getArgument(1),
                    b.c(spec.k),
                    spec.k,
                    spec.panelWidth};
  tile.prefetchBytes = prefetchDistance(spec, rows);
  tile.format = spec.weight;
  if (spec.weight.zeroPoint)
    for (int64_t v = 0; v < vectors; ++v)
      tile.zeroPoints.push_back(loadColumns(b, func.getArgument(6), v, valid));
  SmallVector<Value> acc = emitTile(b, tile, init);
  if (quantized)
    for (int64_t v = 0; v < vectors; ++v) {
      Value scale = loadColumns(b, func.getArgument(5), v, valid);
      Value shift = spec.bias ? loadColumns(b, bias, v, valid) : Value();
      for (int64_t r = 0; r < rows; ++r) {
        Value &sum = acc[r * vectors + v];
        sum = shift ? b.fma(sum, scale, shift) : b.fmul(sum, scale);
      }
    }
  return acc;
}

/// The same by dot products below f32.
static SmallVector<Value> emitDot(KernelBuilder &b, const LinearSpec &spec,
                                  int64_t rows, int64_t valid,
                                  func::FuncOp func) {
  DotTile tile{
      *spec.dot,           rows, spec.k, spec.panelWidth, func.getArgument(0),
      func.getArgument(1), {},   {}};
  if (spec.dot->isInt()) {
    tile.scales = func.getArgument(5);
    tile.zeroPoints = func.getArgument(6);
  }
  tile.prefetchBytes = prefetchDistance(spec, rows);
  if (spec.bias)
    for (int64_t v = 0; v < spec.tileColumns(b.target) / b.target.lanes; ++v)
      tile.bias.push_back(loadColumns(b, func.getArgument(2), v, valid));
  return emitDotTile(b, tile);
}

/// What its code depends on.
static std::string tileName(const LinearSpec &spec, int64_t rows, int64_t valid,
                            int64_t width) {
  std::string name = llvm::formatv(
      "linear_{0}{1}_p{2}{3}{4}_m{5}", spec.k,
      spec.dot ? spec.dot->name() : spec.weight.name(), spec.panelWidth,
      spec.bias ? "_bias" : "", spec.prefetch ? "_far" : "", rows);
  return valid < width ? name + "_of" + std::to_string(valid) : name;
}

func::FuncOp plmc::linearTile(KernelBuilder &b, ModuleOp module,
                              const LinearSpec &spec, int64_t rows,
                              int64_t valid) {
  std::string name = tileName(spec, rows, valid, spec.tileColumns(b.target));
  if (auto known = module.lookupSymbol<func::FuncOp>(name))
    return known;
  SmallVector<Type> types(spec.hasScales() ? 7 : 5, b.ptr);
  types.push_back(b.i64);
  auto func = b.beginFunction(module, name, types);
  func.setPrivate();
  Value residual = func.getArgument(3), y = func.getArgument(4);
  Value rowBytes = func.getArguments().back();
  SmallVector<Value> acc = spec.dot ? emitDot(b, spec, rows, valid, func)
                                    : emitFloat(b, spec, rows, valid, func);
  auto store = [&](Value residual) {
    storeTile(b, spec, rows, valid, acc, residual, y, rowBytes);
  };
  b.ifThenElse(
      b.isNull(residual), [&] { store({}); }, [&] { store(residual); });
  b.endFunction();
  return func;
}

func::FuncOp plmc::buildActivateTile(KernelBuilder &b, ModuleOp module,
                                     const LinearSpec &spec, StringRef name,
                                     int64_t valid) {
  auto func = b.beginFunction(module, name, {b.ptr, b.ptr, b.i64});
  func.setPrivate();
  int64_t lanes = b.target.lanes;
  b.loop(b.c(0), func.getArgument(2), 1, [&](Value row) {
    Value y = b.at(func.getArgument(0), row, spec.n * 4);
    Value residual = b.at(func.getArgument(1), row, spec.n * 4);
    for (int64_t column = 0; column < valid; column += lanes) {
      int64_t lanesHere = std::min(lanes, valid - column);
      Value at = b.offset(y, column * 4);
      Value value =
          emitActivation(b, *spec.activation, b.loadVec(at, lanesHere));
      if (spec.residual)
        value =
            b.fadd(value, b.loadVec(b.offset(residual, column * 4), lanesHere));
      b.storeVec(value, at, lanesHere);
    }
  });
  b.endFunction();
  return func;
}
