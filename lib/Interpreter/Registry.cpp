//===- Registry.cpp - Evaluators by operation name ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Registry.h"
#include "Tensors.h"
#include "mlir/IR/Location.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/raw_ostream.h"
#include <new>

using namespace mlir;
using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::Twine;

namespace plmc {
namespace interp {

std::string describeLocation(Location location) {
  return llvm::TypeSwitch<Location, std::string>(location)
      .Case([](NameLoc loc) {
        return ("node '" + loc.getName().getValue() + "'").str();
      })
      .Case([](FileLineColLoc loc) {
        return (loc.getFilename().getValue() + ":" + Twine(loc.getLine()) +
                ":" + Twine(loc.getColumn()))
            .str();
      })
      .Case([](FusedLoc loc) {
        for (Location part : loc.getLocations())
          if (isa<NameLoc>(part))
            return describeLocation(part);
        if (loc.getLocations().empty())
          return std::string("unknown location");
        return describeLocation(loc.getLocations().front());
      })
      .Case([](CallSiteLoc loc) { return describeLocation(loc.getCallee()); })
      .Default([](Location) { return std::string("unknown location"); });
}

Error EvalContext::error(const Twine &message) const {
  return llvm::createStringError(describeLocation(op->getLoc()) + ": " +
                                 op->getName().getStringRef() + ": " + message);
}

Expected<int64_t> EvalContext::evaluate(StringRef expression) const {
  std::optional<DimExpr> expr = DimExpr::parse(expression);
  if (!expr)
    return error("malformed dimension expression '" + expression + "'");
  if (std::optional<int64_t> value = expr->evaluate(dims))
    return *value;
  for (const std::string &symbol : expr->symbols())
    if (!dims.count(symbol))
      return error("dimension '" + symbol + "' of '" + expression +
                   "' has no value; no input has it as a dimension");
  return error("value of dimension '" + expression + "' overflows");
}

Expected<SmallVector<int64_t, 4>>
EvalContext::shapeOf(RankedTensorType type) const {
  if (type.hasStaticShape())
    return SmallVector<int64_t, 4>(type.getShape());
  SmallVector<int64_t, 4> shape;
  for (const DimExpr &dim : getDims(type)) {
    Expected<int64_t> size = evaluate(dim.str());
    if (!size)
      return size.takeError();
    shape.push_back(*size);
  }
  return shape;
}

Expected<HostTensor> EvalContext::allocateResult() const {
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  std::optional<DType> dtype =
      type ? dtypeFromMLIR(type.getElementType()) : std::nullopt;
  if (!dtype)
    return error("result type is not a tensor of a supported element type");
  Expected<SmallVector<int64_t, 4>> shape = shapeOf(type);
  if (!shape)
    return shape.takeError();
  if (Error err = checkSize(*dtype, *shape, "result"))
    return error(llvm::toString(std::move(err)));
  return HostTensor(*dtype, *shape);
}

Expected<HostTensor>
EvalContext::allocateResultLike(const HostTensor &data) const {
  Expected<HostTensor> result = allocateResult();
  if (result && result->dtype != data.dtype)
    return error("moves elements of type " + dtypeName(data.dtype) +
                 " to a result of type " + dtypeName(result->dtype));
  return result;
}

Error EvalContext::checkResultShape(const HostTensor &result,
                                    ArrayRef<int64_t> shape) const {
  if (ArrayRef<int64_t>(result.shape) == shape)
    return Error::success();
  return error("computes a tensor of shape " + shapeString(shape) +
               " but its type says " + shapeString(result.shape));
}

Error EvalContext::checkAxis(int64_t axis, int64_t rank) const {
  if (axis >= 0 && axis < rank)
    return Error::success();
  return error("axis " + Twine(axis) + " is not in [0, " + Twine(rank) + ")");
}

const EvaluatorTable &evaluators() {
  static const EvaluatorTable table = [] {
    EvaluatorTable result;
    registerConstants(result);
    registerElementwise(result);
    registerBinary(result);
    registerShape(result);
    registerGather(result);
    registerScatter(result);
    registerReduce(result);
    registerQuantize(result);
    registerMatmul(result);
    registerTransformer(result);
    return result;
  }();
  return table;
}

Expected<HostTensor> evaluate(const EvalContext &context) {
  auto it = evaluators().find(context.op->getName().getStringRef());
  if (it == evaluators().end())
    return context.error("the operation has no reference semantics");
  if (!it->second || context.op->getNumResults() != 1)
    return context.error("the operation has no value");
  // The sizes of temporaries are not checked one by one.
  try {
    return it->second(context);
  } catch (const std::bad_alloc &) {
    return context.error("out of memory");
  }
}

} // namespace interp

bool hasReferenceSemantics(llvm::StringRef operationName) {
  return interp::evaluators().contains(operationName);
}

Expected<HostTensor> evaluateOp(Operation *op, ArrayRef<HostTensor> operands,
                                const DimValues &dims) {
  SmallVector<const HostTensor *> pointers;
  for (const HostTensor &operand : operands)
    pointers.push_back(&operand);
  interp::EvalContext context{op, pointers, dims};
  if (operands.size() != op->getNumOperands())
    return context.error("got " + Twine(operands.size()) +
                         " operand values for " + Twine(op->getNumOperands()) +
                         " operands");
  for (auto [index, operand] : llvm::enumerate(operands))
    if (Error err =
            interp::checkTensor(operand, op->getOperand(index).getType(),
                                "operand " + Twine(index)))
      return context.error(llvm::toString(std::move(err)));
  return interp::evaluate(context);
}

} // namespace plmc
