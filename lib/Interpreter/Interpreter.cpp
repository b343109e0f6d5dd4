//===- Interpreter.cpp - Runs a function ----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Memory: a value is freed after its last use, and parameters are copied out
// of the module only where they are used, so that a run needs little more
// than the largest layer beside the model itself.
//
//===----------------------------------------------------------------------===//

#include "plmc/Interpreter/Interpreter.h"
#include "Registry.h"
#include "Tensors.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"

using namespace mlir;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::Twine;

namespace plmc {
namespace {

class Interpreter {
public:
  explicit Interpreter(func::FuncOp func) : func(func) {}

  Expected<std::vector<HostTensor>> run(ArrayRef<HostTensor> inputs);

private:
  struct Slot {
    HostTensor owned;
    const HostTensor *value = nullptr; // `owned`, or the caller's input
    int64_t usesLeft = 0;
  };

  std::string inputName(unsigned index);
  Error bindInputs(ArrayRef<HostTensor> inputs);
  Error checkConstraint(plm::ConstraintOp op) const;
  /// The value; computes it first if it is a parameter or constant.
  Expected<const HostTensor *> lookUp(Operation *user, Value value);
  Error compute(Operation &op);
  void release(Operation &op);

  func::FuncOp func;
  DimValues dims;
  // Slots must not move: evaluators hold pointers into them.
  llvm::DenseMap<Value, std::unique_ptr<Slot>> slots;
};

std::string Interpreter::inputName(unsigned index) {
  auto name = func.getArgAttrOfType<StringAttr>(index, "plm.name");
  return name ? ("input '" + name.getValue() + "'").str()
              : "input " + std::to_string(index);
}

/// The name of a dimension that is one symbol and nothing else.
std::optional<std::string> singleSymbol(const DimExpr &dim) {
  const auto &terms = dim.getTerms();
  if (terms.size() != 1 || terms.begin()->second != 1 ||
      terms.begin()->first.size() != 1)
    return std::nullopt;
  return terms.begin()->first.front();
}

Error Interpreter::bindInputs(ArrayRef<HostTensor> inputs) {
  if (inputs.size() != func.getNumArguments())
    return llvm::createStringError("got " + Twine(inputs.size()) +
                                   " inputs, the model has " +
                                   Twine(func.getNumArguments()));
  for (auto [index, input] : llvm::enumerate(inputs)) {
    Type type = func.getArgument(index).getType();
    if (Error err = interp::checkTensor(input, type, inputName(index)))
      return err;
    for (auto [size, dim] :
         llvm::zip_equal(input.shape, getDims(cast<RankedTensorType>(type))))
      if (std::optional<std::string> symbol = singleSymbol(dim)) {
        auto [it, fresh] = dims.try_emplace(*symbol, size);
        if (!fresh && it->second != size)
          return llvm::createStringError(
              inputName(index) + ": dimension '" + *symbol + "' is " +
              Twine(size) + ", an earlier input has " + Twine(it->second));
      }
  }
  // What symbols alone do not say, such as 2*sequence.
  for (auto [index, input] : llvm::enumerate(inputs)) {
    auto type = cast<RankedTensorType>(func.getArgument(index).getType());
    for (auto [size, dim] : llvm::zip_equal(input.shape, getDims(type))) {
      std::optional<int64_t> expected = dim.evaluate(dims);
      if (!expected)
        return llvm::createStringError(inputName(index) + ": dimension '" +
                                       dim.str() + "' has no value");
      if (*expected != size)
        return llvm::createStringError(inputName(index) + ": dimension '" +
                                       dim.str() + "' is " + Twine(size) +
                                       ", expected " + Twine(*expected));
    }
  }
  return Error::success();
}

Error Interpreter::checkConstraint(plm::ConstraintOp op) const {
  interp::EvalContext context{op, {}, dims};
  Expected<int64_t> value = context.evaluate(op.getExpr());
  if (!value)
    return value.takeError();
  if (op.getEqual() ? *value == 0 : *value >= 0)
    return Error::success();
  return context.error(op.getMessage() + " (" + op.getExpr() + " is " +
                       Twine(*value) + ")");
}

Expected<const HostTensor *> Interpreter::lookUp(Operation *user, Value value) {
  auto it = slots.find(value);
  if (it == slots.end())
    return interp::EvalContext{user, {}, dims}.error(
        "an operand is not a value of this function");
  Slot &slot = *it->second;
  if (!slot.value) {
    Expected<HostTensor> tensor =
        interp::evaluate({value.getDefiningOp(), {}, dims});
    if (!tensor)
      return tensor.takeError();
    slot.owned = std::move(*tensor);
    slot.value = &slot.owned;
  }
  return slot.value;
}

Error Interpreter::compute(Operation &op) {
  if (auto constraint = dyn_cast<plm::ConstraintOp>(op))
    return checkConstraint(constraint);
  for (Value result : op.getResults()) {
    auto slot = std::make_unique<Slot>();
    slot->usesLeft = std::distance(result.use_begin(), result.use_end());
    slots[result] = std::move(slot);
  }
  if (isa<plm::GetParameterOp, plm::ConstantOp>(op))
    return Error::success(); // when it is used
  SmallVector<const HostTensor *> operands;
  for (Value operand : op.getOperands()) {
    Expected<const HostTensor *> tensor = lookUp(&op, operand);
    if (!tensor)
      return tensor.takeError();
    operands.push_back(*tensor);
  }
  Expected<HostTensor> result = interp::evaluate({&op, operands, dims});
  if (!result)
    return result.takeError();
  Slot &slot = *slots[op.getResult(0)];
  slot.owned = std::move(*result);
  slot.value = &slot.owned;
  return Error::success();
}

/// Frees the operands that `op` was the last to use, and unused results.
void Interpreter::release(Operation &op) {
  for (Value operand : op.getOperands())
    if (auto it = slots.find(operand);
        it != slots.end() && --it->second->usesLeft == 0)
      slots.erase(it);
  for (Value result : op.getResults())
    if (result.use_empty())
      slots.erase(result);
}

Expected<std::vector<HostTensor>>
Interpreter::run(ArrayRef<HostTensor> inputs) {
  if (!func || !func.getBody().hasOneBlock())
    return llvm::createStringError(
        "the function to interpret must have a body of one block");
  if (Error err = bindInputs(inputs))
    return err;
  for (auto [argument, input] : llvm::zip_equal(func.getArguments(), inputs)) {
    auto slot = std::make_unique<Slot>();
    slot->value = &input;
    slot->usesLeft = std::distance(argument.use_begin(), argument.use_end());
    slots[argument] = std::move(slot);
  }
  std::vector<HostTensor> outputs;
  for (Operation &op : func.getBody().front()) {
    if (!isa<func::ReturnOp>(op)) {
      if (Error err = compute(op))
        return err;
      release(op);
      continue;
    }
    for (Value operand : op.getOperands()) {
      Expected<const HostTensor *> tensor = lookUp(&op, operand);
      if (!tensor)
        return tensor.takeError();
      outputs.push_back(**tensor);
    }
  }
  return outputs;
}

} // namespace

Expected<std::vector<HostTensor>> interpret(func::FuncOp func,
                                            ArrayRef<HostTensor> inputs) {
  return Interpreter(func).run(inputs);
}

} // namespace plmc
