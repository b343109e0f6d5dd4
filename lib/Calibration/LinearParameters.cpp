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

plm::ParameterOp plmc::ownWeight(plm::LinearOp op, SymbolTable &symbols) {
  auto get = op.getWeight().getDefiningOp<plm::GetParameterOp>();
  if (!get || !get->hasOneUse() || !get.getType().getElementType().isF32())
    return {};
  auto parameter = symbols.lookup<plm::ParameterOp>(get.getParameter());
  auto uses = SymbolTable::getSymbolUses(parameter, symbols.getOp());
  if (!uses || !llvm::hasSingleElement(*uses))
    return {};
  return parameter;
}

llvm::Expected<Matrix> plmc::weightOf(plm::LinearOp op, SymbolTable &symbols) {
  auto get = op.getWeight().getDefiningOp<plm::GetParameterOp>();
  auto parameter = symbols.lookup<plm::ParameterOp>(get.getParameter());
  auto tensor = tensorFromAttr(parameter.getValue());
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
