//===- LowerWeights.cpp - Parameters to plk.weight --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LowerWeights.h"
#include "plmc/Interpreter/Interpreter.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace plmc;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

static uint64_t hashOf(ArrayRef<float> values) {
  return llvm::xxh3_64bits(ArrayRef<uint8_t>(
      reinterpret_cast<const uint8_t *>(values.data()), values.size() * 4));
}

static FailureOr<FlatSymbolRefAttr> refTo(FailureOr<plk::WeightOp> weight) {
  if (failed(weight))
    return failure();
  return FlatSymbolRefAttr::get(*weight);
}

FailureOr<plk::WeightOp> WeightLowering::panels(plm::LinearOp linear) {
  plm::Precision precision =
      linear.getPrecision().value_or(plm::Precision::F32);
  if (precision == plm::Precision::Int8)
    return integers(linear);
  Value value = linear.getWeight();
  if (auto source = QuantizedWeight::match(value))
    return quantized(*source, /*panels=*/true, linear.getTransposed());
  if (precision == plm::Precision::F32)
    return plain(value, /*panels=*/true, linear.getTransposed());
  auto get = value.getDefiningOp<plm::GetParameterOp>();
  if (!get || !typeOf(value).getElementType().isF32())
    return failure();
  plk::WeightOp &known =
      weights[llvm::formatv("{0}|bf16{1}", get.getParameter(),
                            linear.getTransposed() ? "t" : "")
                  .str()];
  if (!known) {
    known = create(get, /*panels=*/true, linear.getTransposed());
    known.setPrecision(precision);
  }
  return known;
}

plk::WeightOp WeightLowering::create(plm::GetParameterOp get, bool panels,
                                     bool transposed) {
  SmallVector<int64_t> shape(typeOf(get.getResult()).getShape());
  if (transposed)
    std::swap(shape[0], shape[1]);
  builder.setInsertionPoint(func);
  auto op = plk::WeightOp::create(
      builder, get.getLoc(),
      (get.getParameter() + (panels ? ".panels" : ".plain")).str(),
      builder.getArrayAttr({get.getParameterAttr()}), shape,
      panels ? builder.getI64IntegerAttr(panelWidth) : IntegerAttr(),
      ArrayRef<bool>{transposed});
  symbols.insert(op); // renames on a clash
  return op;
}

FailureOr<plk::WeightOp> WeightLowering::plain(Value value, bool panels,
                                               bool transposed) {
  auto get = value.getDefiningOp<plm::GetParameterOp>();
  if (!get || !typeOf(value).getElementType().isF32())
    return failure();
  plk::WeightOp &known =
      weights[llvm::formatv("{0}|{1}{2}", get.getParameter(), panels ? "p" : "",
                            transposed ? "t" : "")
                  .str()];
  if (!known)
    known = create(get, panels, transposed);
  return known;
}

FlatSymbolRefAttr WeightLowering::store(StringRef name, ArrayRef<float> values,
                                        ArrayRef<int64_t> shape,
                                        int64_t panel) {
  return storeBlob(name, HeapAsmResourceBlob::allocateAndCopyInferAlign(values),
                   RankedTensorType::get(shape, builder.getF32Type()), panel);
}

FlatSymbolRefAttr WeightLowering::storeBlob(StringRef name,
                                            AsmResourceBlob blob,
                                            RankedTensorType type,
                                            int64_t panel) {
  builder.setInsertionPoint(func);
  auto parameter = plm::ParameterOp::create(
      builder, func.getLoc(), name,
      DenseResourceElementsAttr::get(type, name, std::move(blob)));
  symbols.insert(parameter); // renames on a clash
  auto op = plk::WeightOp::create(
      builder, func.getLoc(), (name + (panel ? ".panels" : ".plain")).str(),
      builder.getArrayAttr({FlatSymbolRefAttr::get(parameter)}),
      type.getShape(), panel ? builder.getI64IntegerAttr(panel) : IntegerAttr(),
      ArrayRef<bool>{false});
  if (!type.getElementType().isF32())
    op.setQuantizedAttr(TypeAttr::get(type.getElementType()));
  symbols.insert(op);
  return FlatSymbolRefAttr::get(op);
}

/// 8-bit values, and scales and zero points beside them: for panels one a
/// column, so that several weights can be put side by side.
FailureOr<plk::WeightOp>
WeightLowering::quantized(const QuantizedWeight &source, bool panels,
                          bool transposed) {
  plm::GetParameterOp get = source.parameter;
  SmallVector<int64_t> shape(typeOf(get.getResult()).getShape());
  if (transposed)
    std::swap(shape[0], shape[1]);
  int64_t axis = panels ? 1 : source.axis;
  int64_t count = axis < 0 ? 1 : shape[axis];
  auto scales = source.scales(count), zeroPoints = source.zeroPoints(count);
  if (!scales || !zeroPoints) {
    for (auto *error : {&scales, &zeroPoints})
      if (!*error)
        get.emitOpError() << llvm::toString(error->takeError());
    return failure();
  }
  plk::WeightOp &known =
      weights[llvm::formatv("{0}|{1}{2}q{3}|{4:x}|{5:x}", get.getParameter(),
                            panels ? "p" : "", transposed ? "t" : "", axis,
                            hashOf(*scales), hashOf(*zeroPoints))
                  .str()];
  if (known)
    return known;
  std::string name = get.getParameter().str();
  Ref scale = store(name + ".scale", *scales, {count}), zeroPoint;
  if (!zeroPoints->empty())
    zeroPoint = store(name + ".zero_point", *zeroPoints, {count});
  plk::WeightOp op = create(get, panels, transposed);
  op.setQuantizedAttr(TypeAttr::get(source.elementType()));
  op.setScaleAttr(scale);
  op.setZeroPointAttr(zeroPoint);
  if (axis >= 0)
    op.setAxisAttr(builder.getI64IntegerAttr(axis));
  return known = op;
}

/// The sums of the columns of a dequantised [K, N] (or [N, K]) weight.
static llvm::Expected<std::vector<float>> columnSums(plm::ParameterOp parameter,
                                                     bool transposed,
                                                     ArrayRef<float> scales,
                                                     int64_t block) {
  auto tensor = tensorFromAttr(parameter.getValue());
  if (!tensor)
    return tensor.takeError();
  int64_t k = tensor->shape[transposed ? 1 : 0];
  int64_t n = tensor->shape[transposed ? 0 : 1];
  const int8_t *values = tensor->as<int8_t>();
  std::vector<double> sums(n, 0.0);
  for (int64_t row = 0; row < k; ++row)
    for (int64_t column = 0; column < n; ++column)
      sums[column] +=
          double(values[transposed ? column * k + row : row * n + column]) *
          scales[(block ? row / block : 0) * n + column];
  return std::vector<float>(sums.begin(), sums.end());
}

/// The weight of a product in int8: words of integers, and in panels their
/// scales [blocks, N] and the sums of the columns behind them.
FailureOr<plk::WeightOp> WeightLowering::integers(plm::LinearOp linear) {
  auto source = QuantizedWeight::matchBlocks(linear.getWeight());
  if (!source || !source->elementType().isSignlessInteger(8))
    return linear.emitOpError("in int8 takes a weight whose integers are an i8 "
                              "parameter and whose scales are constant");
  plm::GetParameterOp get = source->parameter;
  bool transposed = linear.getTransposed();
  SmallVector<int64_t> shape(typeOf(get.getResult()).getShape());
  int64_t kAxis = transposed ? 1 : 0;
  int64_t k = shape[kAxis], n = shape[1 - kAxis], block = source->block;
  if (k > (int64_t(1) << 16))
    return linear.emitOpError("in int8 sums more than 65536 products");
  bool ofColumns = source->axis == 1 - kAxis;
  if (block ? ofColumns || k % block || block % 32
            : source->axis >= 0 && !ofColumns)
    return linear.emitOpError(
        "in int8 needs one scale for each column of the weight, or for blocks "
        "of 32, 64, ... of its rows that divide their number");
  int64_t blocks = block ? k / block : 1;
  auto values = source->scales(blocks * n);
  if (!values) {
    linear.emitOpError() << llvm::toString(values.takeError());
    return failure();
  }
  std::vector<float> scales(*values);
  if (block && transposed) // [N, blocks]
    for (int64_t i = 0; i < blocks; ++i)
      for (int64_t column = 0; column < n; ++column)
        scales[i * n + column] = (*values)[column * blocks + i];
  plk::WeightOp &known =
      weights[llvm::formatv("{0}|i{1}{2}|{3}|{4:x}", get.getParameter(),
                            source->bits, transposed ? "t" : "", block,
                            hashOf(scales))
                  .str()];
  if (known)
    return known;
  auto sums = columnSums(symbols.lookup<plm::ParameterOp>(get.getParameter()),
                         transposed, scales, block);
  if (!sums) {
    linear.emitOpError() << llvm::toString(sums.takeError());
    return failure();
  }
  llvm::append_range(scales, *sums);
  Ref scale = store((get.getParameter() + ".scale").str(), scales,
                    {blocks + 1, n}, panelWidth);
  plk::WeightOp op = create(get, /*panels=*/true, transposed);
  op.setQuantizedAttr(TypeAttr::get(source->elementType()));
  op.setScaleAttr(scale);
  op.setAxisAttr(builder.getI64IntegerAttr(1));
  op.setPrecision(plm::Precision::Int8);
  op.setBits(source->bits <= 4 ? 4 : 8);
  if (block)
    op.setBlock(block);
  return known = op;
}

plk::WeightOp WeightLowering::integerPanels(plm::LinearOp linear) {
  auto source = QuantizedWeight::match(linear.getWeight());
  int64_t ofColumns = linear.getTransposed() ? 0 : 1;
  if (linear.getPrecision() || !source ||
      !source->elementType().isSignlessInteger(8) ||
      (source->axis >= 0 && source->axis != ofColumns))
    return {};
  ArrayRef<int64_t> shape = typeOf(linear.getWeight()).getShape();
  if (shape[1 - ofColumns] > (int64_t(1) << 16)) // sums must fit 32 bits
    return {};
  auto zeroPoints = source->zeroPoints(shape[ofColumns]);
  if (!zeroPoints) {
    llvm::consumeError(zeroPoints.takeError());
    return {};
  }
  if (!zeroPoints->empty())
    return {};
  FailureOr<plk::WeightOp> weight = integers(linear);
  return failed(weight) ? plk::WeightOp() : *weight;
}

FailureOr<FlatSymbolRefAttr> WeightLowering::row(Value value) {
  if (auto constant = value.getDefiningOp<plm::ConstantOp>()) {
    auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
    if (!dense || !typeOf(value).getElementType().isF32() ||
        typeOf(value).getRank() != 1)
      return failure();
    // Spelled out as bytes: a splat attribute has no storage to pack from.
    auto values = llvm::to_vector(dense.getValues<float>());
    return store("constant", values, {int64_t(values.size())});
  }
  return refTo(plain(value, /*panels=*/false, /*transposed=*/false));
}
