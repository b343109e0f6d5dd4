//===- DimExpr.cpp - Symbolic dimensions ------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/StringExtras.h"
#include <algorithm>
#include <set>

using namespace plmc;

DimExpr::DimExpr(int64_t constant) {
  if (constant)
    terms[{}] = constant;
}

DimExpr DimExpr::symbol(llvm::StringRef name) {
  DimExpr result;
  result.terms[{name.str()}] = 1;
  return result;
}

void DimExpr::add(const Monomial &monomial, int64_t coefficient) {
  int64_t &slot = terms[monomial];
  if (__builtin_add_overflow(slot, coefficient, &slot))
    overflowed = true;
  if (!slot)
    terms.erase(monomial);
}

DimExpr DimExpr::operator+(const DimExpr &other) const {
  DimExpr result = *this;
  result.overflowed |= other.overflowed;
  for (const auto &[monomial, coefficient] : other.terms)
    result.add(monomial, coefficient);
  return result;
}

DimExpr DimExpr::operator-(const DimExpr &other) const {
  return *this + other * DimExpr(-1);
}

DimExpr DimExpr::operator*(const DimExpr &other) const {
  DimExpr result;
  result.overflowed = overflowed || other.overflowed;
  for (const auto &[a, ca] : terms)
    for (const auto &[b, cb] : other.terms) {
      Monomial product;
      std::merge(a.begin(), a.end(), b.begin(), b.end(),
                 std::back_inserter(product));
      int64_t coefficient;
      if (__builtin_mul_overflow(ca, cb, &coefficient)) {
        result.overflowed = true;
        coefficient = 0;
      }
      if (coefficient)
        result.add(product, coefficient);
    }
  return result;
}

/// Leading term in graded order: highest degree, then the map's order. Any
/// fixed monomial order makes division by one polynomial well defined.
static std::pair<DimExpr::Monomial, int64_t>
leadingTerm(const std::map<DimExpr::Monomial, int64_t> &terms) {
  auto best = terms.begin();
  for (auto it = terms.begin(); it != terms.end(); ++it)
    if (it->first.size() > best->first.size())
      best = it;
  return *best;
}

std::optional<DimExpr> DimExpr::divideExactly(const DimExpr &divisor) const {
  if (divisor.terms.empty() || overflowed || divisor.overflowed)
    return std::nullopt;
  auto [leadMonomial, leadCoefficient] = leadingTerm(divisor.terms);
  DimExpr rest = *this, quotient;
  // Every step removes the leading term, so the degree sequence decreases;
  // the bound only guards against hostile sizes.
  for (int step = 0; !rest.terms.empty(); ++step) {
    if (step == 64)
      return std::nullopt;
    auto [monomial, coefficient] = leadingTerm(rest.terms);
    if (coefficient == INT64_MIN || coefficient % leadCoefficient ||
        !std::includes(monomial.begin(), monomial.end(), leadMonomial.begin(),
                       leadMonomial.end()))
      return std::nullopt;
    DimExpr term;
    Monomial ratio;
    std::set_difference(monomial.begin(), monomial.end(), leadMonomial.begin(),
                        leadMonomial.end(), std::back_inserter(ratio));
    term.terms[ratio] = coefficient / leadCoefficient;
    quotient = quotient + term;
    rest = rest - term * divisor;
    if (rest.overflowed || quotient.overflowed)
      return std::nullopt;
  }
  return quotient;
}

std::optional<int64_t> DimExpr::constant() const {
  if (overflowed)
    return std::nullopt;
  if (terms.empty())
    return 0;
  if (terms.size() == 1 && terms.begin()->first.empty())
    return terms.begin()->second;
  return std::nullopt;
}

std::vector<std::string> DimExpr::symbols() const {
  std::set<std::string> names;
  for (const auto &[monomial, coefficient] : terms)
    names.insert(monomial.begin(), monomial.end());
  return {names.begin(), names.end()};
}

DimExpr DimExpr::substitute(
    llvm::function_ref<std::optional<DimExpr>(llvm::StringRef)> map) const {
  DimExpr result;
  result.overflowed = overflowed;
  for (const auto &[monomial, coefficient] : terms) {
    DimExpr product(coefficient);
    for (const std::string &name : monomial) {
      std::optional<DimExpr> value = map(name);
      product = product * (value ? *value : symbol(name));
    }
    result = result + product;
  }
  return result;
}

std::optional<int64_t>
DimExpr::evaluate(const std::map<std::string, int64_t> &values) const {
  if (overflowed)
    return std::nullopt;
  int64_t sum = 0;
  for (const auto &[monomial, coefficient] : terms) {
    int64_t product = coefficient;
    for (const std::string &name : monomial) {
      auto it = values.find(name);
      if (it == values.end() ||
          __builtin_mul_overflow(product, it->second, &product))
        return std::nullopt;
    }
    if (__builtin_add_overflow(sum, product, &sum))
      return std::nullopt;
  }
  return sum;
}

std::string DimExpr::str() const {
  if (overflowed)
    return "overflow";
  if (terms.empty())
    return "0";
  // Positive terms first: "512 - sequence", never "-1*sequence + 512".
  std::vector<std::pair<Monomial, int64_t>> ordered(terms.begin(), terms.end());
  std::sort(ordered.begin(), ordered.end(), [](const auto &a, const auto &b) {
    if ((a.second > 0) != (b.second > 0))
      return a.second > 0;
    if (a.first.size() != b.first.size())
      return a.first.size() > b.first.size();
    return a.first < b.first;
  });
  std::string text;
  for (const auto &[monomial, coefficient] : ordered) {
    uint64_t magnitude = coefficient < 0
                             ? 0 - static_cast<uint64_t>(coefficient)
                             : static_cast<uint64_t>(coefficient);
    if (text.empty())
      text += coefficient < 0 ? "-" : "";
    else
      text += coefficient < 0 ? " - " : " + ";
    if (monomial.empty() || magnitude != 1)
      text += std::to_string(magnitude) + (monomial.empty() ? "" : "*");
    text += llvm::join(monomial, "*");
  }
  return text;
}

std::optional<DimExpr> DimExpr::parse(llvm::StringRef text) {
  DimExpr sum;
  text = text.trim();
  bool negative = text.consume_front("-");
  while (true) {
    DimExpr product(negative ? -1 : 1);
    do {
      text = text.ltrim();
      size_t length =
          text.find_if_not([](char c) { return llvm::isAlnum(c) || c == '_'; });
      llvm::StringRef token = text.take_front(length);
      if (token.empty())
        return std::nullopt;
      text = text.drop_front(token.size()).ltrim();
      if (llvm::isDigit(token.front())) {
        int64_t value;
        if (token.getAsInteger(10, value))
          return std::nullopt;
        product = product * DimExpr(value);
      } else {
        product = product * symbol(token);
      }
    } while (text.consume_front("*"));
    sum = sum + product;
    if (text.empty())
      break;
    if (text.consume_front("+"))
      negative = false;
    else if (text.consume_front("-"))
      negative = true;
    else
      return std::nullopt;
  }
  if (sum.overflowed)
    return std::nullopt;
  return sum;
}

llvm::SmallVector<DimExpr> plmc::getDims(mlir::RankedTensorType type) {
  llvm::SmallVector<DimExpr> dims;
  auto encoding = llvm::dyn_cast_if_present<plm::DimsAttr>(type.getEncoding());
  for (auto [index, size] : llvm::enumerate(type.getShape())) {
    if (!mlir::ShapedType::isDynamic(size)) {
      dims.push_back(DimExpr(size));
      continue;
    }
    std::optional<DimExpr> expr;
    if (encoding && index < encoding.getExprs().size())
      expr = DimExpr::parse(encoding.getExprs()[index].getValue());
    // A type without an encoding (hand-written IR): every unknown dimension
    // is its own symbol; verifiers of our ops do not let it get this far.
    dims.push_back(expr ? *expr
                        : DimExpr::symbol("unknown" + std::to_string(index)));
  }
  return dims;
}

mlir::RankedTensorType plmc::makeTensorType(llvm::ArrayRef<DimExpr> dims,
                                            mlir::Type elementType) {
  mlir::MLIRContext *context = elementType.getContext();
  llvm::SmallVector<int64_t> shape;
  llvm::SmallVector<mlir::StringAttr> exprs;
  bool dynamic = false;
  for (const DimExpr &dim : dims) {
    std::optional<int64_t> size = dim.constant();
    dynamic |= !size;
    shape.push_back(size ? *size : mlir::ShapedType::kDynamic);
    exprs.push_back(mlir::StringAttr::get(context, dim.str()));
  }
  return mlir::RankedTensorType::get(
      shape, elementType,
      dynamic ? plm::DimsAttr::get(context, exprs) : mlir::Attribute());
}
