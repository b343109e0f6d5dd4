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
// product with V runs over the keys alone. No key at all: the sum is 0 and so
// is the result.
//
//===----------------------------------------------------------------------===//

#include "../VectorMath.h"
#include "Kernels.h"
#include <limits>

using namespace mlir;
using namespace plmc;

std::string AttentionSpec::name() const {
  return llvm::formatv("attention_h{0}_d{1}_v{2}_{3}_{4}_{5}_{6:x}", heads,
                       headSize, valueSize, queryStride, keyStride, valueStride,
                       llvm::bit_cast<uint32_t>(scale));
}

/// Rows of a strip: fewer than a full tile on wide machines, where the rows'
/// addresses would not fit the integer registers.
static int64_t stripRows(const TargetInfo &target) {
  return std::min<int64_t>(target.tileRows, 8);
}

int64_t plmc::attentionScratchBytesPerRow(int64_t headSize, int64_t valueSize) {
  // K panels, V panels (to a multiple of the widest panel), the strip.
  int64_t floats = headSize + llvm::alignTo(valueSize, 64) + 8;
  return llvm::alignTo(floats, 16) * 4;
}

namespace {

/// Emits the parts of one task; members are the task's values.
class AttentionTask {
public:
  AttentionTask(KernelBuilder &b, const AttentionSpec &spec)
      : b(b), spec(spec), width(b.target.panelWidth()), lanes(b.target.lanes),
        vectors(b.target.panelVectors) {}

  KernelBuilder &b;
  const AttentionSpec &spec;
  int64_t width, lanes, vectors;
  Value q, k, v, out;           // at the sequence's first row and the head
  Value rows, keys, paddedKeys; // paddedKeys: to a multiple of the panel
  Value keyPanels, valuePanels, strip;
  Value stripStride; // bytes
  func::FuncOp softmax;

  void packKeys();
  void packValues();
  void strips();

private:
  /// `tile` query rows from `row` on, through scores, softmax and values.
  void stripOf(int64_t tile, Value row);
};

void AttentionTask::packKeys() {
  // Zero what the padding lanes of the last panel will read.
  b.ifThen(b.lt(keys, paddedKeys), [&] {
    Value panel =
        b.at(keyPanels, b.sub(paddedKeys, b.c(width)), spec.headSize * 4);
    b.loop(b.c(0), b.c(spec.headSize * width), lanes,
           [&](Value i) { b.store(b.splat(0), b.at(panel, i)); });
  });
  b.loop(b.c(0), keys, 1, [&](Value key) {
    Value source = b.at(k, key, spec.keyStride * 4);
    Value lane = b.rem(key, b.c(width));
    Value target =
        b.at(b.at(keyPanels, b.sub(key, lane), spec.headSize * 4), lane);
    b.loop(b.c(0), b.c(spec.headSize), 1, [&](Value d) {
      b.store(b.load(b.f32, b.at(source, d)), b.at(target, d, width * 4));
    });
  });
}

void AttentionTask::packValues() {
  int64_t panels = llvm::divideCeil(spec.valueSize, width);
  b.loop(b.c(0), keys, 1, [&](Value key) {
    Value source = b.at(v, key, spec.valueStride * 4);
    for (int64_t p = 0; p < panels; ++p) {
      Value panel = b.offset(b.at(valuePanels, key, width * 4),
                             b.mul(keys, p * width * 4));
      for (int64_t i = 0; i < vectors; ++i) {
        int64_t column = p * width + i * lanes;
        int64_t valid = std::clamp<int64_t>(spec.valueSize - column, 0, lanes);
        Value value =
            valid ? b.loadVec(b.offset(source, column * 4), valid) : b.splat(0);
        b.store(value, b.offset(panel, i * lanes * 4));
      }
    }
  });
}

void AttentionTask::stripOf(int64_t tile, Value row) {
  // Scores, panel by panel of keys.
  Value query = b.at(q, row, spec.queryStride * 4);
  Value factor = b.splat(spec.scale * 1.44269504f);
  SmallVector<Value> zeros(tile * vectors, b.splat(0));
  b.loop(b.c(0), paddedKeys, width, [&](Value key) {
    TileOperands operands{tile,
                          query,
                          b.c(spec.queryStride * 4),
                          b.at(keyPanels, key, spec.headSize * 4),
                          b.c(spec.headSize),
                          spec.headSize};
    SmallVector<Value> acc = emitTile(b, operands, zeros);
    for (int64_t r = 0; r < tile; ++r)
      for (int64_t i = 0; i < vectors; ++i)
        b.store(b.fmul(acc[r * vectors + i], factor),
                b.offset(b.at(b.offset(strip, b.mul(stripStride, r)), key),
                         i * lanes * 4));
  });
  // Padding lanes do not take part.
  b.ifThen(b.lt(keys, paddedKeys), [&] {
    b.loop(keys, paddedKeys, 1, [&](Value key) {
      for (int64_t r = 0; r < tile; ++r)
        b.store(b.f(-std::numeric_limits<float>::infinity()),
                b.at(b.offset(strip, b.mul(stripStride, r)), key));
    });
  });

  SmallVector<Value> inverse;
  for (int64_t r = 0; r < tile; ++r)
    inverse.push_back(b.broadcast(
        func::CallOp::create(
            b, b.loc, softmax,
            ValueRange{b.offset(strip, b.mul(stripStride, r)), paddedKeys})
            .getResult(0)));

  int64_t panels = llvm::divideCeil(spec.valueSize, width);
  for (int64_t p = 0; p < panels; ++p) {
    TileOperands operands{
        tile,        strip,
        stripStride, b.offset(valuePanels, b.mul(keys, p * width * 4)),
        keys,        -1};
    SmallVector<Value> acc = emitTile(b, operands, zeros);
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

} // namespace

/// (scores : ptr; length) -> f32: turns a row of scores into 2^(s - max) and
/// gives 1 / sum, or 0 without keys. Built once a module.
static func::FuncOp buildSoftmaxRow(KernelBuilder &b, ModuleOp module) {
  if (auto known = module.lookupSymbol<func::FuncOp>("softmax_row"))
    return known;
  auto func = b.beginFunction(module, "softmax_row", {b.ptr, b.i64}, {b.f32});
  func.setPrivate();
  Value row = func.getArgument(0), length = func.getArgument(1);
  int64_t lanes = b.target.lanes;
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  auto maxima = b.loop(b.c(0), length, lanes, ValueRange{b.splat(lowest)},
                       [&](Value i, ValueRange carried) {
                         Value s = b.load(b.vf32, b.at(row, i));
                         return SmallVector<Value>{b.fmax(carried[0], s)};
                       });
  Value max = b.broadcast(b.reduceMax(maxima[0]));
  auto sums = b.loop(b.c(0), length, lanes, ValueRange{b.splat(0)},
                     [&](Value i, ValueRange carried) {
                       Value s = b.load(b.vf32, b.at(row, i));
                       Value p = emitExp2(b, b.fsub(s, max));
                       b.store(p, b.at(row, i));
                       return SmallVector<Value>{b.fadd(carried[0], p)};
                     });
  Value sum = b.reduceAdd(sums[0]);
  Value none =
      arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OEQ, sum, b.f(0));
  b.endFunction({b.select(none, b.f(0), b.fdiv(b.f(1), sum))});
  return func;
}

func::FuncOp plmc::buildAttention(KernelBuilder &b, ModuleOp module,
                                  const AttentionSpec &spec) {
  func::FuncOp softmax = buildSoftmaxRow(b, module);
  auto func = b.beginFunction(
      module, spec.name(),
      {b.ptr, b.ptr, b.ptr, b.ptr, b.ptr, b.ptr, b.ptr, b.i64, b.i64});
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
    task.keys = b.loadI32(seqKeys, sequence);
    task.paddedKeys = b.mul(b.ceilDiv(task.keys, width), width);
    task.keyPanels = scratch;
    task.valuePanels = b.at(scratch, task.paddedKeys, spec.headSize * 4);
    task.strip = b.at(task.valuePanels, task.paddedKeys,
                      llvm::alignTo(spec.valueSize, width) * 4);
    task.stripStride = b.mul(task.paddedKeys, 4);
    task.packKeys();
    task.packValues();
    task.strips();
  });
  b.endFunction();
  return func;
}
