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
// A bias (relative positions, a window, a visible matrix) is [batch, heads,
// length, length] in the batch's own positions, while rows are packed, kept
// ones first. row_source leads from one to the other. Keys that lie side by
// side, which they do unless the mask has holes, are read as vectors.
//
//===----------------------------------------------------------------------===//

#include "../VectorMath.h"
#include "AttentionTask.h"
#include <limits>

using namespace mlir;
using namespace plmc;

std::string AttentionSpec::name() const {
  return llvm::formatv("attention_h{0}_d{1}_v{2}_{3}_{4}_{5}_{6:x}{7}{8}{9}",
                       heads, headSize, valueSize, queryStride, keyStride,
                       valueStride, llvm::bit_cast<uint32_t>(scale),
                       allKeys ? "_all" : "", bias ? "_bias" : "",
                       bf16 ? "_bf16" : "");
}

static constexpr float lowest = -std::numeric_limits<float>::infinity();

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

Value AttentionTask::scaledBias(Value value) {
  // The lowest float, which masks are made of, must not become -inf: a row of
  // nothing else is an average, as in the graph.
  auto vector = dyn_cast<VectorType>(value.getType());
  auto constant = [&](float number) {
    return vector ? b.splat(number) : b.f(number);
  };
  Value scaled = b.fmul(b.fmax(value, constant(-2e38f)), constant(1.44269504f));
  Value excluded = arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OEQ,
                                         value, constant(lowest));
  return b.select(excluded, constant(lowest), scaled);
}

void AttentionTask::addBias(Value row, int64_t r) {
  Value position = b.sub(b.loadI32(rowSource, b.add(row, r)), firstSource);
  Value source = b.at(bias, b.mul(position, biasQueryStride));
  Value target = b.offset(strip, b.mul(stripStride, r));
  // Kept rows are in order; so are the others, which come after them.
  auto positionOf = [&](Value row) {
    return b.sub(b.loadI32(rowSource, row), firstSource);
  };
  Value first = positionOf(b.c(0));
  auto isRun = [&](Value count) { // the first `count` rows, if any
    Value last = b.sub(b.select(b.lt(b.c(0), count), count, b.c(1)), b.c(1));
    return b.eq(b.sub(positionOf(last), first), last);
  };
  Value adjacent = arith::AndIOp::create(
      b, b.loc, arith::AndIOp::create(b, b.loc, isRun(kept), isRun(keys)),
      b.eq(biasKeyStride, b.c(1)));
  Value whole =
      b.select(adjacent, b.sub(keys, b.rem(keys, b.c(lanes))), b.c(0));
  b.loop(b.c(0), whole, lanes, [&](Value key) {
    Value at = b.at(target, key);
    Value value = b.load(b.vf32, b.at(source, b.add(first, key)));
    b.store(b.fadd(b.load(b.vf32, at), scaledBias(value)), at);
  });
  b.loop(whole, keys, 1, [&](Value key) {
    Value keyPosition = positionOf(key);
    Value at = b.at(target, key);
    Value value =
        b.load(b.f32, b.at(source, b.mul(keyPosition, biasKeyStride)));
    b.store(b.fadd(b.load(b.f32, at), scaledBias(value)), at);
  });
}

SmallVector<Value> AttentionTask::scores(int64_t tile, Value row, bool maxima) {
  Value factor = b.splat(spec.scale * 1.44269504f);
  SmallVector<Value> start(maxima ? tile : 0, b.splat(lowest));
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
      b.c(0), paddedKeys, lanes, SmallVector<Value>(tile, b.splat(lowest)),
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
        b.store(b.f(lowest), b.at(b.offset(strip, b.mul(stripStride, r)), key));
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

/// (scores : ptr, bytes between rows, length, greatest of each row) -> f32, or
/// a vector of one for each row: turns rows of scores into 2^(s - max), or the
/// codes of that, and gives 1 / sum, or 0 if no score is above -inf. Built once
/// a module.
///
/// A row alone waits for its sum. So there are some side by side:
/// all-MiniLM-L6-v2 in int8 took 3.57 ms at 1x128 (plmc bench, Zen 5) instead
/// of 3.67. (A shorter polynomial for 2^x, since codes are rounded anyway, was
/// tried: more codes fell to the other side of a border. More than two results
/// would come back through the x87 stack: hence the vector.)
static func::FuncOp buildSoftmaxRows(KernelBuilder &b, ModuleOp module,
                                     int64_t rows, bool bf16) {
  std::string name = llvm::formatv("softmax_{0}{1}", rows, bf16 ? "_bf16" : "");
  if (auto known = module.lookupSymbol<func::FuncOp>(name))
    return known;
  auto ofRows = VectorType::get({rows}, b.f32);
  SmallVector<Type> types{b.ptr, b.i64, b.i64};
  types.append(rows, b.f32);
  auto func = b.beginFunction(module, name, types, Type(ofRows));
  func.setPrivate();
  Value length = func.getArgument(2);
  int64_t lanes = b.target.lanes;
  auto splat = [&](float value) -> Value {
    return arith::ConstantOp::create(b, b.loc,
                                     DenseElementsAttr::get(ofRows, value));
  };
  Value max = vector::FromElementsOp::create(
      b, b.loc, ofRows, ValueRange(func.getArguments()).drop_front(3));
  Value empty = arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OEQ, max,
                                      splat(lowest));
  // -inf - -inf would be NaN, and NaN times 0 is not 0.
  max = b.select(empty, splat(0), max);
  SmallVector<Value> row, maxima;
  for (int64_t r = 0; r < rows; ++r) {
    row.push_back(b.offset(func.getArgument(0), b.mul(func.getArgument(1), r)));
    maxima.push_back(b.broadcast(vector::ExtractOp::create(b, b.loc, max, r)));
  }
  // Codes of two vectors are made in one instruction.
  int64_t step = bf16 && b.target.dotBF16 ? 2 : 1;
  auto sums =
      b.loop(b.c(0), length, step * lanes, SmallVector<Value>(rows, b.splat(0)),
             [&](Value i, ValueRange carried) {
               SmallVector<Value> next;
               for (int64_t r = 0; r < rows; ++r) {
                 SmallVector<Value> p;
                 for (int64_t v = 0; v < step; ++v) {
                   Value s = b.load(b.vf32, b.at(row[r], b.add(i, v * lanes)));
                   p.push_back(emitExp2(b, b.fsub(s, maxima[r])));
                 }
                 if (bf16) // never beyond what has been read
                   b.store(step == 2 ? emitBF16CodePair(b, p[0], p[1])
                                     : emitBF16Codes(b, p[0]),
                           b.at(row[r], i, bf16CodeBytes(b.target)));
                 else
                   b.store(p[0], b.at(row[r], i));
                 next.push_back(b.fadd(carried[r], p[0]));
                 if (step == 2)
                   next.back() = b.fadd(next.back(), p[1]);
               }
               return next;
             });
  for (Value &sum : sums)
    sum = b.reduceAdd(sum);
  Value inverse =
      b.fdiv(splat(1), vector::FromElementsOp::create(b, b.loc, ofRows, sums));
  b.endFunction(b.select(empty, splat(0), inverse));
  return func;
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
