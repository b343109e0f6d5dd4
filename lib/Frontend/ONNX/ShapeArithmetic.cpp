//===- ShapeArithmetic.cpp - Arithmetic on dimension expressions ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ShapeArithmetic.h"
#include "DimSymbols.h"

using namespace llvm;
using namespace plmc::plm;

namespace plmc::importer {

using Result = std::optional<DimExpr>;

static Result truth(bool value) { return DimExpr(value ? 1 : 0); }

Result applyUnary(UnaryKind kind, const DimExpr &x) {
  switch (kind) {
  case UnaryKind::Neg:
    return x * DimExpr(-1);
  case UnaryKind::Abs:
    if (provenLessEqual(0, x))
      return x;
    if (provenLessEqual(x, 0))
      return x * DimExpr(-1);
    return std::nullopt;
  case UnaryKind::Floor:
  case UnaryKind::Ceil:
  case UnaryKind::Round:
    return x; // contents are integers
  case UnaryKind::Sign:
    if (provenLessEqual(1, x))
      return DimExpr(1);
    return std::nullopt;
  case UnaryKind::Not:
    if (x.isConstant())
      return truth(x.isConstant(0));
    return std::nullopt;
  default:
    return std::nullopt;
  }
}

/// a < b as far as it can be decided.
static std::optional<bool> less(const DimExpr &a, const DimExpr &b) {
  if (provenLessEqual(a + DimExpr(1), b))
    return true;
  if (provenLessEqual(b, a))
    return false;
  return std::nullopt;
}

static std::optional<bool> equal(const DimExpr &a, const DimExpr &b) {
  if (a == b)
    return true;
  if (less(a, b) == true || less(b, a) == true)
    return false;
  return std::nullopt;
}

static Result toTruth(std::optional<bool> value, bool negate = false) {
  return value ? truth(*value != negate) : std::nullopt;
}

Result applyBinary(BinaryKind kind, const DimExpr &a, const DimExpr &b,
                   bool isFloat) {
  if (a.hasOverflow() || b.hasOverflow())
    return std::nullopt;
  switch (kind) {
  case BinaryKind::Add:
    return a + b;
  case BinaryKind::Sub:
    return a - b;
  case BinaryKind::Mul:
    return a * b;
  case BinaryKind::Div: {
    if (!isManageable(a) || !isManageable(b))
      return std::nullopt;
    if (Result quotient = a.divideExactly(b))
      return quotient;
    std::optional<int64_t> x = a.constant(), y = b.constant();
    if (!isFloat && x && y && *y != 0)
      return DimExpr(*x / *y);
    return std::nullopt;
  }
  case BinaryKind::Min:
  case BinaryKind::Max: {
    bool wantLess = kind == BinaryKind::Min;
    if (provenLessEqual(a, b))
      return wantLess ? a : b;
    if (provenLessEqual(b, a))
      return wantLess ? b : a;
    return std::nullopt;
  }
  case BinaryKind::Mod:
    if (isManageable(a) && isManageable(b) && a.divideExactly(b))
      return DimExpr(0);
    return std::nullopt;
  case BinaryKind::And:
  case BinaryKind::Or:
  case BinaryKind::Xor: {
    std::optional<int64_t> x = a.constant(), y = b.constant();
    if (!x || !y)
      return std::nullopt;
    if (kind == BinaryKind::And)
      return truth(*x && *y);
    return truth(kind == BinaryKind::Or ? *x || *y : !*x != !*y);
  }
  case BinaryKind::Eq:
    return toTruth(equal(a, b));
  case BinaryKind::Ne:
    return toTruth(equal(a, b), /*negate=*/true);
  case BinaryKind::Lt:
    return toTruth(less(a, b));
  case BinaryKind::Ge:
    return toTruth(less(a, b), /*negate=*/true);
  case BinaryKind::Gt:
    return toTruth(less(b, a));
  case BinaryKind::Le:
    return toTruth(less(b, a), /*negate=*/true);
  default:
    return std::nullopt;
  }
}

Result applyCast(const DimExpr &x, DType to) {
  switch (to) {
  case DType::Bool:
    return toTruth(equal(x, 0), /*negate=*/true);
  case DType::I64:
  case DType::I32:
  case DType::F32:
  case DType::F64:
    return x;
  default:
    return std::nullopt; // may not hold a dimension exactly
  }
}

Result applyReduce(ReduceKind kind, ArrayRef<DimExpr> elements) {
  BinaryKind step;
  switch (kind) {
  case ReduceKind::Sum:
    step = BinaryKind::Add;
    break;
  case ReduceKind::Prod:
    step = BinaryKind::Mul;
    break;
  case ReduceKind::Min:
    step = BinaryKind::Min;
    break;
  case ReduceKind::Max:
    step = BinaryKind::Max;
    break;
  default:
    return std::nullopt;
  }
  if (elements.empty())
    return std::nullopt;
  Result result = elements.front();
  for (const DimExpr &element : elements.drop_front()) {
    if (result)
      result = applyBinary(step, *result, element, /*isFloat=*/false);
    if (!result || !isManageable(*result))
      return std::nullopt;
  }
  return result;
}

/// Applies `step` to all operands' elements, broadcasting rank 0 and size 1.
static Tensor elementwise(ArrayRef<const Tensor *> operands, DType dtype,
                          function_ref<Result(ArrayRef<DimExpr>)> step) {
  SmallVector<Dims, 3> contents;
  size_t size = 1;
  bool scalar = true;
  for (const Tensor *operand : operands) {
    std::optional<Dims> known = contentsOf(*operand);
    if (!known)
      return Tensor();
    scalar &= operand->rank() == 0;
    if (known->size() != 1) {
      if (size != 1 && size != known->size())
        return Tensor();
      size = known->size();
    }
    contents.push_back(std::move(*known));
  }
  Dims result;
  for (size_t i = 0; i < size; ++i) {
    Dims elements;
    for (const Dims &operand : contents)
      elements.push_back(operand[operand.size() == 1 ? 0 : i]);
    Result element = step(elements);
    if (!element)
      return Tensor();
    result.push_back(*element);
  }
  return tensorFromContents(dtype, std::move(result), scalar);
}

Tensor contentsUnary(UnaryKind kind, const Tensor &x) {
  return elementwise({&x}, x.dtype(), [&](ArrayRef<DimExpr> e) {
    return applyUnary(kind, e[0]);
  });
}

Tensor contentsBinary(BinaryKind kind, const Tensor &a, const Tensor &b) {
  DType dtype = kind >= BinaryKind::Eq ? DType::Bool : a.dtype();
  return elementwise({&a, &b}, dtype, [&](ArrayRef<DimExpr> e) {
    return applyBinary(kind, e[0], e[1], isFloat(a.dtype()));
  });
}

Tensor contentsCast(const Tensor &x, DType to) {
  return elementwise({&x}, to,
                     [&](ArrayRef<DimExpr> e) { return applyCast(e[0], to); });
}

Tensor contentsSelect(const Tensor &condition, const Tensor &a,
                      const Tensor &b) {
  return elementwise({&condition, &a, &b}, a.dtype(),
                     [&](ArrayRef<DimExpr> e) -> Result {
                       if (!e[0].isConstant())
                         return std::nullopt;
                       return e[0].isConstant(0) ? e[2] : e[1];
                     });
}

} // namespace plmc::importer
