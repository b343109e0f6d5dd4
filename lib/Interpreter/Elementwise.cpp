//===- Elementwise.cpp - unary, select, cast, activation ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Floats are computed in double and rounded once, integers in 64 bits with
// wrapping arithmetic and stored modulo their own width, which gives what
// arithmetic in that width would.
//
//===----------------------------------------------------------------------===//

#include "Broadcast.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Interpreter/Scalar.h"
#include <cmath>

using llvm::Error;
using llvm::Expected;
using plmc::plm::ActivationKind;
using plmc::plm::UnaryKind;

namespace plmc::interp {

//===----------------------------------------------------------------------===//
// unary
//===----------------------------------------------------------------------===//

/// nullopt where the function is not defined on integers.
static std::optional<int64_t> unaryInt(UnaryKind kind, DType dtype, int64_t x) {
  switch (kind) {
  case UnaryKind::Neg:
    return -static_cast<uint64_t>(x);
  case UnaryKind::Abs:
    return x < 0 ? -static_cast<uint64_t>(x) : x;
  case UnaryKind::Floor:
  case UnaryKind::Ceil:
  case UnaryKind::Round:
    return x;
  case UnaryKind::Sign:
    return (x > 0) - (x < 0);
  case UnaryKind::Not: // logical on booleans, bitwise on the others
    return dtype == DType::Bool ? x == 0 : ~x;
  case UnaryKind::IsNaN:
  case UnaryKind::IsInf:
    return 0;
  default:
    return std::nullopt;
  }
}

static Expected<HostTensor> evaluateUnary(const EvalContext &ctx) {
  UnaryKind kind = llvm::cast<plm::UnaryOp>(ctx.op).getKind();
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (Error err = ctx.checkResultShape(*result, input.shape))
    return err;
  if (isFloat(input.dtype)) {
    std::vector<double> values = toDoubles(input);
    for (double &value : values)
      value = applyUnary(kind, value);
    storeDoubles(*result, values);
    return result;
  }
  std::vector<int64_t> values = toInts(input);
  for (int64_t &value : values) {
    std::optional<int64_t> y = unaryInt(kind, input.dtype, value);
    if (!y)
      return ctx.error(plm::stringifyUnaryKind(kind) +
                       " is not defined on integers");
    value = *y;
  }
  storeInts(*result, values);
  return result;
}

//===----------------------------------------------------------------------===//
// select, cast, activation
//===----------------------------------------------------------------------===//

static Expected<HostTensor> evaluateSelect(const EvalContext &ctx) {
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (Error err = checkBroadcast(ctx, *result))
    return err;
  if (ctx.operand(1).dtype != result->dtype ||
      ctx.operand(2).dtype != result->dtype)
    return ctx.error("both choices must have the result's element type");
  HostTensor condition(DType::Bool, result->shape);
  std::vector<int64_t> truth;
  for (double value : toDoubles(ctx.operand(0)))
    truth.push_back(value != 0);
  storeInts(condition,
            broadcastValues(
                truth, *broadcastStrides(ctx.operand(0).shape, result->shape),
                ctx.operand(0), *result));
  HostTensor choices[2] = {HostTensor(result->dtype, result->shape),
                           HostTensor(result->dtype, result->shape)};
  for (int which : {0, 1}) {
    const HostTensor &choice = ctx.operand(1 + which);
    copyStrided(choices[which], choice,
                *broadcastStrides(choice.shape, result->shape), 0);
  }
  size_t size = dtypeSize(result->dtype);
  for (int64_t i = 0, e = result->numElements(); i < e; ++i) {
    const HostTensor &choice = choices[condition.as<uint8_t>()[i] ? 0 : 1];
    std::copy_n(choice.data.data() + i * size, size,
                result->data.data() + i * size);
  }
  return result;
}

static Expected<HostTensor> evaluateCast(const EvalContext &ctx) {
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (Error err = ctx.checkResultShape(*result, input.shape))
    return err;
  if (isFloat(input.dtype))
    storeDoubles(*result, toDoubles(input));
  else
    storeInts(*result, toInts(input));
  return result;
}

static Expected<HostTensor> evaluateActivation(const EvalContext &ctx) {
  ActivationKind kind = llvm::cast<plm::ActivationOp>(ctx.op).getKind();
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (Error err = ctx.checkResultShape(*result, input.shape))
    return err;
  std::vector<double> values = toDoubles(input);
  for (double &value : values)
    value = applyActivation(kind, value);
  storeDoubles(*result, values);
  return result;
}

void registerElementwise(EvaluatorTable &table) {
  table["plm.unary"] = evaluateUnary;
  table["plm.select"] = evaluateSelect;
  table["plm.cast"] = evaluateCast;
  table["plm.activation"] = evaluateActivation;
}

} // namespace plmc::interp
