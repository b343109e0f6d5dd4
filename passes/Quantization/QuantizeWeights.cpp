//===- QuantizeWeights.cpp - Calibrated quantization of weights -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GPTQ.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"
#include "plmc/Calibration/LayerwiseFit.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Passes/Quantization.h"
#include "plmc/Support/CopiedBlob.h"
#include "plmc/Support/Counters.h"
#include "llvm/Support/Regex.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_QUANTIZEWEIGHTS
#define GEN_PASS_DEF_QUANTIZEWEIGHTS
#include "Passes.h.inc"
} // namespace plmc

namespace {

using plmc::GridShape;
using plmc::Matrix;
using plmc::RoundedWeight;
using plmc::Vector;

struct QuantizeWeights : plmc::impl::QuantizeWeightsBase<QuantizeWeights> {
  using QuantizeWeightsBase::QuantizeWeightsBase;

  void runOnOperation() override;

private:
  /// Bits of some weights.
  struct Rule {
    int64_t bits;
    std::string names; // a regular expression
  };
  llvm::Error checkOptions();
  int64_t bitsOf(ParameterOp parameter);
  int64_t blockFor(int64_t k) const;
  llvm::Error quantize(LinearOp op, const Matrix &weight,
                       plmc::FitLayer *layer);
  void store(LinearOp op, const RoundedWeight &rounded, const GridShape &shape,
             int64_t block);
  llvm::Error runAll(func::FuncOp func);

  std::vector<Rule> rules;
  SymbolTable *symbols = nullptr;
};

} // namespace

llvm::Error QuantizeWeights::checkOptions() {
  auto known = [](int64_t bits) {
    return bits == 8 || bits == 4 || bits == 3 || bits == 2;
  };
  if (!known(bits))
    return llvm::createStringError("bits=" + llvm::Twine(bits.getValue()) +
                                   ": known are 8, 4, 3, 2");
  if (groupSize != 0 && groupSize != 32 && groupSize != 64 && groupSize != 128)
    return llvm::createStringError(
        "group-size=" + llvm::Twine(groupSize.getValue()) +
        ": known are 0, 32, 64, 128");
  if (grid != "auto" && grid != "symmetric" && grid != "asymmetric")
    return llvm::createStringError("grid=" + grid.getValue() +
                                   ": known are auto, symmetric, asymmetric");
  if (method != "gptq" && method != "rtn")
    return llvm::createStringError("method=" + method.getValue() +
                                   ": known are gptq, rtn");
  if (method == "gptq" && calibration.empty())
    return llvm::createStringError(
        "method=gptq needs data: give calibration=FILE.npz, or method=rtn");
  if (!(damping > 0))
    return llvm::createStringError("damping must be above 0");
  rules.clear();
  SmallVector<StringRef> parts;
  StringRef(mixed).split(parts, ';', -1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    auto [number, names] = part.split(':');
    int64_t value;
    std::string problem;
    if (number.getAsInteger(10, value) || names.empty() ||
        (value != 0 && !known(value)))
      return llvm::createStringError("mixed=" + part +
                                     ": expected BITS:REGEX with 8, 4, 3, 2 or "
                                     "0 bits");
    if (!llvm::Regex(names).isValid(problem))
      return llvm::createStringError("mixed=" + part + ": " + problem);
    rules.push_back({value, names.str()});
  }
  return llvm::Error::success();
}

int64_t QuantizeWeights::bitsOf(ParameterOp parameter) {
  for (const Rule &rule : rules)
    if (llvm::Regex(rule.names).match(parameter.getSymName()))
      return rule.bits;
  return bits;
}

/// The largest group up to the one asked for that divides K; 0: none.
int64_t QuantizeWeights::blockFor(int64_t k) const {
  for (int64_t size = groupSize; size >= 32; size /= 2)
    if (k % size == 0 && k != size)
      return size;
  return 0;
}

void QuantizeWeights::store(LinearOp op, const RoundedWeight &rounded,
                            const GridShape &shape, int64_t block) {
  auto get = op.getWeight().getDefiningOp<GetParameterOp>();
  std::string name = get.getParameter().str();
  int64_t n = rounded.values.rows(), k = rounded.values.cols();
  int64_t blocks = rounded.blocks;
  bool outputsFirst = op.getTransposed();
  OpBuilder builder(op);
  std::vector<int8_t> codes(n * k), zeros(n * blocks);
  std::vector<float> scales(n * blocks);
  for (int64_t row = 0; row < n; ++row) {
    for (int64_t i = 0; i < k; ++i)
      codes[outputsFirst ? row * k + i : i * n + row] =
          rounded.codes[row * k + i];
    for (int64_t b = 0; b < blocks; ++b) {
      const plmc::GridLine &line = rounded.lines[row * blocks + b];
      int64_t at = outputsFirst ? row * blocks + b : b * n + row;
      scales[at] = line.scale;
      zeros[at] = line.zero;
    }
  }
  auto matrixType = [&](int64_t inputs, Type element) {
    return outputsFirst ? RankedTensorType::get({n, inputs}, element)
                        : RankedTensorType::get({inputs, n}, element);
  };
  auto lineType = [&](Type element) {
    return block ? matrixType(blocks, element)
                 : RankedTensorType::get({n}, element);
  };
  auto add = [&](const Twine &suffix, RankedTensorType type, auto values) {
    return plmc::addParameter(
        builder, *symbols, name + suffix, type,
        plmc::copiedBlob(ArrayRef(values.data(), values.size())));
  };
  Value values =
      add(".q" + Twine(shape.bits), matrixType(k, builder.getI8Type()), codes);
  Value scale = add(".scale", lineType(builder.getF32Type()), scales);
  Value zero = shape.symmetric
                   ? Value()
                   : add(".zero_point", lineType(builder.getI8Type()), zeros);
  int64_t ofOutputs = outputsFirst ? 0 : 1;
  auto dequantize = DequantizeOp::create(
      builder, op.getLoc(), op.getWeight().getType(), values, scale, zero,
      block ? 1 - ofOutputs : ofOutputs, block, shape.bits);
  op.getWeightMutable().assign(dequantize);
  op.setPrecision(Precision::Int8);
}

llvm::Error QuantizeWeights::quantize(LinearOp op, const Matrix &weight,
                                      plmc::FitLayer *layer) {
  if (layer && layer->isSettled) {
    if (op.getPrecision()) // unless its bits are 0
      plmc::setBias(op, layer->bias + layer->statistics.residualMean, *symbols);
    return llvm::Error::success();
  }
  auto get = op.getWeight().getDefiningOp<GetParameterOp>();
  auto parameter = symbols->lookup<ParameterOp>(get.getParameter());
  GridShape shape;
  shape.bits = bitsOf(parameter);
  if (!shape.bits)
    return llvm::Error::success();
  shape.symmetric = grid == "auto" ? shape.bits >= 4 : grid == "symmetric";
  int64_t block = shape.bits == 8 ? 0 : blockFor(weight.cols());
  shape.roundScale = block != 0;
  RoundedWeight rounded;
  if (layer) {
    const plmc::LinearStatistics &statistics = layer->statistics;
    Matrix wanted = weight;
    if (this->fit >= 0) {
      auto fitted = plmc::fitWeight(weight, statistics, this->fit);
      if (!fitted)
        return fitted.takeError();
      wanted = std::move(*fitted);
    }
    auto found =
        plmc::roundByGPTQ(wanted, statistics.hessian, block, shape, damping);
    if (!found)
      return found.takeError();
    rounded = std::move(*found);
    plmc::setBias(
        op, layer->bias + plmc::biasChange(weight, rounded.values, statistics),
        *symbols);
  } else {
    rounded = plmc::roundToNearest(weight, block, shape);
  }
  store(op, rounded, shape, block);
  plmc::addCounter(getOperation(), getArgument(),
                   "weights in " + std::to_string(shape.bits) + " bits", 1);
  return llvm::Error::success();
}

llvm::Error QuantizeWeights::runAll(func::FuncOp func) {
  if (llvm::Error error = checkOptions())
    return error;
  if (method == "rtn") {
    SymbolTable table(getOperation());
    symbols = &table;
    for (ArrayRef<LinearOp> group : plmc::layersByWeight(func)) {
      LinearOp op = group[0];
      auto type = cast<RankedTensorType>(op.getWeight().getType());
      if (op.getPrecision() || type.getNumElements() < minElements)
        continue;
      auto weight = plmc::weightOf(op, *symbols);
      if (!weight)
        return weight.takeError();
      if (llvm::Error error = quantize(op, *weight, nullptr))
        return error;
      plmc::shareWeight(op, group.drop_front());
    }
    return llvm::Error::success();
  }
  auto fit = plmc::LayerwiseFit::create(func, calibration);
  if (!fit)
    return fit.takeError();
  symbols = &(*fit)->symbolTable();
  (*fit)->minElements = minElements;
  (*fit)->norms = this->fit >= 0;
  return (*fit)->run([&](plmc::FitLayer &layer) {
    return quantize(layer.op, layer.weight, &layer);
  });
}

void QuantizeWeights::runOnOperation() {
  if (failed(
          plmc::changeForward(getOperation(), "quantize",
                              [&](func::FuncOp func) { return runAll(func); })))
    signalPassFailure();
}

std::unique_ptr<Pass> plmc::createQuantizeWeightsPass() {
  return std::make_unique<QuantizeWeights>();
}

void plmc::registerQuantizationPasses() {
  registerPass([] { return createQuantizeWeightsPass(); });
  registerPass([] { return createSmoothActivationsPass(); });
  registerPass([] { return createStaticActivationsPass(); });
}
