//===- Rows.cpp - Kernels that work row by row ------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include <limits>

using namespace mlir;
using namespace plmc;

namespace {
/// A row in three passes: it is in L1. The variance is taken from deviations,
/// not from squares, so that a large mean costs no digits.
class NormRow {
public:
  NormRow(KernelBuilder &b, Value x, int64_t width)
      : b(b), x(x), width(width) {}

  Value mean();
  Value inverseDeviation(Value mean, double epsilon);
  void emit(Value y, Value gamma, Value beta, Value mean, Value inverse);

private:
  /// Of a sum to which `add` adds a vector of columns.
  Value average(llvm::function_ref<Value(Value, int64_t, Value)> add);
  Value load(Value column, int64_t valid) {
    return b.loadVec(b.at(x, column), valid);
  }

  KernelBuilder &b;
  const Value x;
  const int64_t width;
};
} // namespace

Value NormRow::average(llvm::function_ref<Value(Value, int64_t, Value)> add) {
  auto sums = b.reduceColumns(
      width, ValueRange{b.splat(0)},
      [&](Value column, int64_t valid, ValueRange carried) {
        return SmallVector<Value>{add(column, valid, carried[0])};
      },
      [&](ValueRange some, ValueRange others) {
        return SmallVector<Value>{b.fadd(some[0], others[0])};
      });
  return b.fmul(b.reduceAdd(sums[0]), b.f(1.0f / width));
}

Value NormRow::mean() {
  return average([&](Value column, int64_t valid, Value sum) {
    return b.fadd(sum, load(column, valid));
  });
}

Value NormRow::inverseDeviation(Value mean, double epsilon) {
  mean = b.broadcast(mean);
  Value variance = average([&](Value column, int64_t valid, Value sum) {
    Value d = b.fsub(load(column, valid), mean);
    if (valid < b.target.lanes) { // absent lanes would add mean^2
      SmallVector<bool> bits(b.target.lanes);
      std::fill_n(bits.begin(), valid, true);
      auto type = VectorType::get({b.target.lanes}, b.i1);
      Value mask = arith::ConstantOp::create(
          b, b.loc, type, DenseElementsAttr::get(type, bits));
      d = b.select(mask, d, b.splat(0));
    }
    return b.fma(d, d, sum);
  });
  return b.fdiv(b.f(1),
                b.sqrt(b.fadd(variance, b.f(static_cast<float>(epsilon)))));
}

void NormRow::emit(Value y, Value gamma, Value beta, Value mean,
                   Value inverse) {
  mean = b.broadcast(mean);
  inverse = b.broadcast(inverse);
  b.forColumns(width, [&](Value column, int64_t valid) {
    Value d = b.fsub(load(column, valid), mean);
    Value g = b.fmul(inverse, b.loadVec(b.at(gamma, column), valid));
    b.storeVec(beta ? b.fma(d, g, b.loadVec(b.at(beta, column), valid))
                    : b.fmul(d, g),
               b.at(y, column), valid);
  });
}

func::FuncOp plmc::buildNorm(KernelBuilder &b, ModuleOp module, int64_t width,
                             bool beta, double epsilon) {
  auto func = b.beginFunction(module,
                              llvm::formatv("norm_{0}{1}_{2:x}", width,
                                            beta ? "_beta" : "",
                                            llvm::bit_cast<uint64_t>(epsilon))
                                  .str(),
                              {b.ptr, b.ptr, b.ptr, b.ptr, b.i64, b.i64});
  func.setPrivate();
  // A row would wait for its sums, a root and a quotient: 128 rows of 384 took
  // 4.1 us one after the other and take 3.4 (Zen 5).
  constexpr int64_t together = 8;
  auto array = [&] {
    return LLVM::AllocaOp::create(b, b.loc, b.ptr, b.f32, b.c(together));
  };
  Value means = array(), inverses = array();
  auto rowAt = [&](Value index) {
    return NormRow(b, b.at(func.getArgument(0), index, width * 4), width);
  };
  auto of = [&](Value array, Value place) {
    return b.load(b.f32, b.at(array, place));
  };
  auto mean = [&](Value row, Value place) {
    b.store(rowAt(row).mean(), b.at(means, place));
  };
  auto inverse = [&](Value row, Value place) {
    b.store(rowAt(row).inverseDeviation(of(means, place), epsilon),
            b.at(inverses, place));
  };
  auto emit = [&](Value row, Value place) {
    rowAt(row).emit(b.at(func.getArgument(3), row, width * 4),
                    func.getArgument(1), beta ? func.getArgument(2) : Value(),
                    of(means, place), of(inverses, place));
  };
  b.forRows(func.getArgument(4), func.getArgument(5), together,
            {mean, inverse, emit});
  b.endFunction();
  return func;
}

func::FuncOp plmc::buildPool(KernelBuilder &b, ModuleOp module,
                             plm::PoolKind kind, int64_t width, bool allRows,
                             double epsilon) {
  auto func = b.beginFunction(
      module,
      llvm::formatv("pool_{0}_{1}{2}_{3:x}", plm::stringifyPoolKind(kind),
                    width, allRows ? "_all" : "",
                    llvm::bit_cast<uint64_t>(epsilon))
          .str(),
      {b.ptr, b.ptr, b.ptr, b.ptr, b.ptr, b.i64, b.i64});
  func.setPrivate();
  Value x = func.getArgument(0), seqStart = func.getArgument(2),
        seqKeys = func.getArgument(3), firstRow = func.getArgument(4);

  b.loop(func.getArgument(5), func.getArgument(6), 1, [&](Value sequence) {
    Value y = b.at(func.getArgument(1), sequence, width * 4);
    if (kind == plm::PoolKind::First) {
      Value source = b.at(x, b.loadI32(firstRow, sequence), width * 4);
      b.forColumns(width, [&](Value i, int64_t valid) {
        b.storeVec(b.loadVec(b.at(source, i), valid), b.at(y, i), valid);
      });
      return;
    }
    Value start = b.loadI32(seqStart, sequence);
    Value count = allRows
                      ? b.sub(b.loadI32(seqStart, b.add(sequence, 1)), start)
                      : b.loadI32(seqKeys, sequence);
    bool mean = kind == plm::PoolKind::Mean;
    Value inverse;
    if (mean) {
      Value number = arith::SIToFPOp::create(b, b.loc, b.f32, count);
      inverse = b.broadcast(
          b.fdiv(b.f(1), b.fmax(number, b.f(static_cast<float>(epsilon)))));
    }
    float lowest = allRows ? -std::numeric_limits<float>::infinity() : -1e9f;
    b.forColumns(width, [&](Value i, int64_t valid) {
      auto result =
          b.loop(b.c(0), count, 1, ValueRange{b.splat(mean ? 0.0f : lowest)},
                 [&](Value row, ValueRange carried) {
                   Value value = b.loadVec(
                       b.at(b.at(x, b.add(start, row), width * 4), i), valid);
                   return SmallVector<Value>{mean ? b.fadd(carried[0], value)
                                                  : b.fmax(carried[0], value)};
                 });
      b.storeVec(mean ? b.fmul(result[0], inverse) : result[0], b.at(y, i),
                 valid);
    });
  });
  b.endFunction();
  return func;
}

func::FuncOp plmc::buildL2Normalize(KernelBuilder &b, ModuleOp module,
                                    int64_t width, double epsilon) {
  auto func = b.beginFunction(module,
                              llvm::formatv("l2_normalize_{0}_{1:x}", width,
                                            llvm::bit_cast<uint64_t>(epsilon))
                                  .str(),
                              {b.ptr, b.ptr, b.i64, b.i64});
  func.setPrivate();
  b.loop(func.getArgument(2), func.getArgument(3), 1, [&](Value row) {
    Value x = b.at(func.getArgument(0), row, width * 4);
    Value y = b.at(func.getArgument(1), row, width * 4);
    auto sum = b.forColumns(width, ValueRange{b.splat(0)},
                            [&](Value i, int64_t valid, ValueRange carried) {
                              Value value = b.loadVec(b.at(x, i), valid);
                              return SmallVector<Value>{
                                  b.fma(value, value, carried[0])};
                            });
    Value norm = b.sqrt(b.reduceAdd(sum[0]));
    Value inverse = b.broadcast(
        b.fdiv(b.f(1), b.fmax(norm, b.f(static_cast<float>(epsilon)))));
    b.forColumns(width, [&](Value i, int64_t valid) {
      b.storeVec(b.fmul(b.loadVec(b.at(x, i), valid), inverse), b.at(y, i),
                 valid);
    });
  });
  b.endFunction();
  return func;
}
