//===- DimExpr.h - Symbolic dimensions --------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A dimension is a polynomial with integer coefficients over the model's
// dimension names: `384`, `batch`, `12*batch*sequence`, `512 - sequence`.
// Polynomials have one canonical form, so two dimensions are equal exactly
// when their expressions are, which is all that shape inference over
// Reshape, Expand, Slice and Concat chains needs. Affine expressions
// (mlir::AffineExpr) would not do: batch*sequence is not affine.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DIALECT_PLM_DIMEXPR_H
#define PLMC_DIALECT_PLM_DIMEXPR_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace plmc {

class DimExpr {
public:
  /// Sorted symbol names, with repetition: {"batch", "sequence"}; empty = 1.
  using Monomial = std::vector<std::string>;

  DimExpr(int64_t constant = 0);
  static DimExpr symbol(llvm::StringRef name);
  /// Parses the canonical spelling; nullopt on malformed text or overflow.
  static std::optional<DimExpr> parse(llvm::StringRef text);

  DimExpr operator+(const DimExpr &other) const;
  DimExpr operator-(const DimExpr &other) const;
  DimExpr operator*(const DimExpr &other) const;
  bool operator==(const DimExpr &other) const {
    return terms == other.terms && overflowed == other.overflowed;
  }
  bool operator!=(const DimExpr &other) const { return !(*this == other); }

  /// The quotient when the division leaves no rest for all values.
  std::optional<DimExpr> divideExactly(const DimExpr &divisor) const;

  std::optional<int64_t> constant() const;
  bool isConstant() const { return constant().has_value(); }
  bool isConstant(int64_t value) const { return constant() == value; }
  /// A symbol and nothing else.
  bool isSymbol() const {
    return !overflowed && terms.size() == 1 && terms.begin()->second == 1 &&
           terms.begin()->first.size() == 1;
  }
  /// True when a coefficient left the range of int64_t; nothing else about
  /// the expression is then meaningful.
  bool hasOverflow() const { return overflowed; }

  /// Every symbol that occurs, sorted, once each.
  std::vector<std::string> symbols() const;
  /// Replaces symbols for which the callback gives a value.
  DimExpr substitute(
      llvm::function_ref<std::optional<DimExpr>(llvm::StringRef)> map) const;
  /// Value under the given assignment; nullopt if a symbol is missing or the
  /// arithmetic overflows.
  std::optional<int64_t>
  evaluate(const std::map<std::string, int64_t> &values) const;

  std::string str() const;
  const std::map<Monomial, int64_t> &getTerms() const { return terms; }

private:
  void add(const Monomial &monomial, int64_t coefficient);
  std::map<Monomial, int64_t> terms; // no zero coefficients
  bool overflowed = false;
};

/// Dimensions of a tensor type, from its encoding where they are dynamic.
llvm::SmallVector<DimExpr> getDims(mlir::RankedTensorType type);
/// The tensor type with these dimensions; `?` and an encoding for symbolic
/// ones, a plain static type when all are constant.
mlir::RankedTensorType makeTensorType(llvm::ArrayRef<DimExpr> dims,
                                      mlir::Type elementType);

} // namespace plmc

#endif // PLMC_DIALECT_PLM_DIMEXPR_H
