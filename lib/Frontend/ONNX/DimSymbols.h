//===- DimSymbols.h - Names of dimensions and what is known of them *- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Two dimension names often turn out to mean one number: an exporter that
// calls the lengths of two inputs "input_ids_dim1" and "attention_mask_dim1",
// and a graph that adds the two. plm types say such a thing by using one name,
// but by then operations with the other name exist. So the equality is
// recorded here and the import starts over, which costs milliseconds; every
// round removes a name, so it ends.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_DIMSYMBOLS_H
#define PLMC_FRONTEND_ONNX_DIMSYMBOLS_H

#include "plmc/Dialect/PLM/DimExpr.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace plmc::importer {

/// The least value of an expression when every symbol is 1 or more (an empty
/// batch or sequence is refused at run time); nullopt when it has none or
/// none was found.
std::optional<int64_t> lowerBound(const DimExpr &expr);
/// a <= b whatever the dimensions are. False: not proven.
bool provenLessEqual(const DimExpr &a, const DimExpr &b);
/// No overflow, few enough terms and small enough coefficients to go on
/// computing with.
bool isManageable(const DimExpr &expr);
/// "[batch, 2*sequence, 384]".
std::string shapeText(llvm::ArrayRef<DimExpr> dims);
DimExpr productOf(llvm::ArrayRef<DimExpr> dims);

class DimSymbols {
public:
  /// The expression for a name of the file, made a valid and unique symbol;
  /// the same name gives the same symbol, in later rounds too.
  DimExpr declare(llvm::StringRef fileName);
  /// The expression of an anonymous dimension, named `base` if that is free.
  DimExpr declareAnonymous(llvm::StringRef base);

  /// Remembers that a dimension, if it is a symbol, is one of an input: of
  /// `rank` dimensions, the one at `axis`.
  void noteAxis(const DimExpr &dim, size_t rank, size_t axis);

  enum class Outcome { Equal, Substituted, Contradiction, Unknown };
  /// Makes two dimensions equal. Substituted: a symbol was replaced, start
  /// over. Contradiction: no positive sizes make them equal. Unknown: they
  /// may be equal for some sizes, but no symbol can be solved for.
  Outcome equate(const DimExpr &a, const DimExpr &b);
  /// Unifies two names if that is what makes the dimensions equal, and only
  /// then; true if it did: start over.
  bool equateNames(const DimExpr &a, const DimExpr &b);

private:
  /// Where among an input's dimensions a symbol stands: its rank and axis.
  using Place = std::pair<size_t, size_t>;
  DimExpr get(const std::string &key, llvm::StringRef base);
  size_t ageOf(const std::string &symbol) const;
  Outcome substitute(const std::string &name, const DimExpr &value);
  Outcome equateFactors(const DimExpr &difference);

  llvm::StringMap<std::string> symbolOfKey;
  std::vector<std::string> declared; // in order: the first name wins
  llvm::StringSet<> taken;
  std::map<std::string, Place> places;
  std::map<std::string, DimExpr> substitutions; // fully resolved
};

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_DIMSYMBOLS_H
