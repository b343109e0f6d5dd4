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
#include "plmc/Support/MappedFiles.h"

using namespace mlir;
using namespace plmc;

LayerwiseFit::~LayerwiseFit() = default;

llvm::Expected<std::unique_ptr<LayerwiseFit>>
LayerwiseFit::create(func::FuncOp func, llvm::StringRef calibration) {
  if (calibration.empty())
    return llvm::createStringError(
        "this pass needs data: give calibration=FILE.npz");
  auto set = CalibrationSet::read(calibration);
  if (!set)
    return set.takeError();
  std::unique_ptr<LayerwiseFit> fit(new LayerwiseFit());
  auto module = func->getParentOfType<ModuleOp>();
  fit->func = func;
  fit->symbols.emplace(module);
  IRMapping mapping;
  fit->original = cast<ModuleOp>(module->clone(mapping));
  func.walk(
      [&](Operation *op) { fit->counterpart[op] = mapping.lookupOrNull(op); });
  auto batches = makeBatches(func, *set);
  if (!batches)
    return batches.takeError();
  fit->batches = std::move(*batches);
  fit->tokens = set->numTokens();
  fit->originalFunc = cast<func::FuncOp>(mapping.lookup(func.getOperation()));
  auto gemm = Gemm::create(func.getContext());
  if (!gemm)
    return gemm.takeError();
  fit->gemm = std::move(*gemm);
  return fit;
}

llvm::Error
LayerwiseFit::fitGroup(ArrayRef<plm::LinearOp> group,
                       llvm::function_ref<llvm::Error(FitLayer &)> visit) {
  auto inputs = now->rowSource(plm::LinearOp(group.front()).getInput());
  if (!inputs)
    return inputs.takeError();
  if (int8Inputs)
    *inputs = std::move(*inputs).then(
        [](Matrix &block, int64_t) { roundRowsToInt8(block); });
  auto ofInputs = InputStatistics::of(*gemm, std::move(*inputs));
  if (!ofInputs)
    return ofInputs.takeError();
  for (plm::LinearOp op : group) {
    FitLayer layer;
    layer.op = op;
    layer.isSettled = firstReader.lookup(op) != op;
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
    before->release(targetOf(op).teacher);
    layer.weight = std::move(*weight);
    layer.bias = std::move(*bias);
    layer.statistics = std::move(*statistics);
    // What `visit` does takes memory, too.
    layer.statistics.hessian =
        op == group.back() ? std::move(ofInputs->hessian) : ofInputs->hessian;
    auto get = op.getWeight().getDefiningOp<plm::GetParameterOp>();
    releaseMemory();
    if (llvm::Error error = visit(layer))
      return error;
    if (get)
      discardIfNew(get);
  }
  return llvm::Error::success();
}

/// A weight that the pass itself has made, and has replaced now, would be in
/// memory to the end.
void LayerwiseFit::discardIfNew(plm::GetParameterOp get) {
  if (!get->use_empty() ||
      SymbolTable::lookupSymbolIn(*original, get.getParameterAttr()))
    return;
  auto parameter = symbols->lookup<plm::ParameterOp>(get.getParameter());
  get->erase();
  if (!SymbolTable::symbolKnownUseEmpty(parameter, symbols->getOp()))
    return;
  auto values = dyn_cast<DenseResourceElementsAttr>(parameter.getValue());
  symbols->erase(parameter);
  if (values)
    values.getRawHandle().getResource()->setBlob(AsmResourceBlob());
}

void LayerwiseFit::keepOutputs(plm::LinearOp op, ArrayRef<int64_t> columns) {
  auto known = outputsKept.find(op);
  SmallVector<int64_t> kept;
  for (int64_t column : columns)
    kept.push_back(known == outputsKept.end() ? column : known->second[column]);
  outputsKept[op] = std::move(kept);
}

void LayerwiseFit::share(ArrayRef<plm::LinearOp> layers) {
  shared.emplace_back(layers.begin(), layers.end());
}

/// The layers to visit, and which of them have one weight.
void LayerwiseFit::findLayers() {
  layers.clear();
  firstReader.clear();
  laterReaders.clear();
  for (ArrayRef<plm::LinearOp> group : layersByWeight(func)) {
    auto type =
        cast<RankedTensorType>(plm::LinearOp(group[0]).getWeight().getType());
    if (type.getNumElements() >= minElements &&
        llvm::all_of(group,
                     [&](plm::LinearOp op) { return counterpart.count(op); }))
      for (plm::LinearOp op : group)
        firstReader[op] = group[0];
  }
  for (ArrayRef<plm::LinearOp> group : shared)
    for (plm::LinearOp op : group)
      if (firstReader.contains(op))
        firstReader[op] = group[0];
  func.walk([&](plm::LinearOp op) {
    auto first = firstReader.find(op);
    if (first == firstReader.end())
      return;
    layers.push_back(op);
    if (first->second != op)
      laterReaders[first->second].push_back(op);
  });
}

llvm::Error
LayerwiseFit::walk(std::vector<plm::LinearOp> visited,
                   llvm::function_ref<llvm::Error(FitLayer &)> visit) {
  asked = std::move(visited);
  now = std::make_unique<StepwiseRun>(func, batches);
  before = std::make_unique<StepwiseRun>(originalFunc, batches);
  reached = 0;
  originalNext = nullptr;
  findNorms();
  llvm::DenseSet<Operation *> done;
  llvm::DenseMap<Value, SmallVector<plm::LinearOp>> byInput;
  for (plm::LinearOp op : asked)
    byInput[op.getInput()].push_back(op);
  for (plm::LinearOp op : asked) {
    if (done.contains(op))
      continue;
    if (wasInterrupted())
      return llvm::createStringError("interrupted");
    if (llvm::Error error = now->advanceTo(op))
      return error;
    if (llvm::Error error = advanceOriginal(op))
      return error;
    if (normTarget(op))
      if (llvm::Error error = fitNorm(normBefore[op]))
        return error;
    SmallVector<plm::LinearOp> group{op};
    for (plm::LinearOp other : byInput[op.getInput()])
      if (other != op && !done.contains(other) && !targetOf(other).residual)
        group.push_back(other);
    done.insert(group.begin(), group.end());
    if (llvm::Error error = fitGroup(group, visit))
      return error;
  }
  return fitLastNorms();
}

/// Keeps what a later reader adds. The cross term is told about the weight of
/// the first: with W_i x = W_1 x + (W_i - W_1) x the residual to that is
/// r + (W_i - W_1) x. Equal weights leave it as it is, without rounding.
llvm::Error LayerwiseFit::record(FitLayer &layer) {
  Operation *first = firstReader.lookup(layer.op);
  Later &sums = later[first];
  LinearStatistics &one = layer.statistics;
  auto weight = weightOf(cast<plm::LinearOp>(first), *symbols);
  if (!weight)
    return weight.takeError();
  if (Matrix difference = layer.weight - *weight; !difference.isZero(0)) {
    auto product = gemm->times(difference, one.hessian);
    if (!product)
      return product.takeError();
    one.cross += *product;
  }
  if (sums.hessian.size()) {
    sums.hessian += one.hessian;
    sums.cross += one.cross;
  } else {
    sums.hessian = std::move(one.hessian);
    sums.cross = std::move(one.cross);
  }
  return llvm::Error::success();
}

/// Statistics of all readers, about the mean of their weights.
llvm::Error LayerwiseFit::addLater(FitLayer &layer) {
  auto &others = laterReaders[layer.op];
  layer.others = others;
  Later &sums = later[layer.op];
  LinearStatistics &all = layer.statistics;
  float count = float(1 + others.size());
  all.hessian += sums.hessian;
  all.cross += sums.cross;
  Matrix shift = Matrix::Zero(layer.weight.rows(), layer.weight.cols());
  for (plm::LinearOp other : others) {
    auto weight = weightOf(other, *symbols);
    if (!weight)
      return weight.takeError();
    shift += *weight - layer.weight;
  }
  if (!shift.isZero(0)) {
    shift /= count;
    layer.weight += shift;
    all.cross.noalias() -= shift * all.hessian;
    all.residualMean -= shift * all.inputMean;
  }
  all.hessian /= count;
  all.cross /= count;
  later.erase(layer.op);
  return llvm::Error::success();
}

llvm::Error
LayerwiseFit::run(llvm::function_ref<llvm::Error(FitLayer &)> change) {
  findLayers();
  later.clear();
  std::vector<plm::LinearOp> settled;
  for (plm::LinearOp op : layers)
    if (firstReader.lookup(op) != op)
      settled.push_back(op);
  if (!settled.empty()) {
    bool wanted = std::exchange(norms, false); // nothing changes yet
    llvm::Error error =
        walk(settled, [&](FitLayer &layer) { return record(layer); });
    norms = wanted;
    if (error)
      return error;
  }
  llvm::Error error = walk(layers, [&](FitLayer &layer) -> llvm::Error {
    bool isFirst = laterReaders.contains(layer.op);
    if (isFirst)
      if (llvm::Error error = addLater(layer))
        return error;
    if (llvm::Error error = change(layer))
      return error;
    if (isFirst)
      shareWeight(layer.op, layer.others);
    return llvm::Error::success();
  });
  shared.clear();
  return error;
}
