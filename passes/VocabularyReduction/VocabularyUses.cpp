//===- VocabularyUses.cpp - What is indexed by token ids
//---------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The table of word embeddings is what token ids read. Whatever else has its
// rows as a dimension must follow when they become fewer, and what cannot is
// an error: a model half of which has another vocabulary is worse than none.
// An output as wide as the vocabulary is taken to be over it.
//
//===----------------------------------------------------------------------===//

#include "VocabularyUses.h"
#include "plmc/Inputs/Names.h"
#include "plmc/Interpreter/Interpreter.h"

using namespace mlir;
using namespace plmc;
using llvm::Error;

Error plmc::errorAt(Operation *op, const Twine &text) {
  std::string where;
  if (auto name = dyn_cast<NameLoc>(op->getLoc()))
    where = "node '" + name.getName().str() + "': ";
  return llvm::createStringError(where + op->getName().getStringRef().str() +
                                 " " + text.str());
}

/// The input that is read as token ids, if `ids` is one.
static BlockArgument tokenInput(Value ids) {
  while (auto cast = ids.getDefiningOp<plm::CastOp>())
    ids = cast.getInput();
  auto argument = dyn_cast<BlockArgument>(ids);
  if (!argument)
    return {};
  auto func = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  std::string name = inputName(func, argument.getArgNumber());
  for (StringRef other : {"type", "segment", "position", "mask"})
    if (StringRef(name).contains_insensitive(other))
      return {};
  return argument;
}

static plm::ParameterOp parameterOf(Value value, SymbolTable &symbols) {
  auto get = value.getDefiningOp<plm::GetParameterOp>();
  return get ? symbols.lookup<plm::ParameterOp>(get.getParameter())
             : plm::ParameterOp();
}

static int64_t lastSize(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() ? type.getShape().back() : -1;
}

static Error addDecoder(VocabularyUses &uses, plm::LinearOp op,
                        SymbolTable &symbols) {
  for (Operation *user : op->getUsers())
    if (!isa<func::ReturnOp>(user))
      return errorAt(user,
                     "reads the outputs over the vocabulary; keep another "
                     "output of the model (prune-outputs)");
  plm::ParameterOp weight = parameterOf(op.getWeight(), symbols);
  if (!weight)
    return errorAt(op,
                   "gives outputs over the vocabulary, and its weight is no "
                   "parameter (is it quantised?): reduce the vocabulary "
                   "before it is changed");
  if (op.getBias() && !isa_and_present<plm::GetParameterOp, plm::ConstantOp>(
                          op.getBias().getDefiningOp()))
    return errorAt(op, "gives outputs over the vocabulary, and its bias is no "
                       "parameter");
  if (op.getPrecision())
    return errorAt(op, "has a precision: reduce the vocabulary before "
                       "set-precision");
  uses.tied |= weight == uses.table;
  uses.decoders.push_back(op);
  return Error::success();
}

static Error checkReaders(VocabularyUses &uses, func::FuncOp func,
                          SymbolTable &symbols) {
  Error error = Error::success();
  func.walk([&](plm::GetParameterOp get) {
    if (get.getParameter() != uses.table.getSymName())
      return WalkResult::advance();
    for (OpOperand &use : get->getUses()) {
      Operation *op = use.getOwner();
      if (llvm::is_contained(uses.embeddings, op))
        continue;
      auto linear = dyn_cast<plm::LinearOp>(op);
      if (linear && use.getOperandNumber() == 1 && linear.getTransposed() &&
          llvm::is_contained(uses.decoders, linear))
        continue;
      error = errorAt(op, "reads the table of word embeddings @" +
                              uses.table.getSymName() +
                              " too, and cannot follow a smaller vocabulary");
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return error;
}

llvm::Expected<VocabularyUses> VocabularyUses::find(func::FuncOp func,
                                                    SymbolTable &symbols) {
  VocabularyUses uses;
  Operation *computed = nullptr, *second = nullptr;
  func.walk([&](plm::EmbeddingOp op) {
    BlockArgument input = tokenInput(op.getIds());
    if (!input)
      return;
    plm::ParameterOp table = parameterOf(op.getTable(), symbols);
    if (!table) {
      computed = op;
      return;
    }
    if (uses.table && uses.table != table) {
      second = op;
      return;
    }
    uses.table = table;
    uses.embeddings.push_back(op);
    if (!llvm::is_contained(uses.ids, input))
      uses.ids.push_back(input);
  });
  if (computed)
    return errorAt(
        computed, "reads a table of word embeddings that is no plain parameter "
                  "(quantised, or reduced already): put reduce-vocabulary "
                  "before the step that changed it");
  if (second)
    return errorAt(second, "reads a second table of word embeddings");
  if (!uses.table)
    return llvm::createStringError(
        "no table of word embeddings is read by token ids in this model");
  RankedTensorType type = uses.table.getTensorType();
  if (type.getRank() != 2 || !type.getElementType().isF32())
    return llvm::createStringError("the table of word embeddings @" +
                                   uses.table.getSymName() +
                                   " is no matrix of f32");
  uses.rows = type.getDimSize(0);
  uses.width = type.getDimSize(1);

  Operation *end = func.getBody().front().getTerminator();
  llvm::SmallPtrSet<Operation *, 4> seen;
  for (auto [index, value] : llvm::enumerate(end->getOperands())) {
    if (lastSize(value) != uses.rows)
      continue;
    auto linear = value.getDefiningOp<plm::LinearOp>();
    if (!linear)
      return llvm::createStringError(
          "output '" + outputName(func, index) +
          "' is as wide as the vocabulary and not the result of plm.linear; "
          "keep other outputs (prune-outputs)");
    if (seen.insert(linear).second)
      if (Error error = addDecoder(uses, linear, symbols))
        return std::move(error);
  }
  if (Error error = checkReaders(uses, func, symbols))
    return std::move(error);
  return uses;
}

llvm::Expected<Matrix> VocabularyUses::values() const {
  auto tensor = tensorFromAttr(plm::ParameterOp(table).getValue());
  if (!tensor)
    return llvm::createStringError(
        "@" + plm::ParameterOp(table).getSymName() +
        " has no value: " + llvm::toString(tensor.takeError()));
  return Matrix(Eigen::Map<const Matrix>(tensor->as<float>(), rows, width));
}
