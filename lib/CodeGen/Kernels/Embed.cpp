//===- Embed.cpp - Sums of rows of tables ---------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A table is read row by row, in whatever form it is stored: f32, values of 8
// bits or of 4 to 2 with scales, or codes that name entries of codebooks. So is
// a map, which leads from an id to a row. Nothing is ever expanded but the
// vector in hand.
//
// Codes: a vector of `lanes` columns begins at a multiple of `lanes`, an entry
// of a codebook at a multiple of its size. So gcd(lanes, size) columns always
// lie in one entry, and one load brings them: for entries of 4 a quarter of an
// AVX-512 register. Entries of an odd size come column by column.
//
//===----------------------------------------------------------------------===//

#include "Kernels.h"
#include <numeric>

using namespace mlir;
using namespace plmc;

TableFormat TableFormat::of(plk::WeightOp weight, SymbolTable &symbols) {
  TableFormat format;
  format.values = WeightFormat::of(weight);
  format.rows = weight.getShape()[0];
  if (auto symbol = weight.getScale())
    if (auto halves = symbols.lookup<plk::WeightOp>(*symbol).getQuantized())
      format.values.scaleBytes = halves->getIntOrFloatBitWidth() / 8;
  if (auto symbol = weight.getCodebooks()) {
    auto books = symbols.lookup<plk::WeightOp>(*symbol);
    format.values = WeightFormat::of(books);
    format.entries = books.getShape()[1];
    format.entrySize = books.getShape()[2];
  }
  if (auto symbol = weight.getMap()) {
    auto map = symbols.lookup<plk::WeightOp>(*symbol);
    format.rows = map.getShape()[0];
    format.mapBytes = map.getQuantized()->getIntOrFloatBitWidth() / 8;
  }
  return format;
}

std::string TableFormat::name() const {
  std::string text = values.name();
  if (values.scaleBytes == 2)
    text += "_bf16";
  if (entries)
    text += llvm::formatv("_codes{0}x{1}", entries, entrySize);
  if (mapBytes)
    text += llvm::formatv("_map{0}", mapBytes * 8);
  return text;
}

std::string EmbedSpec::name() const {
  std::string text = llvm::formatv("embed_{0}", width);
  for (auto [table, bytes] : llvm::zip(tables, idBytes))
    text +=
        llvm::formatv("_{0}i{1}", table.rows, bytes * 8).str() + table.name();
  if (position)
    text += llvm::formatv("_position{0}", offset).str() + position->name();
  return text;
}

namespace {
/// Where a table lies: arguments of the kernel.
struct TableArguments {
  TableFormat format;
  Value base, scale, zeroPoint, codebooks, map;
};

/// A row of a table, as it is read in the loop over its columns.
struct TableRow {
  const TableArguments &table;
  int64_t width;
  Value at;
  Value scale, zeroPoint; // addresses; of this row, if there is one a row

  TableRow(KernelBuilder &b, const TableArguments &table, int64_t width,
           Value index);
  Value load(KernelBuilder &b, Value column, int64_t valid) const;
  Value loadEntries(KernelBuilder &b, Value column, int64_t valid) const;
  Value loadCodes(KernelBuilder &b, Value column) const;
  Value loadScale(KernelBuilder &b, Value index) const;
};
} // namespace

/// The row of the table that `index` means.
static Value throughMap(KernelBuilder &b, const TableArguments &table,
                        Value index) {
  int64_t bytes = table.format.mapBytes;
  if (!bytes)
    return index;
  Type type = b.getIntegerType(bytes * 8);
  return arith::ExtUIOp::create(b, b.loc, b.i64,
                                b.load(type, b.at(table.map, index, bytes)));
}

TableRow::TableRow(KernelBuilder &b, const TableArguments &table, int64_t width,
                   Value index)
    : table(table), width(width), scale(table.scale),
      zeroPoint(table.zeroPoint) {
  const TableFormat &format = table.format;
  index = throughMap(b, table, index);
  at = b.at(table.base, index,
            format.entries ? width / format.entrySize
                           : format.values.rowBytes(width));
  if (format.values.isQuantized() && format.values.axis == 0) {
    int64_t block = format.values.block;
    scale = b.at(scale, index,
                 (block ? llvm::divideCeil(width, block) : 1) *
                     format.values.scaleBytes);
    zeroPoint = b.at(zeroPoint, index);
  }
}

Value TableRow::loadEntries(KernelBuilder &b, Value column,
                            int64_t valid) const {
  const TableFormat &format = table.format;
  bool bytes = format.values.isQuantized();
  Type element = bytes ? b.i8 : b.f32;
  int64_t piece = std::gcd(b.target.lanes, format.entrySize);
  auto type = VectorType::get({b.target.lanes}, element);
  Value vector = arith::ConstantOp::create(b, b.loc, type, b.getZeroAttr(type));
  for (int64_t lane = 0; lane < valid; lane += piece) {
    Value first = b.add(column, lane), size = b.c(format.entrySize);
    Value part = b.div(first, size);
    Value code = arith::ExtUIOp::create(b, b.loc, b.i64,
                                        b.load(b.i8, b.offset(at, part)));
    Value entry = b.add(b.mul(part, format.entries), code);
    Value from = b.add(b.mul(entry, format.entrySize), b.rem(first, size));
    Value address = b.at(table.codebooks, from, format.values.bytes());
    if (piece == 1)
      vector = vector::InsertOp::create(b, b.loc, b.load(element, address),
                                        vector, ArrayRef<int64_t>{lane});
    else
      vector = vector::InsertStridedSliceOp::create(
          b, b.loc, b.load(VectorType::get({piece}, element), address), vector,
          ArrayRef<int64_t>{lane}, ArrayRef<int64_t>{1});
  }
  if (!bytes)
    return vector;
  Value value = b.floatsOf8(vector, format.values.element == WeightFormat::U8);
  return b.fmul(value, b.loadVec(b.at(scale, column), valid));
}

/// Values of 4 bits or fewer as f32, before their scale. A vector never reaches
/// over the 16 bytes of a chunk, since `column` is a multiple of its lanes.
Value TableRow::loadCodes(KernelBuilder &b, Value column) const {
  constexpr int64_t chunkBytes = plk::CodePlane::chunkBytes;
  auto bytes = VectorType::get({b.target.lanes}, b.i8);
  auto wide = VectorType::get({b.target.lanes}, b.i32);
  auto constant = [&](int64_t value) {
    return arith::ConstantOp::create(
        b, b.loc, DenseElementsAttr::get(wide, int32_t(value)));
  };
  int64_t bits = table.format.values.bits, planeAt = 0;
  Value byte = b.rem(column, b.c(chunkBytes)), codes;
  for (const plk::CodePlane &plane : plk::codePlanes(bits)) {
    Value size = b.c(plane.chunkSize());
    Value chunk = b.mul(b.div(column, size), chunkBytes);
    Value part =
        b.load(bytes, b.offset(at, b.add(b.add(chunk, byte), planeAt)));
    Value slot = b.div(b.rem(column, size), b.c(chunkBytes));
    Value shift =
        arith::TruncIOp::create(b, b.loc, b.i32, b.mul(slot, plane.bits));
    part = arith::ExtUIOp::create(b, b.loc, wide, part);
    part = arith::ShRUIOp::create(
        b, b.loc, part, vector::BroadcastOp::create(b, b.loc, wide, shift));
    part =
        arith::AndIOp::create(b, b.loc, part, constant((1 << plane.bits) - 1));
    if (plane.shift)
      part = arith::ShLIOp::create(b, b.loc, part, constant(plane.shift));
    codes = codes ? Value(arith::OrIOp::create(b, b.loc, codes, part)) : part;
    planeAt += plane.bytes(width);
  }
  codes = arith::SubIOp::create(b, b.loc, codes, constant(1 << (bits - 1)));
  return arith::SIToFPOp::create(b, b.loc, b.vf32, codes);
}

/// The row's scale number `index`, for every lane.
Value TableRow::loadScale(KernelBuilder &b, Value index) const {
  int64_t bytes = table.format.values.scaleBytes;
  Value address = b.at(scale, index, bytes);
  if (bytes == 4)
    return b.broadcast(b.load(b.f32, address));
  Value half = b.load(b.getBF16Type(), address);
  return b.broadcast(arith::ExtFOp::create(b, b.loc, b.f32, half));
}

Value TableRow::load(KernelBuilder &b, Value column, int64_t valid) const {
  const WeightFormat &format = table.format.values;
  if (table.format.entries)
    return loadEntries(b, column, valid);
  if (!format.isQuantized())
    return b.loadVec(b.at(at, column), valid);
  if (format.element == WeightFormat::Codes) {
    Value block = format.block ? b.div(column, b.c(format.block)) : b.c(0);
    return b.fmul(loadCodes(b, column), loadScale(b, block));
  }
  Value value = b.loadVec8(b.offset(at, column), valid,
                           format.element == WeightFormat::U8);
  bool byColumn = format.axis == 1;
  if (format.zeroPoint)
    value = b.fsub(value, byColumn ? b.loadVec(b.at(zeroPoint, column), valid)
                                   : b.broadcast(b.load(b.f32, zeroPoint)));
  return b.fmul(value, byColumn ? b.loadVec(b.at(scale, column), valid)
                                : loadScale(b, b.c(0)));
}

func::FuncOp plmc::buildEmbed(KernelBuilder &b, ModuleOp module,
                              const EmbedSpec &spec) {
  size_t tables = spec.tables.size();
  SmallVector<TableFormat> formats(spec.tables);
  if (spec.position)
    formats.push_back(*spec.position);
  SmallVector<Type> arguments(2 * tables + 4, b.ptr);
  arguments.append(4, b.i64);
  size_t next = arguments.size();
  for (const TableFormat &format : formats)
    arguments.append(2 * format.values.isQuantized() + (format.entries != 0) +
                         (format.mapBytes != 0),
                     b.ptr);
  auto func = b.beginFunction(module, spec.name(), arguments);
  func.setPrivate();
  auto argument = [&](size_t index) -> Value {
    return func.getArgument(index);
  };
  SmallVector<TableArguments> sources;
  for (auto [index, format] : llvm::enumerate(formats)) {
    TableArguments source{format, argument(tables + index), {}, {}, {}, {}};
    if (format.values.isQuantized()) {
      source.scale = argument(next++);
      source.zeroPoint = argument(next++);
    }
    if (format.entries)
      source.codebooks = argument(next++);
    if (format.mapBytes)
      source.map = argument(next++);
    sources.push_back(source);
  }
  Value rowSource = argument(2 * tables + 1), y = argument(2 * tables + 2),
        error = argument(2 * tables + 3), errorCode = argument(2 * tables + 4),
        sequence = argument(2 * tables + 5);

  b.loop(argument(2 * tables + 6), argument(2 * tables + 7), 1, [&](Value row) {
    Value source = b.loadI32(rowSource, row);
    SmallVector<TableRow> addends;
    for (size_t t = 0; t < tables; ++t) {
      Value id = spec.idBytes[t] == 8
                     ? b.load(b.i64, b.at(argument(t), source, 8))
                     : b.loadI32(argument(t), source);
      // Unsigned: a negative id is as wrong as one past the end.
      Value good = arith::CmpIOp::create(b, b.loc, arith::CmpIPredicate::ult,
                                         id, b.c(formats[t].rows));
      b.ifThenElse(good, [] {}, [&] { b.store(errorCode, error); });
      id = b.select(good, id, b.c(0));
      addends.emplace_back(b, sources[t], spec.width, id);
    }
    if (spec.position)
      addends.emplace_back(b, sources[tables], spec.width,
                           b.add(b.rem(source, sequence), spec.offset));
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
