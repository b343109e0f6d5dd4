//===- StepwiseRun.cpp - A function run part by part ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// What lies between two stops is a model of its own, whose inputs are values of
// the parts before. The sizes of a model's inputs are symbols or numbers, since
// it learns the symbols from them. Some values have others: relative positions
// (DeBERTa) make scores [heads * batch, sequence, sequence]. These are no
// inputs; the parts that read them compute them again from what is one.
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/StepwiseRun.h"
#include "Segment.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/MappedFiles.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace plmc;

StepwiseRun::StepwiseRun(func::FuncOp func, ArrayRef<CalibrationBatch> batches)
    : func(func), batches(batches), next(&func.getBody().front().front()) {
  for (BlockArgument argument : func.getArguments())
    for (const CalibrationBatch &batch : batches)
      values[argument].push_back(batch.inputs[argument.getArgNumber()]);
}

/// True unless the op has run.
bool StepwiseRun::isAhead(Operation *op) const {
  return op == next || next->isBeforeInBlock(op);
}

/// Whether a part of the model can be given the value.
static bool canBeInput(Value value) {
  return llvm::all_of(
      getDims(cast<RankedTensorType>(value.getType())),
      [](const DimExpr &dim) { return dim.isConstant() || dim.isSymbol(); });
}

/// The values that ops ahead read, and those from which they will compute again
/// what they cannot be given.
llvm::DenseSet<Value> StepwiseRun::valuesRead() const {
  llvm::DenseSet<Value> read;
  for (const auto &entry : kept)
    read.insert(entry.first);
  for (Operation &op : llvm::reverse(*next->getBlock())) {
    bool again = llvm::any_of(op.getResults(), [&](Value result) {
      return read.contains(result) && !canBeInput(result);
    });
    if (isAhead(&op) || again)
      read.insert(op.operand_begin(), op.operand_end());
  }
  return read;
}

/// Whether the interpreter takes less time than the fraction of a second that
/// a compilation takes.
bool StepwiseRun::isSmall(ArrayRef<Operation *> ops) const {
  constexpr double most = 3e7; // multiply-adds
  double positions = 0, pairs = 0, work = 0;
  for (const CalibrationBatch &batch : batches) {
    positions += double(batch.batch) * batch.length;
    pairs += double(batch.batch) * batch.length * batch.length;
  }
  auto sizeOf = [](Value value) {
    double size = 1;
    for (int64_t dim : cast<RankedTensorType>(value.getType()).getShape())
      size *= ShapedType::isDynamic(dim) ? 1 : dim;
    return size;
  };
  for (Operation *op : ops) {
    if (isa<plm::MatmulOp>(op)) // shapes of any kind
      return false;
    if (auto linear = dyn_cast<plm::LinearOp>(op))
      work += positions * sizeOf(linear.getWeight());
    else if (auto attention = dyn_cast<plm::AttentionOp>(op))
      work += 2 * pairs * sizeOf(attention.getResult());
    else
      for (Value result : op->getResults())
        work += 8 * positions * sizeOf(result);
  }
  return work < most;
}

using Runner = std::function<llvm::Expected<std::vector<HostTensor>>(
    ArrayRef<HostTensor>)>;

/// Computes what the module does by the interpreter or by a library.
static llvm::Expected<Runner> runnerOf(ModuleOp module, bool interpreted) {
  if (interpreted) {
    auto func = *module.getOps<func::FuncOp>().begin();
    return
        [func](ArrayRef<HostTensor> inputs) { return interpret(func, inputs); };
  }
  auto model = compileForHost(module);
  if (!model)
    return model.takeError();
  auto context = (*model)->createContext(/*threads=*/0);
  if (!context)
    return context.takeError();
  // std::function copies what it holds.
  std::shared_ptr<LoadedModel> library = std::move(*model);
  std::shared_ptr<LoadedModel::Context> running = std::move(*context);
  return [library, running](ArrayRef<HostTensor> inputs) {
    return running->run(inputs);
  };
}

llvm::Error StepwiseRun::advanceTo(Operation *op, ArrayRef<Value> wanted) {
  for (Value value : wanted)
    ++kept[value];
  SmallVector<Operation *> ops;
  llvm::SetVector<Value> inputs, outputs;
  llvm::DenseSet<Operation *> inside;
  for (Operation *here = next; here != op; here = here->getNextNode()) {
    assert(here && "the op must stand ahead");
    if (isa<plm::ConstraintOp>(here) ||
        (here->getNumResults() == 1 && isMadeOfParameters(here->getResult(0))))
      continue;
    ops.push_back(here);
    inside.insert(here);
  }
  next = op;
  llvm::DenseSet<Value> read = valuesRead();
  llvm::SetVector<Value> needed;
  for (Operation *here : ops) {
    needed.insert(here->operand_begin(), here->operand_end());
    for (Value result : here->getResults())
      if (read.contains(result))
        outputs.insert(result);
  }
  for (size_t i = 0; i < needed.size(); ++i) { // it grows
    Value value = needed[i];
    Operation *producer = value.getDefiningOp();
    if (inside.contains(producer) || isMadeOfParameters(value))
      continue;
    if (!producer || canBeInput(value))
      inputs.insert(value);
    else
      needed.insert(producer->operand_begin(), producer->operand_end());
  }
  // Ops whose results nobody reads make no segment.
  if (!outputs.empty()) {
    // Dimensions must come from an input: the ids have both.
    for (BlockArgument argument : func.getArguments())
      inputs.insert(argument);
    OwningOpRef<ModuleOp> module =
        extractSegment(func, ops, inputs.getArrayRef(), outputs.getArrayRef());
    auto run = runnerOf(*module, interpretSmall && isSmall(ops));
    if (!run)
      return run.takeError();
    for (Value input : inputs)
      if (!values.contains(input))
        return llvm::createStringError("calibration misses a value");
    for (Value output : outputs)
      values[output].reserve(batches.size());
    releaseMemory(); // the part has its own copy of what it reads
    // A batch's inputs are lent to the part, not copied. What no part reads any
    // more goes here: the outputs come in its place.
    for (size_t batch = 0; batch < batches.size(); ++batch) {
      std::vector<HostTensor> given;
      for (Value input : inputs)
        given.push_back(std::move(values[input][batch]));
      auto results = (*run)(given);
      if (!results)
        return results.takeError();
      for (auto [input, tensor] : llvm::zip(inputs, given))
        if (isa<BlockArgument>(input) || read.contains(input))
          values[input][batch] = std::move(tensor);
      given.clear();
      for (auto [value, result] : llvm::zip(outputs, *results))
        values[value].push_back(std::move(result));
    }
  }
  SmallVector<Value> dead;
  for (auto &entry : values)
    if (!isa<BlockArgument>(entry.first) && !read.contains(entry.first))
      dead.push_back(entry.first);
  for (Value value : dead)
    values.erase(value);
  return llvm::Error::success();
}

bool StepwiseRun::isReadAhead(Value value) const {
  return llvm::any_of(value.getUsers(),
                      [&](Operation *user) { return isAhead(user); });
}

void StepwiseRun::release(Value value) {
  auto it = kept.find(value);
  if (it != kept.end() && --it->second == 0)
    kept.erase(it);
  if (!kept.contains(value) && !isReadAhead(value))
    values.erase(value);
}

void StepwiseRun::keepColumns(Value value, ArrayRef<int64_t> columns) {
  for (HostTensor &tensor : values[value]) {
    int64_t width = tensor.shape.back(), kept = columns.size();
    auto shape = tensor.shape;
    shape.back() = kept;
    HostTensor narrow(tensor.dtype, shape);
    for (int64_t row = 0; row < tensor.numElements() / width; ++row)
      for (int64_t i = 0; i < kept; ++i)
        narrow.as<float>()[row * kept + i] =
            tensor.as<float>()[row * width + columns[i]];
    tensor = std::move(narrow);
  }
}

void StepwiseRun::mapColumns(Value value, const ColumnMap &map) {
  for (HostTensor &tensor : values[value]) {
    int64_t width = map.scale.size();
    Eigen::Map<Matrix> rows(tensor.as<float>(), tensor.numElements() / width,
                            width);
    rows.array().rowwise() *= map.scale.transpose().array();
    rows.rowwise() += map.shift.transpose();
  }
}

/// The tensor's rows without those of padding, if it has one for each position.
static std::vector<const float *> rowsOf(const HostTensor &tensor,
                                         const CalibrationBatch &batch) {
  int64_t width = tensor.shape.back(), count = tensor.numElements() / width;
  bool byPosition = count == int64_t(batch.keep.size());
  std::vector<const float *> rows;
  for (int64_t i = 0; i < count; ++i)
    if (!byPosition || batch.keep[i])
      rows.push_back(tensor.as<float>() + i * width);
  return rows;
}

llvm::Expected<RowSource> StepwiseRun::rowSource(Value value) const {
  auto it = values.find(value);
  if (it == values.end() || it->second.empty())
    return llvm::createStringError("calibration misses a value");
  std::vector<const float *> rows;
  for (auto [tensor, batch] : llvm::zip(it->second, batches))
    llvm::append_range(rows, rowsOf(tensor, batch));
  int64_t count = rows.size(), width = it->second.front().shape.back();
  return RowSource{
      count, width,
      [rows = std::move(rows), width](int64_t first, int64_t count) {
        Matrix block(count, width);
        for (int64_t i = 0; i < count; ++i)
          std::copy_n(rows[first + i], width, block.row(i).data());
        return block;
      }};
}

llvm::Expected<Matrix> StepwiseRun::rows(Value value) const {
  auto source = rowSource(value);
  if (!source)
    return source.takeError();
  return source->read(0, source->rows);
}

llvm::Expected<Matrix> StepwiseRun::takeRows(Value value) {
  auto source = rowSource(value);
  if (!source)
    return source.takeError();
  kept.erase(value);
  if (isReadAhead(value))
    return source->read(0, source->rows);
  std::vector<HostTensor> tensors = std::move(values[value]);
  values.erase(value);
  Matrix result(source->rows, source->cols);
  int64_t row = 0;
  for (auto [tensor, batch] : llvm::zip(tensors, batches)) {
    for (const float *from : rowsOf(tensor, batch))
      std::copy_n(from, source->cols, result.row(row++).data());
    tensor = HostTensor();
  }
  return result;
}
