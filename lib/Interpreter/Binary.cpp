//===- Binary.cpp - binary, and how shapes broadcast ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Broadcast.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Interpreter/Scalar.h"
#include <cmath>

using llvm::Error;
using llvm::Expected;
using plmc::plm::BinaryKind;

namespace plmc::interp {

/// The shape that two shapes broadcast to, or nullopt.
static std::optional<llvm::SmallVector<int64_t, 4>>
commonShape(llvm::ArrayRef<int64_t> a, llvm::ArrayRef<int64_t> b) {
  if (a.size() < b.size())
    std::swap(a, b);
  llvm::SmallVector<int64_t, 4> shape(a);
  for (size_t i = 0; i < b.size(); ++i) {
    int64_t &size = shape[a.size() - b.size() + i];
    if (size == 1)
      size = b[i];
    else if (b[i] != 1 && b[i] != size)
      return std::nullopt;
  }
  return shape;
}

Error checkBroadcast(const EvalContext &ctx, const HostTensor &result) {
  llvm::SmallVector<int64_t, 4> shape(ctx.operand(0).shape);
  for (const HostTensor *operand : ctx.operands.drop_front()) {
    auto common = commonShape(shape, operand->shape);
    if (!common)
      return ctx.error("shapes " + shapeString(shape) + " and " +
                       shapeString(operand->shape) + " do not broadcast");
    shape = *common;
  }
  return ctx.checkResultShape(result, shape);
}

/// base^exponent modulo 2^64; nullopt for 0 to a negative power.
static std::optional<int64_t> powInt(int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 0)
      return std::nullopt;
    if (base == 1)
      return 1;
    if (base == -1)
      return exponent % 2 == 0 ? 1 : -1;
    return 0;
  }
  uint64_t result = 1, power = base;
  for (uint64_t rest = exponent; rest; rest >>= 1, power *= power)
    if (rest & 1)
      result *= power;
  return result;
}

/// Integer arithmetic; `problem` is set where there is no value.
static int64_t binaryInt(BinaryKind kind, DType dtype, int64_t a, int64_t b,
                         const char *&problem) {
  uint64_t ua = a, ub = b;
  switch (kind) {
  case BinaryKind::Add:
    return ua + ub;
  case BinaryKind::Sub:
    return ua - ub;
  case BinaryKind::Mul:
    return ua * ub;
  case BinaryKind::Div:
    if (b == 0) {
      problem = "integer division by zero";
      return 0;
    }
    if (b == -1 && a == minInt(dtype)) {
      problem = "integer division overflows: least value by -1";
      return 0;
    }
    return a / b;
  case BinaryKind::Mod: {
    if (b == 0) {
      problem = "integer modulo by zero";
      return 0;
    }
    if (b == -1)
      return 0;
    int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
  case BinaryKind::Pow:
    if (std::optional<int64_t> value = powInt(a, b))
      return *value;
    problem = "integer zero to a negative power";
    return 0;
  case BinaryKind::Min:
    return std::min(a, b);
  case BinaryKind::Max:
    return std::max(a, b);
  case BinaryKind::And:
    return a & b;
  case BinaryKind::Or:
    return a | b;
  case BinaryKind::Xor:
    return a ^ b;
  case BinaryKind::Eq:
    return a == b;
  case BinaryKind::Ne:
    return a != b;
  case BinaryKind::Lt:
    return a < b;
  case BinaryKind::Le:
    return a <= b;
  case BinaryKind::Gt:
    return a > b;
  case BinaryKind::Ge:
    return a >= b;
  }
  llvm_unreachable("binary kind");
}

static Expected<HostTensor> evaluateBinary(const EvalContext &ctx) {
  BinaryKind kind = llvm::cast<plm::BinaryOp>(ctx.op).getKind();
  const HostTensor &lhs = ctx.operand(0), &rhs = ctx.operand(1);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (Error err = checkBroadcast(ctx, *result))
    return err;
  auto lhsStrides = *broadcastStrides(lhs.shape, result->shape);
  auto rhsStrides = *broadcastStrides(rhs.shape, result->shape);
  if (isFloat(lhs.dtype) || isFloat(rhs.dtype)) {
    auto a = broadcastValues(toDoubles(lhs), lhsStrides, lhs, *result);
    auto b = broadcastValues(toDoubles(rhs), rhsStrides, rhs, *result);
    for (size_t i = 0; i < a.size(); ++i)
      a[i] = applyBinary(kind, a[i], b[i]);
    storeDoubles(*result, a);
    return result;
  }
  auto a = broadcastValues(toInts(lhs), lhsStrides, lhs, *result);
  auto b = broadcastValues(toInts(rhs), rhsStrides, rhs, *result);
  const char *problem = nullptr;
  for (size_t i = 0; i < a.size() && !problem; ++i)
    a[i] = binaryInt(kind, lhs.dtype, a[i], b[i], problem);
  if (problem)
    return ctx.error(problem);
  storeInts(*result, a);
  return result;
}

void registerBinary(EvaluatorTable &table) {
  table["plm.binary"] = evaluateBinary;
}

} // namespace plmc::interp
