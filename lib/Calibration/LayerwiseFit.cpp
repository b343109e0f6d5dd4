//===- LayerwiseFit.cpp - Change layers one after another -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Two runs walk side by side: the original and the model as it is changed. The
// model stops at every group of layers that read one value (Q, K, V); the
// original runs ahead by some layers at a time, since a stop costs a
// compilation, and keeps what they are wanted to give.
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/LayerwiseFit.h"
#include "mlir/IR/IRMapping.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Support/Interrupt.h"

using namespace mlir;
using namespace plmc;

LayerwiseFit::~LayerwiseFit() = default;

llvm::Expected<std::unique_ptr<LayerwiseFit>>
LayerwiseFit::create(func::FuncOp func, const CalibrationSet &set) {
  std::unique_ptr<LayerwiseFit> fit(new LayerwiseFit());
  auto module = func->getParentOfType<ModuleOp>();
  fit->func = func;
  fit->symbols.emplace(module);
  IRMapping mapping;
  fit->original = cast<ModuleOp>(module->clone(mapping));
  func.walk([&](Operation *op) {
    fit->counterpart[op] = mapping.lookupOrNull(op);
    if (auto linear = dyn_cast<plm::LinearOp>(op))
      fit->layers.push_back(linear);
  });
  auto batches = makeBatches(func, set);
  if (!batches)
    return batches.takeError();
  fit->batches = std::move(*batches);
  fit->tokens = set.numTokens();
  auto original = cast<func::FuncOp>(mapping.lookup(func.getOperation()));
  fit->before = std::make_unique<StepwiseRun>(original, fit->batches);
  auto gemm = Gemm::create(func.getContext());
  if (!gemm)
    return gemm.takeError();
  fit->gemm = std::move(*gemm);
  return fit;
}

LayerwiseFit::Target LayerwiseFit::targetOf(plm::LinearOp op) {
  Value result = op.getResult();
  if (result.hasOneUse())
    if (auto add = dyn_cast<plm::BinaryOp>(*result.getUsers().begin());
        add && add.getKind() == plm::BinaryKind::Add &&
        add.getLhs().getType() == add.getRhs().getType() &&
        counterpart.count(add)) {
      Value other = add.getLhs() == result ? add.getRhs() : add.getLhs();
      // It must be there when the layer is.
      Operation *producer = other.getDefiningOp();
      if (other != result && (!producer || producer->isBeforeInBlock(op)))
        return {counterpart[add]->getResult(0), other};
    }
  return {counterpart[op]->getResult(0), Value()};
}

/// What the layer itself is wanted to give, without its residual.
llvm::Expected<Matrix> LayerwiseFit::wanted(plm::LinearOp op) {
  // The original runs to the end of the next few layers.
  auto it = llvm::find(layers, op);
  size_t index = it - layers.begin();
  if (index >= reached) {
    SmallVector<Value> values;
    Operation *last = nullptr;
    int64_t numbers = 0;
    size_t end = index;
    for (; end < layers.size(); ++end) {
      Value value = targetOf(layers[end]).teacher;
      numbers +=
          tokens * cast<RankedTensorType>(value.getType()).getShape().back();
      if (end > index && numbers > int64_t(128) << 20) // 512 MB
        break;
      values.push_back(value);
      Operation *producer = values.back().getDefiningOp();
      if (!last || last->isBeforeInBlock(producer))
        last = producer;
    }
    if (llvm::Error error = before->advanceTo(last->getNextNode(), values))
      return error;
    reached = end;
  }
  Target target = targetOf(op);
  auto result = before->rows(target.teacher);
  if (!result)
    return result.takeError();
  before->release(target.teacher);
  if (target.residual) {
    auto residual = now->rows(target.residual);
    if (!residual)
      return residual.takeError();
    *result -= *residual;
  }
  return result;
}

llvm::Error
LayerwiseFit::fitGroup(ArrayRef<plm::LinearOp> group,
                       llvm::function_ref<llvm::Error(FitLayer &)> change) {
  auto inputs = now->rows(plm::LinearOp(group.front()).getInput());
  if (!inputs)
    return inputs.takeError();
  if (int8Inputs)
    roundRowsToInt8(*inputs);
  auto ofInputs = InputStatistics::of(*gemm, *inputs);
  if (!ofInputs)
    return ofInputs.takeError();
  for (plm::LinearOp op : group) {
    FitLayer layer;
    layer.op = op;
    auto weight = weightOf(op, *symbols);
    if (!weight)
      return weight.takeError();
    auto bias = biasOf(op);
    if (!bias)
      return bias.takeError();
    auto outputs = wanted(op);
    if (!outputs)
      return outputs.takeError();
    auto statistics = ofInputs->with(*gemm, *outputs, *weight, *bias);
    if (!statistics)
      return statistics.takeError();
    layer.weight = std::move(*weight);
    layer.bias = std::move(*bias);
    layer.statistics = std::move(*statistics);
    if (llvm::Error error = change(layer))
      return error;
  }
  return llvm::Error::success();
}

llvm::Error
LayerwiseFit::run(llvm::function_ref<llvm::Error(FitLayer &)> change) {
  now = std::make_unique<StepwiseRun>(func, batches);
  SmallVector<plm::LinearOp> rest;
  func.walk([&](plm::LinearOp op) {
    auto type = cast<RankedTensorType>(op.getWeight().getType());
    if (counterpart.count(op) && ownWeight(op, *symbols) &&
        type.getNumElements() >= minElements)
      rest.push_back(op);
  });
  // What is asked of the original: the layers that will be changed.
  layers.assign(rest.begin(), rest.end());
  llvm::DenseSet<Operation *> done;
  for (plm::LinearOp op : rest) {
    if (done.contains(op))
      continue;
    if (wasInterrupted())
      return llvm::createStringError("interrupted");
    if (llvm::Error error = now->advanceTo(op))
      return error;
    SmallVector<plm::LinearOp> group{op};
    for (plm::LinearOp other : rest)
      if (other != op && !done.contains(other) &&
          other.getInput() == op.getInput() && !targetOf(other).residual)
        group.push_back(other);
    done.insert(group.begin(), group.end());
    if (llvm::Error error = fitGroup(group, change))
      return error;
  }
  return llvm::Error::success();
}
