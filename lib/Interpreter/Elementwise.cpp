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
#include <cmath>

using llvm::Error;
using llvm::Expected;
using plmc::plm::ActivationKind;
using plmc::plm::UnaryKind;

namespace plmc::interp {

//===----------------------------------------------------------------------===//
// unary
//===----------------------------------------------------------------------===//

static double unaryDouble(UnaryKind kind, double x) {
  switch (kind) {
  case UnaryKind::Neg:
    return -x;
  case UnaryKind::Abs:
    return std::fabs(x);
  case UnaryKind::Exp:
    return std::exp(x);
  case UnaryKind::Log:
    return std::log(x);
  case UnaryKind::Sqrt:
    return std::sqrt(x);
  case UnaryKind::Rsqrt:
    return 1 / std::sqrt(x);
  case UnaryKind::Reciprocal:
    return 1 / x;
  case UnaryKind::Erf:
    return std::erf(x);
  case UnaryKind::Floor:
    return std::floor(x);
  case UnaryKind::Ceil:
    return std::ceil(x);
  case UnaryKind::Sin:
    return std::sin(x);
  case UnaryKind::Cos:
    return std::cos(x);
  case UnaryKind::Sign:
    return std::isnan(x) ? x : (x > 0) - (x < 0);
  case UnaryKind::Not:
    return x == 0;
  case UnaryKind::IsNaN:
    return std::isnan(x);
  case UnaryKind::IsInf:
    return std::isinf(x);
  case UnaryKind::Round: // half to even, as ONNX
    return std::nearbyint(x);
  case UnaryKind::Softplus: // log(1 + e^x) without overflow
    return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)));
  }
  llvm_unreachable("unary kind");
}

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
      value = unaryDouble(kind, value);
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

static double activationDouble(ActivationKind kind, double x) {
  switch (kind) {
  case ActivationKind::Gelu: // x Phi(x); erfc keeps small tails exact
    return 0.5 * x * std::erfc(-x * M_SQRT1_2);
  case ActivationKind::GeluTanh:
    return 0.5 * x *
           (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
  case ActivationKind::Relu: // NaN stays
    return x < 0 ? 0 : x;
  case ActivationKind::Silu:
    return x / (1 + std::exp(-x));
  case ActivationKind::Tanh:
    return std::tanh(x);
  case ActivationKind::Sigmoid:
    return 1 / (1 + std::exp(-x));
  }
  llvm_unreachable("activation kind");
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
    value = activationDouble(kind, value);
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
