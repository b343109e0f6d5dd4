//===- LowerWeights.cpp - Parameters to plk.weight --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LowerWeights.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/CopiedBlob.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace plmc;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
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

FlatSymbolRefAttr WeightLowering::storeBlob(StringRef name,
                                            AsmResourceBlob values,
                                            RankedTensorType type,
                                            int64_t panel) {
  builder.setInsertionPoint(func);
  auto parameter = plm::ParameterOp::create(
      builder, func.getLoc(), name,
      DenseResourceElementsAttr::get(type, name, std::move(values)));
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

FlatSymbolRefAttr WeightLowering::store(StringRef name, ArrayRef<float> values,
                                        ArrayRef<int64_t> shape,
                                        int64_t panel) {
  return storeBlob(name, copiedBlob(values),
                   RankedTensorType::get(shape, builder.getF32Type()), panel);
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
  Ref scale = axis == 0 && !panels && zeroPoints->empty()
                  ? storeRowScales(name + ".scale", *scales, {count})
                  : store(name + ".scale", *scales, {count}),
      zeroPoint;
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
