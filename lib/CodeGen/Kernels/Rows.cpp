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

/// Normalises one row in three passes over it: it is in L1. The variance is
/// taken from deviations, not from squares, so that a large mean costs no
/// digits.
static void emitNormRow(KernelBuilder &b, Value x, Value y, Value gamma,
                        Value beta, int64_t width, double epsilon) {
  Value zero = b.splat(0);
  Value perElement = b.f(1.0f / width);
  auto add = [&](ValueRange some, ValueRange others) {
    return SmallVector<Value>{b.fadd(some[0], others[0])};
  };
  auto sum = b.reduceColumns(
      width, ValueRange{zero},
      [&](Value i, int64_t valid, ValueRange carried) {
        return SmallVector<Value>{
            b.fadd(carried[0], b.loadVec(b.at(x, i), valid))};
      },
      add);
  Value mean = b.broadcast(b.fmul(b.reduceAdd(sum[0]), perElement));
  auto squares = b.reduceColumns(
      width, ValueRange{zero},
      [&](Value i, int64_t valid, ValueRange carried) {
        Value d = b.fsub(b.loadVec(b.at(x, i), valid), mean);
        if (valid < b.target.lanes) { // absent lanes would add mean^2
          SmallVector<bool> bits(b.target.lanes);
          std::fill_n(bits.begin(), valid, true);
          auto type = VectorType::get({b.target.lanes}, b.i1);
          Value mask = arith::ConstantOp::create(
              b, b.loc, type, DenseElementsAttr::get(type, bits));
          d = b.select(mask, d, zero);
        }
        return SmallVector<Value>{b.fma(d, d, carried[0])};
      },
      add);
  Value variance = b.fmul(b.reduceAdd(squares[0]), perElement);
  Value inverse = b.broadcast(b.fdiv(
      b.f(1), b.sqrt(b.fadd(variance, b.f(static_cast<float>(epsilon))))));
  b.forColumns(width, [&](Value i, int64_t valid) {
    Value d = b.fsub(b.loadVec(b.at(x, i), valid), mean);
    Value g = b.fmul(inverse, b.loadVec(b.at(gamma, i), valid));
    Value result =
        beta ? b.fma(d, g, b.loadVec(b.at(beta, i), valid)) : b.fmul(d, g);
    b.storeVec(result, b.at(y, i), valid);
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
  b.loop(func.getArgument(4), func.getArgument(5), 1, [&](Value row) {
    emitNormRow(b, b.at(func.getArgument(0), row, width * 4),
                b.at(func.getArgument(3), row, width * 4), func.getArgument(1),
                beta ? func.getArgument(2) : Value(), width, epsilon);
  });
  b.endFunction();
  return func;
}

std::string EmbedSpec::name() const {
  std::string text = llvm::formatv("embed_{0}", width);
  for (auto [rows, bytes, format] : llvm::zip(tableRows, idBytes, formats))
    text += llvm::formatv("_{0}i{1}", rows, bytes * 8).str() + format.name();
  if (position)
    text += llvm::formatv("_position{0}", offset).str() + positionFormat.name();
  return text;
}

namespace {
/// A row of a table, as it is read in the loop over its columns.
struct TableRow {
  Value at;
  WeightFormat format;
  Value scale, zeroPoint; // addresses; of this row, if there is one a row

  Value load(KernelBuilder &b, Value column, int64_t valid) const;
};
} // namespace

Value TableRow::load(KernelBuilder &b, Value column, int64_t valid) const {
  if (!format.isQuantized())
    return b.loadVec(b.at(at, column), valid);
  if (format.element == WeightFormat::I4) {
    Value block = format.block ? b.div(column, b.c(format.block)) : b.c(0);
    return b.fmul(b.loadVec4(at, column),
                  b.broadcast(b.load(b.f32, b.at(scale, block))));
  }
  auto factor = [&](Value address) {
    return format.axis == 1 ? b.loadVec(b.at(address, column), valid)
                            : b.broadcast(b.load(b.f32, address));
  };
  Value value = b.loadVec8(b.offset(at, column), valid,
                           format.element == WeightFormat::U8);
  if (format.zeroPoint)
    value = b.fsub(value, factor(zeroPoint));
  return b.fmul(value, factor(scale));
}

func::FuncOp plmc::buildEmbed(KernelBuilder &b, ModuleOp module,
                              const EmbedSpec &spec) {
  size_t tables = spec.tableRows.size();
  SmallVector<Type> arguments(2 * tables + 4, b.ptr);
  arguments.append(4, b.i64);
  unsigned nextScale = arguments.size();
  SmallVector<WeightFormat> formats(spec.formats);
  formats.push_back(spec.positionFormat);
  SmallVector<unsigned> scaleOf; // of each table: where its arguments are
  for (const WeightFormat &format : formats) {
    scaleOf.push_back(nextScale);
    nextScale += format.isQuantized() ? 2 : 0;
  }
  arguments.append(nextScale - arguments.size(), b.ptr);
  auto func = b.beginFunction(module, spec.name(), arguments);
  func.setPrivate();
  auto argument = [&](size_t index) -> Value {
    return func.getArgument(index);
  };
  Value position = argument(2 * tables), rowSource = argument(2 * tables + 1),
        y = argument(2 * tables + 2), error = argument(2 * tables + 3),
        errorCode = argument(2 * tables + 4),
        sequence = argument(2 * tables + 5);

  b.loop(argument(2 * tables + 6), argument(2 * tables + 7), 1, [&](Value row) {
    Value source = b.loadI32(rowSource, row);
    SmallVector<TableRow> addends;
    auto rowOf = [&](size_t table, Value base, Value index) {
      TableRow row{b.at(base, index, formats[table].rowBytes(spec.width)),
                   formats[table],
                   {},
                   {}};
      if (row.format.isQuantized()) {
        row.scale = argument(scaleOf[table]);
        row.zeroPoint = argument(scaleOf[table] + 1);
        if (row.format.axis == 0) {
          int64_t scales = row.format.block
                               ? llvm::divideCeil(spec.width, row.format.block)
                               : 1;
          row.scale = b.at(row.scale, index, scales * 4);
          row.zeroPoint = b.at(row.zeroPoint, index);
        }
      }
      return row;
    };
    for (size_t t = 0; t < tables; ++t) {
      Value id = spec.idBytes[t] == 8
                     ? b.load(b.i64, b.at(argument(t), source, 8))
                     : b.loadI32(argument(t), source);
      // Unsigned: a negative id is as wrong as one past the end.
      Value good = arith::CmpIOp::create(b, b.loc, arith::CmpIPredicate::ult,
                                         id, b.c(spec.tableRows[t]));
      b.ifThenElse(good, [] {}, [&] { b.store(errorCode, error); });
      id = b.select(good, id, b.c(0));
      addends.push_back(rowOf(t, argument(tables + t), id));
    }
    if (spec.position)
      addends.push_back(
          rowOf(tables, position, b.add(b.rem(source, sequence), spec.offset)));
    Value target = b.at(y, row, spec.width * 4);
    b.forColumns(spec.width, [&](Value i, int64_t valid) {
      Value sum = addends[0].load(b, i, valid);
      for (const TableRow &addend : ArrayRef<TableRow>(addends).drop_front())
        sum = b.fadd(sum, addend.load(b, i, valid));
      b.storeVec(sum, b.at(target, i), valid);
    });
  });
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
