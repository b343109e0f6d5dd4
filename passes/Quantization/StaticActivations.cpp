//===- StaticActivations.cpp - Fixed scales for products in int8 ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product in int8 finds the range of each token while the model runs. Here it
// gets a plm.quantize and a plm.dequantize with one scale for all tokens
// instead, in the form in which other tools write quantized models: exported as
// ONNX, the result is standard QDQ, and code generation has integer kernels for
// it.
//
//===----------------------------------------------------------------------===//

#include "ActivationRange.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Calibration/ActivationScan.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Passes/Quantization.h"
#include "plmc/Support/Counters.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_STATICACTIVATIONS
#define GEN_PASS_DEF_STATICACTIVATIONS
#include "Passes.h.inc"
} // namespace plmc

namespace {

struct StaticActivations
    : plmc::impl::StaticActivationsBase<StaticActivations> {
  using StaticActivationsBase::StaticActivationsBase;

  void runOnOperation() override;

private:
  llvm::Error runAll(func::FuncOp func);
};

/// The integer product with a given scale wants one for each output, and
/// nothing else: groups and zero points would need the sum of the codes of a
/// block.
bool suits(LinearOp op) {
  auto weight = op.getWeight().getDefiningOp<DequantizeOp>();
  return op.getPrecision() == Precision::Int8 && weight &&
         !weight.getBlockSize() && !weight.getZeroPoint() &&
         op.getInput().getDefiningOp();
}

/// `value` through bytes and back.
Value quantized(Value value, const plmc::ActivationScale &chosen) {
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  Location loc = value.getLoc();
  auto type = cast<RankedTensorType>(value.getType());
  auto number = [&](Type element, Attribute attr) -> Value {
    auto type = RankedTensorType::get({}, element);
    return ConstantOp::create(builder, loc, type,
                              DenseElementsAttr::get(type, attr));
  };
  Value scale =
      number(builder.getF32Type(), builder.getF32FloatAttr(chosen.scale));
  Value zero =
      number(builder.getI8Type(), builder.getI8IntegerAttr(chosen.zero));
  Value codes = QuantizeOp::create(builder, loc,
                                   RankedTensorType::get(type.getShape(),
                                                         builder.getI8Type(),
                                                         type.getEncoding()),
                                   value, scale, zero, /*axis=*/0);
  return DequantizeOp::create(builder, loc, type, codes, scale, zero);
}

} // namespace

llvm::Error StaticActivations::runAll(func::FuncOp func) {
  auto range =
      llvm::StringSwitch<std::optional<plmc::RangeMethod>>(method.getValue())
          .Case("min-max", plmc::RangeMethod::MinMax)
          .Case("percentile", plmc::RangeMethod::Percentile)
          .Case("mse", plmc::RangeMethod::SquaredError)
          .Default(std::nullopt);
  if (!range)
    return llvm::createStringError("method=" + method.getValue() +
                                   ": known are min-max, percentile, mse");
  if (!(percentile > 50 && percentile <= 100))
    return llvm::createStringError("percentile must be above 50, at most 100");
  if (calibration.empty())
    return llvm::createStringError(
        "the ranges of activations need data: give calibration=FILE.npz");
  // By the value that they read, in the order in which values are computed.
  llvm::MapVector<Value, SmallVector<LinearOp>> readers;
  int64_t dynamic = 0;
  for (Operation &op : func.getBody().front()) {
    for (Value result : op.getResults())
      for (Operation *user : result.getUsers())
        if (auto linear = dyn_cast<LinearOp>(user);
            linear && linear.getInput() == result && suits(linear))
          readers[result].push_back(linear);
    if (auto linear = dyn_cast<LinearOp>(op))
      dynamic += linear.getPrecision() == Precision::Int8 && !suits(linear);
  }
  if (dynamic)
    plmc::addCounter(getOperation(), getArgument(), "products left dynamic",
                     dynamic);
  if (readers.empty())
    return llvm::Error::success();
  auto set = plmc::CalibrationSet::read(calibration);
  if (!set)
    return set.takeError();
  SmallVector<Value> values;
  for (auto &[value, unused] : readers)
    values.push_back(value);
  std::vector<plmc::ActivationScale> scales;
  if (llvm::Error error = plmc::scanActivations(
          func, *set, values, [&](Value, plmc::Matrix &rows) {
            scales.push_back(
                plmc::chooseActivationScale(rows, *range, percentile));
            return llvm::Error::success();
          }))
    return error;
  for (auto [entry, scale] : llvm::zip(readers, scales)) {
    Value value = quantized(entry.first, scale);
    for (LinearOp linear : entry.second) {
      linear.getInputMutable().assign(value);
      linear.removePrecisionAttr();
      plmc::addCounter(getOperation(), getArgument(),
                       "products with a fixed scale", 1);
    }
  }
  return llvm::Error::success();
}

void StaticActivations::runOnOperation() {
  auto func = getOperation().lookupSymbol<func::FuncOp>("forward");
  if (!func || func.isExternal()) {
    getOperation().emitError("there is no function @forward to quantize");
    return signalPassFailure();
  }
  if (llvm::Error error = runAll(func)) {
    getOperation().emitError() << llvm::toString(std::move(error));
    signalPassFailure();
  }
}

std::unique_ptr<Pass> plmc::createStaticActivationsPass() {
  return std::make_unique<StaticActivations>();
}
