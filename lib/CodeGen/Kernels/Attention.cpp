//===- Attention.cpp - Ragged attention over packed rows --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// One task is one head of one sequence: nq query rows, nk <= nq of which are
// keys and come first. Per task
//
//   1. K is turned into panels [nk / W][headSize][W] and V copied into panels
//      [valueSize / W][nk][W], padded with zeros, so that the register
//      tile of the matrix product serves here too. (Reading V in place would
//      hit only a few sets of the L1: rows of Q|K|V are a multiple of 512 bytes
//      apart.)
//   2. For each tile of query rows: scores into a strip [rows][nk], softmax on
//      the strip, then strip x V. Scores exist for one tile at a time, so
//      memory grows with the length, not with its square.
//
// Scores are scaled by scale * log2(e) when they are stored, and the softmax
// then uses 2^x. Division by the sum comes last, on the result. Padding columns
// of the strip get -inf, hence add 2^-126 to the sum, which is nothing; the
// product with V runs over the keys alone. No key at all, or only keys with a
// bias of -inf: the result is 0.
//
// In bf16 the panels hold words of two values, neighbours in the head of K, two
// keys of V; the query rows of a tile are copied as codes, and the softmax
// leaves codes in the strip, from its start. What is copied is rounded on the
// way.
//
//===----------------------------------------------------------------------===//

#include "AttentionTask.h"

using namespace mlir;
using namespace plmc;

std::string AttentionSpec::name() const {
  return llvm::formatv("attention_h{0}_d{1}_v{2}_{3}_{4}_{5}_{6:x}{7}{8}{9}",
                       heads, headSize, valueSize, queryStride, keyStride,
                       valueStride, llvm::bit_cast<uint32_t>(scale),
                       allKeys ? "_all" : "", bias ? "_bias" : "",
                       bf16 ? "_bf16" : "");
}

/// Rows of a strip: fewer than a full tile on wide machines, where the rows'
/// addresses would not fit the integer registers.
static int64_t stripRows(const TargetInfo &target) {
  return std::min<int64_t>(target.tileRows, 8);
}

int64_t plmc::attentionScratchBytesPerRow(int64_t headSize, int64_t valueSize) {
  // K panels, V panels (to a multiple of the widest panel), the strip. In bf16
  // they are smaller; the query rows have the room that this leaves.
  int64_t floats = headSize + llvm::alignTo(valueSize, 64) + 8;
  return llvm::alignTo(floats, 16) * 4;
}

SmallVector<Value> AttentionTask::scoreTile(int64_t tile, Value row,
                                            Value key) {
  Value panel = b.at(keyPanels, key, keyRows * 4);
  if (spec.bf16) {
    int64_t unroll = headWords % 4 == 0 ? 4 : headWords % 2 == 0 ? 2 : 1;
    return emitBF16Tile(b, {tile, queryCodes, b.c(queryCodeBytes()), panel,
                            b.c(headWords), unroll});
  }
  SmallVector<Value> zeros(tile * vectors, b.splat(0));
  return emitTile(b,
                  {tile, b.at(q, row, spec.queryStride * 4),
                   b.c(spec.queryStride * 4), panel, b.c(spec.headSize),
                   spec.headSize},
                  zeros);
}

SmallVector<Value> AttentionTask::valueTile(int64_t tile, int64_t p) {
  if (spec.bf16)
    return emitBF16Tile(
        b, {tile, strip, stripStride,
            b.offset(valuePanels, b.mul(valueWords, p * width * 4)), valueWords,
            wordsPerStep});
  SmallVector<Value> zeros(tile * vectors, b.splat(0));
  return emitTile(b,
                  {tile, strip, stripStride,
                   b.offset(valuePanels, b.mul(keys, p * width * 4)), keys, -1},
                  zeros);
}

SmallVector<Value> AttentionTask::scores(int64_t tile, Value row, bool maxima) {
  Value factor = b.splat(spec.scale * 1.44269504f);
  SmallVector<Value> start(maxima ? tile : 0, b.splat(lowestScore));
  return b.loop(
      b.c(0), paddedKeys, width, start, [&](Value key, ValueRange carried) {
        SmallVector<Value> acc = scoreTile(tile, row, key), next(carried);
        for (int64_t r = 0; r < tile; ++r)
          for (int64_t i = 0; i < vectors; ++i) {
            Value score = b.fmul(acc[r * vectors + i], factor);
            b.store(score,
                    b.offset(b.at(b.offset(strip, b.mul(stripStride, r)), key),
                             i * lanes * 4));
            if (maxima)
              next[r] = b.fmax(next[r], score);
          }
        return next;
      });
}

SmallVector<Value> AttentionTask::rowMaxima(int64_t tile) {
  SmallVector<Value> rows;
  for (int64_t r = 0; r < tile; ++r)
    rows.push_back(b.offset(strip, b.mul(stripStride, r)));
  return b.loop(
      b.c(0), paddedKeys, lanes, SmallVector<Value>(tile, b.splat(lowestScore)),
      [&](Value key, ValueRange carried) {
        SmallVector<Value> next;
        for (auto [row, most] : llvm::zip(rows, carried))
          next.push_back(b.fmax(most, b.load(b.vf32, b.at(row, key))));
        return next;
      });
}

void AttentionTask::stripOf(int64_t tile, Value row) {
  if (spec.bf16)
    encodeQueries(tile, row);
  // Where registers are left, maxima are found on the way. (What pads the keys
  // repeats one of them.)
  bool onTheWay = b.target.avx512 && !spec.bias;
  SmallVector<Value> maxima = scores(tile, row, onTheWay);
  if (spec.bias)
    b.ifThen(b.lt(b.c(0), keys), [&] {
      for (int64_t r = 0; r < tile; ++r)
        addBias(row, r);
    });
  // Padding lanes do not take part.
  b.ifThen(b.lt(keys, paddedKeys), [&] {
    b.loop(keys, paddedKeys, 1, [&](Value key) {
      for (int64_t r = 0; r < tile; ++r)
        b.store(b.f(lowestScore),
                b.at(b.offset(strip, b.mul(stripStride, r)), key));
    });
  });
  if (!onTheWay)
    maxima = rowMaxima(tile);

  SmallVector<Value> inverse;
  while (int64_t(inverse.size()) < tile) {
    int64_t first = inverse.size();
    auto [rows, function] = *llvm::find_if(
        softmax, [&](auto &one) { return one.first <= tile - first; });
    SmallVector<Value> arguments{b.offset(strip, b.mul(stripStride, first)),
                                 stripStride, paddedKeys};
    for (int64_t r = 0; r < rows; ++r)
      arguments.push_back(b.reduceMax(maxima[first + r]));
    auto call = func::CallOp::create(b, b.loc, function, arguments);
    for (int64_t r = 0; r < rows; ++r)
      inverse.push_back(b.broadcast(
          vector::ExtractOp::create(b, b.loc, call.getResult(0), r)));
  }

  int64_t panels = llvm::divideCeil(spec.valueSize, width);
  for (int64_t p = 0; p < panels; ++p) {
    SmallVector<Value> acc = valueTile(tile, p);
    for (int64_t r = 0; r < tile; ++r)
      for (int64_t i = 0; i < vectors; ++i) {
        int64_t column = p * width + i * lanes;
        int64_t valid = std::clamp<int64_t>(spec.valueSize - column, 0, lanes);
        if (!valid)
          continue;
        Value address =
            b.offset(b.at(out, b.add(row, r), spec.heads * spec.valueSize * 4),
                     column * 4);
        b.storeVec(b.fmul(acc[r * vectors + i], inverse[r]), address, valid);
      }
  }
}

void AttentionTask::strips() {
  int64_t tile = stripRows(b.target);
  Value full = b.div(rows, b.c(tile));
  b.loop(b.c(0), full, 1, [&](Value i) { stripOf(tile, b.mul(i, tile)); });
  Value row = b.mul(full, tile);
  Value rest = b.sub(rows, row);
  for (int64_t height = 1; height < tile; ++height)
    b.ifThen(b.eq(rest, b.c(height)), [&] { stripOf(height, row); });
}

func::FuncOp plmc::buildAttention(KernelBuilder &b, ModuleOp module,
                                  const AttentionSpec &spec) {
  // Four rows have their sums and maxima in 8 registers of 32, or 16.
  SmallVector<std::pair<int64_t, func::FuncOp>> softmax;
  for (int64_t rows : {4, 2, 1})
    if (rows < 4 || b.target.avx512)
      softmax.push_back({rows, buildSoftmaxRows(b, module, rows, spec.bf16)});
  SmallVector<Type> types(7, b.ptr);
  types.append({b.i64, b.i64});
  if (spec.bias)
    types.append({b.ptr, b.ptr, b.i64, b.i64, b.i64, b.i64, b.i64});
  auto func = b.beginFunction(module, spec.name(), types);
  func.setPrivate();
  Value seqStart = func.getArgument(4), seqKeys = func.getArgument(5),
        scratch = func.getArgument(6);
  int64_t width = b.target.panelWidth();

  b.loop(func.getArgument(7), func.getArgument(8), 1, [&](Value taskIndex) {
    Value sequence = b.div(taskIndex, b.c(spec.heads));
    Value head = b.rem(taskIndex, b.c(spec.heads));
    Value start = b.loadI32(seqStart, sequence);

    AttentionTask task(b, spec);
    task.softmax = softmax;
    auto headOf = [&](int64_t argument, int64_t stride, int64_t size) {
      return b.at(func.getArgument(argument),
                  b.add(b.mul(start, stride), b.mul(head, size)));
    };
    task.q = headOf(0, spec.queryStride, spec.headSize);
    task.k = headOf(1, spec.keyStride, spec.headSize);
    task.v = headOf(2, spec.valueStride, spec.valueSize);
    task.out = headOf(3, spec.heads * spec.valueSize, spec.valueSize);
    task.rows = b.sub(b.loadI32(seqStart, b.add(sequence, 1)), start);
    task.kept = b.loadI32(seqKeys, sequence);
    task.keys = spec.allKeys ? task.rows : task.kept;
    task.paddedKeys = b.mul(b.ceilDiv(task.keys, width), width);
    task.keyPanels = scratch;
    task.valuePanels = b.at(scratch, task.paddedKeys, task.keyRows * 4);
    constexpr int64_t step = AttentionTask::wordsPerStep;
    task.valueWords = b.mul(b.ceilDiv(task.keys, 2 * step), step);
    task.strip = b.at(task.valuePanels, task.paddedKeys,
                      llvm::alignTo(spec.valueSize, width) * 4);
    task.stripStride = b.mul(task.paddedKeys, 4);
    task.queryCodes =
        b.offset(task.strip, b.mul(task.stripStride, stripRows(b.target)));
    if (spec.bias) {
      task.bias =
          b.at(func.getArgument(9), b.add(b.mul(sequence, func.getArgument(12)),
                                          b.mul(head, func.getArgument(13))));
      task.rowSource = b.at(func.getArgument(10), start);
      task.firstSource = b.mul(sequence, func.getArgument(11));
      task.biasQueryStride = func.getArgument(14);
      task.biasKeyStride = func.getArgument(15);
    }
    task.packKeys();
    task.packValues();
    task.strips();
  });
  b.endFunction();
  return func;
}
