//===- DimSymbols.cpp - Names of dimensions and what is known of them -----===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DimSymbols.h"
#include "Diagnostics.h"
#include <algorithm>
#include <numeric>

using namespace llvm;

namespace plmc::importer {

std::optional<int64_t> lowerBound(const DimExpr &expr) {
  // With s = 1 + s', s' >= 0, the least value is the constant term as soon as
  // no other coefficient is negative.
  DimExpr shifted = expr.substitute([](StringRef name) {
    return std::optional<DimExpr>(DimExpr::symbol(name) + DimExpr(1));
  });
  if (shifted.hasOverflow())
    return std::nullopt;
  int64_t constant = 0;
  for (const auto &[monomial, coefficient] : shifted.getTerms()) {
    if (monomial.empty())
      constant = coefficient;
    else if (coefficient < 0)
      return std::nullopt;
  }
  return constant;
}

bool provenLessEqual(const DimExpr &a, const DimExpr &b) {
  std::optional<int64_t> bound = lowerBound(b - a);
  return bound && *bound >= 0;
}

bool isManageable(const DimExpr &expr) {
  if (expr.hasOverflow() || expr.getTerms().size() > 32)
    return false;
  for (const auto &[monomial, coefficient] : expr.getTerms())
    if (monomial.size() > 8 || coefficient == INT64_MIN)
      return false;
  return true;
}

std::string shapeText(ArrayRef<DimExpr> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i)
    text += (i ? ", " : "") + dims[i].str();
  return text + "]";
}

DimExpr productOf(ArrayRef<DimExpr> dims) {
  DimExpr result(1);
  for (const DimExpr &dim : dims)
    result = result * dim;
  return result;
}

DimExpr DimSymbols::get(const std::string &key, StringRef base) {
  auto [entry, isNew] = symbolOfKey.try_emplace(key);
  if (isNew) {
    std::string name = identifier(base);
    for (unsigned i = 2; !taken.insert(name).second; ++i)
      name = identifier(base) + "_" + std::to_string(i);
    entry->second = name;
    declared.push_back(name);
  }
  auto known = substitutions.find(entry->second);
  return known == substitutions.end() ? DimExpr::symbol(entry->second)
                                      : known->second;
}

DimExpr DimSymbols::declare(StringRef fileName) {
  return get(("n" + fileName).str(), fileName);
}

DimExpr DimSymbols::declareAnonymous(StringRef base) {
  return get(("a" + base).str(), base);
}

void DimSymbols::noteAxis(const DimExpr &dim, size_t rank, size_t axis) {
  // The first input that has a symbol says where it stands.
  if (std::vector<std::string> names = dim.symbols();
      names.size() == 1 && dim == DimExpr::symbol(names[0]))
    places.try_emplace(names[0], rank, axis);
}

size_t DimSymbols::ageOf(const std::string &symbol) const {
  return std::find(declared.begin(), declared.end(), symbol) - declared.begin();
}

/// Divides by the common factor of all terms: symbols are positive, so it
/// does not change where the expression is zero.
static DimExpr primitivePart(const DimExpr &expr) {
  if (expr.getTerms().empty())
    return expr;
  DimExpr::Monomial common = expr.getTerms().begin()->first;
  int64_t divisor = 0;
  for (const auto &[monomial, coefficient] : expr.getTerms()) {
    DimExpr::Monomial both;
    std::set_intersection(common.begin(), common.end(), monomial.begin(),
                          monomial.end(), std::back_inserter(both));
    common = both;
    divisor = std::gcd(divisor, coefficient);
  }
  if (divisor <= 0)
    return expr;
  DimExpr factor(divisor);
  for (const std::string &name : common)
    factor = factor * DimExpr::symbol(name);
  return expr.divideExactly(factor).value_or(expr);
}

DimSymbols::Outcome DimSymbols::equate(const DimExpr &a, const DimExpr &b) {
  if (a == b)
    return Outcome::Equal;
  DimExpr difference = a - b;
  if (!isManageable(difference))
    return Outcome::Unknown;
  difference = primitivePart(difference);
  if (difference.isConstant())
    return Outcome::Contradiction;
  // Solve for the youngest symbol that occurs once, alone, with factor +-1.
  const std::string *solved = nullptr;
  DimExpr value;
  for (const auto &[monomial, coefficient] : difference.getTerms()) {
    if (monomial.size() != 1 || (coefficient != 1 && coefficient != -1))
      continue;
    DimExpr rest = difference - DimExpr::symbol(monomial[0]) * coefficient;
    std::vector<std::string> others = rest.symbols();
    if (std::find(others.begin(), others.end(), monomial[0]) != others.end())
      continue;
    if (solved && ageOf(monomial[0]) < ageOf(*solved))
      continue;
    solved = &monomial[0];
    value = rest * DimExpr(-coefficient);
  }
  if (!solved)
    return equateFactors(difference);
  if (value.isConstant() && *value.constant() < 1)
    return Outcome::Contradiction;
  return substitute(*solved, value);
}

DimSymbols::Outcome DimSymbols::substitute(const std::string &name,
                                           const DimExpr &value) {
  auto replace = [&](StringRef symbol) {
    return symbol == name ? std::optional<DimExpr>(value) : std::nullopt;
  };
  for (auto &[symbol, known] : substitutions)
    known = known.substitute(replace);
  substitutions[name] = value;
  return Outcome::Substituted;
}

/// A product of sizes equals another, and no symbol can be solved for: a
/// multiple-choice model flattens [batch, choices, length] of each input and
/// adds the results, and its exporter gave every dimension of every input a
/// name of its own. Factors that are the same axis of inputs of the same rank
/// are taken to be equal, which is what the model means; a run checks it.
DimSymbols::Outcome DimSymbols::equateFactors(const DimExpr &difference) {
  if (difference.getTerms().size() != 2)
    return Outcome::Unknown;
  const auto &first = *difference.getTerms().begin();
  const auto &second = *std::next(difference.getTerms().begin());
  if (first.second != -second.second ||
      first.first.size() != second.first.size())
    return Outcome::Unknown;
  std::map<Place, std::string> counterpart;
  for (const std::string &name : second.first) {
    auto place = places.find(name);
    if (place == places.end() ||
        !counterpart.try_emplace(place->second, name).second)
      return Outcome::Unknown;
  }
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const std::string &name : first.first) {
    auto place = places.find(name);
    if (place == places.end() || !counterpart.count(place->second))
      return Outcome::Unknown;
    pairs.emplace_back(name, counterpart[place->second]);
    counterpart.erase(place->second);
  }
  for (auto &[name, other] : pairs) {
    if (ageOf(name) < ageOf(other))
      std::swap(name, other);
    substitute(name, DimExpr::symbol(other));
  }
  return Outcome::Substituted;
}

bool DimSymbols::equateNames(const DimExpr &a, const DimExpr &b) {
  DimExpr difference = a - b;
  if (!isManageable(difference))
    return false;
  difference = primitivePart(difference);
  std::vector<std::string> names = difference.symbols();
  if (names.size() != 2)
    return false;
  DimExpr apart = DimExpr::symbol(names[0]) - DimExpr::symbol(names[1]);
  if (difference != apart && difference != apart * DimExpr(-1))
    return false;
  return equate(a, b) == Outcome::Substituted;
}

} // namespace plmc::importer
