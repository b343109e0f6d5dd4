//===- LinearParameters.cpp - Weights of plm.linear on the host -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/LinearParameters.h"
#include "mlir/IR/AsmState.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/CopiedBlob.h"

using namespace mlir;
using namespace plmc;

plm::ParameterOp plmc::weightReadBy(ArrayRef<plm::LinearOp> ops,
                                    SymbolTable &symbols) {
  plm::ParameterOp parameter;
  for (plm::LinearOp op : ops) {
    auto get = op.getWeight().getDefiningOp<plm::GetParameterOp>();
    if (!get || !get.getType().getElementType().isF32())
      return {};
    auto read = symbols.lookup<plm::ParameterOp>(get.getParameter());
    if (parameter && read != parameter)
      return {};
    parameter = read;
  }
  size_t readers = 0;
  auto uses = SymbolTable::getSymbolUses(parameter, symbols.getOp());
  for (SymbolTable::SymbolUse use : *uses)
    readers +=
        std::distance(use.getUser()->use_begin(), use.getUser()->use_end());
  return readers == ops.size() ? parameter : plm::ParameterOp();
}

plm::ParameterOp plmc::ownWeight(plm::LinearOp op, SymbolTable &symbols) {
  return weightReadBy(op, symbols);
}

std::vector<SmallVector<plm::LinearOp>>
plmc::layersByWeight(func::FuncOp func) {
  llvm::MapVector<Attribute, SmallVector<plm::LinearOp>> readers;
  llvm::DenseSet<Attribute> left;
  func.walk([&](plm::GetParameterOp get) {
    Attribute name = get.getParameterAttr();
    for (OpOperand &use : get->getUses()) {
      auto linear = dyn_cast<plm::LinearOp>(use.getOwner());
      if (linear && use.getOperandNumber() == 1 &&
          get.getType().getElementType().isF32())
        readers[name].push_back(linear);
      else
        left.insert(name);
    }
  });
  std::vector<SmallVector<plm::LinearOp>> result;
  for (auto &entry : readers) {
    SmallVector<plm::LinearOp> &group = entry.second;
    // Uses come in no order that means anything.
    llvm::sort(group, [](plm::LinearOp a, plm::LinearOp b) {
      return a->isBeforeInBlock(b);
    });
    if (!left.contains(entry.first) &&
        llvm::all_of(group, [&](plm::LinearOp op) {
          return op.getTransposed() == group[0].getTransposed() &&
                 op.getPrecision() == group[0].getPrecision();
        }))
      result.push_back(std::move(group));
  }
  llvm::sort(result, [](auto &a, auto &b) {
    return a.front()->isBeforeInBlock(b.front());
  });
  return result;
}

bool plmc::isMadeOfParameters(Value value) {
  Operation *op = value.getDefiningOp();
  return op && isMemoryEffectFree(op) && !isa<plm::IotaOp>(op) &&
         llvm::all_of(op->getOperands(), isMadeOfParameters);
}

llvm::Expected<HostTensor> plmc::evaluate(Value value, SymbolTable &symbols) {
  Operation *op = value.getDefiningOp();
  if (auto get = dyn_cast<plm::GetParameterOp>(op))
    return tensorFromAttr(
        symbols.lookup<plm::ParameterOp>(get.getParameter()).getValue());
  std::vector<HostTensor> operands;
  for (Value operand : op->getOperands()) {
    auto tensor = evaluate(operand, symbols);
    if (!tensor)
      return tensor.takeError();
    operands.push_back(std::move(*tensor));
  }
  return evaluateOp(op, operands, {});
}

llvm::Expected<Matrix> plmc::weightOf(plm::LinearOp op, SymbolTable &symbols) {
  auto tensor = evaluate(op.getWeight(), symbols);
  if (!tensor)
    return tensor.takeError();
  Eigen::Map<const Matrix> stored(tensor->as<float>(), tensor->shape[0],
                                  tensor->shape[1]);
  return op.getTransposed() ? Matrix(stored) : Matrix(stored.transpose());
}

llvm::Expected<Vector> plmc::biasOf(plm::LinearOp op) {
  int64_t n = cast<RankedTensorType>(op.getType()).getShape().back();
  if (!op.getBias())
    return Vector(Vector::Zero(n));
  auto tensor = evaluateOp(op.getBias().getDefiningOp(), {}, {});
  if (!tensor)
    return tensor.takeError();
  return Vector(Eigen::Map<const Vector>(tensor->as<float>(), n));
}

Value plmc::addParameter(OpBuilder &builder, SymbolTable &symbols,
                         const Twine &name, RankedTensorType type,
                         AsmResourceBlob blob) {
  Location loc = builder.getInsertionPoint()->getLoc();
  auto module = cast<ModuleOp>(symbols.getOp());
  OpBuilder outer(module.getBodyRegion());
  auto parameter = plm::ParameterOp::create(
      outer, loc, name.str(),
      DenseResourceElementsAttr::get(type, name.str(), std::move(blob)));
  // Beside the others, in front of the function; renamed on a clash.
  symbols.insert(parameter, module.getBody()->begin());
  return plm::GetParameterOp::create(builder, loc, type,
                                     FlatSymbolRefAttr::get(parameter));
}

static AsmResourceBlob blobOf(ArrayRef<float> values) {
  return copiedBlob(values);
}

void plmc::setWeight(plm::LinearOp op, const Matrix &weight,
                     SymbolTable &symbols) {
  auto get = op.getWeight().getDefiningOp<plm::GetParameterOp>();
  OpBuilder builder(op);
  Matrix stored = op.getTransposed() ? weight : Matrix(weight.transpose());
  auto type = RankedTensorType::get({stored.rows(), stored.cols()},
                                    builder.getF32Type());
  op.getWeightMutable().assign(
      addParameter(builder, symbols, get.getParameter(), type,
                   blobOf(ArrayRef(stored.data(), stored.size()))));
}

void plmc::setBias(plm::LinearOp op, const Vector &bias, SymbolTable &symbols) {
  OpBuilder builder(op);
  std::string name = "linear.bias";
  if (op.getBias())
    if (auto get = op.getBias().getDefiningOp<plm::GetParameterOp>())
      name = get.getParameter().str();
  auto type = RankedTensorType::get({bias.size()}, builder.getF32Type());
  op.getBiasMutable().assign(
      addParameter(builder, symbols, name, type,
                   blobOf(ArrayRef(bias.data(), bias.size()))));
}

void plmc::shareWeight(plm::LinearOp op, ArrayRef<plm::LinearOp> others) {
  for (plm::LinearOp other : others) {
    other.getWeightMutable().assign(op.getWeight());
    other.setPrecisionAttr(op.getPrecisionAttr());
  }
}

void plmc::eraseUnusedParameters(ModuleOp module) {
  llvm::DenseSet<StringRef> used;
  // A chain may end unused: from the last to the first.
  SmallVector<Operation *> made;
  module.walk([&](Operation *op) {
    if (isa<plm::GetParameterOp, plm::DequantizeOp, plm::ConstantOp>(op))
      made.push_back(op);
  });
  for (Operation *op : llvm::reverse(made))
    if (op->use_empty())
      op->erase();
  module.walk(
      [&](plm::GetParameterOp get) { used.insert(get.getParameter()); });
  for (auto parameter :
       llvm::make_early_inc_range(module.getOps<plm::ParameterOp>()))
    if (!used.contains(parameter.getSymName()) &&
        SymbolTable::symbolKnownUseEmpty(parameter, module))
      parameter.erase();
}

LogicalResult
plmc::changeForward(ModuleOp module, llvm::StringRef what,
                    llvm::function_ref<llvm::Error(func::FuncOp)> body) {
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  if (!func || func.isExternal())
    return module.emitError() << "there is no function @forward to " << what;
  if (llvm::Error error = body(func))
    return module.emitError() << llvm::toString(std::move(error));
  eraseUnusedParameters(module);
  return success();
}
