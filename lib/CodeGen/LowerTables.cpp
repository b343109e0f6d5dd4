//===- LowerTables.cpp - Tables of embeddings to plk.weight ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Kernels trust what they read from the library: codes and maps are checked
// here, once, and not in every run.
//
//===----------------------------------------------------------------------===//

#include "LowerWeights.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/BFloat16.h"
#include "plmc/Support/CopiedBlob.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace plmc;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

template <typename T> static uint64_t hashOfBytes(ArrayRef<T> values) {
  return llvm::xxh3_64bits(
      ArrayRef<uint8_t>(reinterpret_cast<const uint8_t *>(values.data()),
                        values.size() * sizeof(T)));
}

static FailureOr<HostTensor> valuesOf(Value value) {
  Operation *op = value.getDefiningOp();
  llvm::Expected<HostTensor> tensor = evaluateOp(op, {}, {});
  if (tensor)
    return std::move(*tensor);
  op->emitOpError() << llvm::toString(tensor.takeError());
  return failure();
}

FailureOr<FlatSymbolRefAttr> WeightLowering::table(Value value) {
  auto source = TableSource::match(value);
  if (!source)
    return failure();
  auto rows = [&]() -> FailureOr<plk::WeightOp> {
    if (source->codes)
      return codedTable(*source);
    if (auto values = QuantizedWeight::matchCodes(source->values))
      return lowBitTable(*values);
    if (auto values = QuantizedWeight::match(source->values))
      return quantized(*values, /*panels=*/false, /*transposed=*/false);
    return plain(source->values, /*panels=*/false, /*transposed=*/false);
  }();
  if (failed(rows))
    return failure();
  if (!source->map)
    return FlatSymbolRefAttr::get(*rows);
  FailureOr<Ref> map = mapTo(rows->getShape()[0], source->map);
  if (failed(map))
    return failure();
  plk::WeightOp &known =
      weights[llvm::formatv("{0}|map|{1}", rows->getSymName(), *map).str()];
  if (!known) {
    builder.setInsertionPoint(func);
    known = cast<plk::WeightOp>(builder.clone(**rows));
    known.setMapAttr(*map);
    symbols.insert(known); // renames
  }
  return FlatSymbolRefAttr::get(known);
}

FlatSymbolRefAttr WeightLowering::storeRowScales(StringRef name,
                                                 ArrayRef<float> scales,
                                                 ArrayRef<int64_t> shape) {
  if (!llvm::all_of(scales, isBF16))
    return store(name, scales, shape);
  std::vector<uint16_t> halves;
  for (float scale : scales)
    halves.push_back(floatToBF16(scale));
  auto element =
      IntegerType::get(builder.getContext(), 16, IntegerType::Unsigned);
  return storeBlob(name, copiedBlob(ArrayRef<uint16_t>(halves)),
                   RankedTensorType::get(shape, element));
}

/// A table of values of 4 bits or fewer and their scales, one for each block of
/// each row.
FailureOr<plk::WeightOp>
WeightLowering::lowBitTable(const QuantizedWeight &source) {
  plm::GetParameterOp get = source.parameter;
  ArrayRef<int64_t> shape = typeOf(get.getResult()).getShape();
  int64_t blocks = source.block ? llvm::divideCeil(shape[1], source.block) : 1;
  auto scales = source.scales(shape[0] * blocks);
  if (!scales) {
    get.emitOpError() << llvm::toString(scales.takeError());
    return failure();
  }
  plk::WeightOp &known =
      weights[llvm::formatv("{0}|t{1}|{2}|{3:x}", get.getParameter(),
                            source.bits, source.block,
                            hashOfBytes(ArrayRef<float>(*scales)))
                  .str()];
  if (known)
    return known;
  FailureOr<HostTensor> values = valuesOf(get.getResult());
  if (failed(values))
    return failure();
  int end = 1 << (source.bits - 1);
  for (char value : values->data)
    if (int8_t(value) < -end || int8_t(value) >= end)
      return get.emitOpError()
             << "reads the value " << int(int8_t(value))
             << ", which does not fit " << source.bits << " bits";
  Ref scale = storeRowScales((get.getParameter() + ".scale").str(), *scales,
                             {shape[0], blocks});
  known = create(get, /*panels=*/false, /*transposed=*/false);
  known.setQuantizedAttr(TypeAttr::get(source.elementType()));
  known.setScaleAttr(scale);
  known.setAxisAttr(builder.getI64IntegerAttr(0));
  known.setBits(source.bits);
  if (source.block)
    known.setBlock(source.block);
  return known;
}

/// A table whose rows are codes.
FailureOr<plk::WeightOp> WeightLowering::codedTable(const TableSource &source) {
  plm::GetParameterOp get = source.codes;
  int64_t entries = typeOf(source.values).getDimSize(1);
  if (entries < 256) {
    FailureOr<HostTensor> codes = valuesOf(get.getResult());
    if (failed(codes))
      return failure();
    for (char code : codes->data)
      if (uint8_t(code) >= entries)
        return get.emitOpError()
               << "reads code " << int(uint8_t(code))
               << ", but the codebooks have " << entries << " entries";
  }
  FailureOr<Ref> books = codebooks(source.values);
  if (failed(books))
    return failure();
  plk::WeightOp &known =
      weights[llvm::formatv("{0}|codes|{1}", get.getParameter(), *books).str()];
  if (known)
    return known;
  known = create(get, /*panels=*/false, /*transposed=*/false);
  known.setQuantizedAttr(
      TypeAttr::get(typeOf(get.getResult()).getElementType()));
  known.setCodebooksAttr(*books);
  return known;
}

/// Codebooks [M, C, D], in 8 bits with a scale for each of the M * D columns.
FailureOr<FlatSymbolRefAttr> WeightLowering::codebooks(Value value) {
  auto dequantize = value.getDefiningOp<plm::DequantizeOp>();
  auto get = (dequantize ? dequantize.getInput() : value)
                 .getDefiningOp<plm::GetParameterOp>();
  std::vector<float> scales;
  if (dequantize) {
    FailureOr<HostTensor> given = valuesOf(dequantize.getScale());
    if (failed(given))
      return failure();
    ArrayRef<int64_t> shape = typeOf(value).getShape();
    for (int64_t part = 0; part < shape[0]; ++part)
      for (int64_t i = 0; i < shape[2]; ++i)
        scales.push_back(
            float(given->getDouble(given->rank() == 0          ? 0
                                   : dequantize.getAxis() == 0 ? part
                                                               : i)));
  }
  plk::WeightOp &known =
      weights[llvm::formatv("{0}|books|{1:x}", get.getParameter(),
                            hashOfBytes(ArrayRef<float>(scales)))
                  .str()];
  if (known)
    return FlatSymbolRefAttr::get(known);
  Ref scale;
  if (dequantize)
    scale = store((get.getParameter() + ".scale").str(), scales,
                  {int64_t(scales.size())});
  known = create(get, /*panels=*/false, /*transposed=*/false);
  if (dequantize) {
    known.setQuantizedAttr(
        TypeAttr::get(typeOf(get.getResult()).getElementType()));
    known.setScaleAttr(scale);
    known.setAxisAttr(builder.getI64IntegerAttr(1));
  }
  return FlatSymbolRefAttr::get(known);
}

/// A map to a table of `rows` rows, in as few bytes as they need.
FailureOr<FlatSymbolRefAttr> WeightLowering::mapTo(int64_t rows, Value map) {
  FailureOr<HostTensor> given = valuesOf(map);
  if (failed(given))
    return failure();
  std::vector<int32_t> wide;
  std::vector<uint16_t> narrow;
  for (int64_t i = 0; i < given->numElements(); ++i) {
    int64_t row = given->getInt(i);
    if (row < -rows || row >= rows || rows > INT32_MAX)
      return map.getDefiningOp()->emitOpError()
             << "maps " << i << " to row " << row << " of a table of " << rows
             << " rows";
    wide.push_back(int32_t(row < 0 ? row + rows : row));
    narrow.push_back(uint16_t(wide.back()));
  }
  plk::WeightOp &known =
      weights[llvm::formatv("map|{0}|{1:x}", rows > 65536,
                            hashOfBytes(ArrayRef<int32_t>(wide)))
                  .str()];
  if (known)
    return FlatSymbolRefAttr::get(known);
  auto get = map.getDefiningOp<plm::GetParameterOp>();
  std::string name = get ? get.getParameter().str() : "map";
  bool isWide = rows > 65536;
  auto type =
      RankedTensorType::get({int64_t(wide.size())},
                            isWide ? builder.getI32Type()
                                   : IntegerType::get(builder.getContext(), 16,
                                                      IntegerType::Unsigned));
  Ref ref = storeBlob(name,
                      isWide ? copiedBlob(ArrayRef<int32_t>(wide))
                             : copiedBlob(ArrayRef<uint16_t>(narrow)),
                      type);
  known = symbols.lookup<plk::WeightOp>(ref.getValue());
  return ref;
}
