//===- AttentionBias.cpp - The mask and the bias of an attention ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "AttentionBias.h"
#include "Depends.h"
#include <cmath>
#include <limits>

using namespace mlir;
using namespace plmc::plm;
using llvm::Error;
using llvm::Expected;

namespace plmc::recognition {

static Error refuse(const llvm::Twine &reason) {
  return llvm::createStringError(reason);
}

/// A score replaced by this is as good as excluded, so that adding serves as
/// well as replacing.
constexpr double certainlyExcluded = -1000;

/// What is added where a score is replaced: low enough to swallow the score, as
/// replacing does (a row of nothing else is an average), and so far from the
/// lowest float that several of them have a sum.
constexpr double replacement = -1e37;

//===----------------------------------------------------------------------===//
// Dividing
//===----------------------------------------------------------------------===//

/// `a + b` added to the scores is two terms.
static void split(const MaskTerm &term, std::vector<MaskTerm> &terms,
                  int depth = 0) {
  auto sum = term.value.getDefiningOp<BinaryOp>();
  if (term.kind != MaskTerm::Add || !sum || sum.getKind() != BinaryKind::Add ||
      depth > 16) {
    terms.push_back(term);
    return;
  }
  for (Value operand : sum->getOperands()) {
    MaskTerm part = term;
    part.value = operand;
    split(part, terms, depth + 1);
  }
}

/// The [batch, key] arguments that the terms are computed from.
static std::vector<BlockArgument> candidates(const FactorTable &table,
                                             llvm::ArrayRef<MaskTerm> terms,
                                             const AttentionAxes &axes) {
  std::vector<BlockArgument> result;
  if (terms.empty())
    return result;
  Value any = terms.front().value;
  Block *block = any.getParentBlock();
  for (BlockArgument argument : block->getArguments()) {
    Dims dims = dimsOf(argument);
    if (dims.size() == 2 && dims[0] == table.product(axes.batch) &&
        dims[1] == table.product(axes.key) &&
        llvm::any_of(terms, [&](const MaskTerm &term) {
          return dependsOn(term.value, argument);
        }))
      result.push_back(argument);
  }
  return result;
}

static Error checkBiasTerm(const MaskTerm &term) {
  if (term.kind == MaskTerm::Add)
    return Error::success();
  if (term.kind == MaskTerm::Keep || term.kind == MaskTerm::Drop) {
    if (term.fill <= certainlyExcluded)
      return Error::success();
    return refuse("masked scores are replaced by " + std::to_string(term.fill) +
                  ", which excludes nothing");
  }
  return refuse("the scores are multiplied by something that is not one "
                "constant");
}

/// After the softmax, a term must repeat what was decided before it.
static Error checkAfterSoftmax(FactorTable &table, const MaskTerm &term,
                               llvm::ArrayRef<MaskTerm> before,
                               const AttentionAxes &axes) {
  for (const MaskTerm &other : before)
    if (other.kind == term.kind && other.value == term.value)
      return Error::success();
  std::vector<MaskTerm> all(before);
  all.push_back(term);
  return proveKeepMask({table, all, axes.batch, axes.key}).takeError();
}

Expected<MaskAndBias> divideMask(FactorTable &table,
                                 llvm::ArrayRef<MaskTerm> terms,
                                 const AttentionAxes &axes) {
  Expected<Value> whole = proveKeepMask({table, terms, axes.batch, axes.key});
  if (whole)
    return MaskAndBias{*whole, {}};
  std::string reason = llvm::toString(whole.takeError());

  MaskAndBias result;
  std::vector<MaskTerm> before, masks, after;
  for (const MaskTerm &term : terms)
    if (term.afterSoftmax)
      after.push_back(term);
    else
      split(term, before);
  for (const MaskTerm &term : before) {
    Expected<Value> mask = proveKeepMask({table, term, axes.batch, axes.key});
    if (!mask)
      llvm::consumeError(mask.takeError());
    bool same = mask && (!*mask || !result.mask || *mask == result.mask);
    if (!same) {
      result.terms.push_back(term);
      continue;
    }
    if (*mask)
      result.mask = *mask;
    masks.push_back(term);
  }
  if (!result.mask)
    for (BlockArgument argument : candidates(table, result.terms, axes)) {
      Error error = proveExcludesPadding(
          {table, result.terms, axes.batch, axes.key}, argument);
      if (!error) {
        result.mask = argument;
        result.maskInBias = true;
        break;
      }
      llvm::consumeError(std::move(error));
    }

  for (const MaskTerm &term : result.terms)
    if (Error error = checkBiasTerm(term)) {
      llvm::consumeError(std::move(error));
      return refuse(reason);
    }
  for (const MaskTerm &term : after)
    if (Error error = checkAfterSoftmax(table, term,
                                        masks.empty() ? before : masks, axes)) {
      // What repeats a part of the bias does no harm either.
      bool repeats = llvm::any_of(before, [&](const MaskTerm &other) {
        return other.kind == term.kind && other.value == term.value;
      });
      if (!repeats)
        return std::move(error);
      llvm::consumeError(std::move(error));
    }
  return result;
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

namespace {

class BiasBuilder {
public:
  BiasBuilder(OpBuilder &builder, Location loc, FactorTable &table,
              const AttentionAxes &axes, Type element)
      : builder(builder), loc(loc), table(table), element(element),
        axes{&axes.batch, &axes.heads, &axes.query, &axes.key} {}

  /// The term's number at every score, in the term's own shape.
  Value number(const MaskTerm &term);
  /// The same as [batch, heads, queries, keys].
  Expected<Value> canonical(Value value, const MaskTerm &term);
  Value add(Value lhs, Value rhs);

private:
  Value constant(double value);

  OpBuilder &builder;
  Location loc;
  FactorTable &table;
  Type element;
  const Factors *axes[4];
};

} // namespace

Value BiasBuilder::constant(double value) {
  // The lowest double of a mask is meant as the lowest float.
  double lowest = std::numeric_limits<float>::lowest();
  if (element.isF32() && std::isfinite(value))
    value = std::max(value, lowest);
  auto type = RankedTensorType::get({}, element);
  return ConstantOp::create(
      builder, loc, type,
      DenseElementsAttr::get(type,
                             Attribute(builder.getFloatAttr(element, value))));
}

Value BiasBuilder::number(const MaskTerm &term) {
  auto type = makeTensorType(dimsOf(term.value), element);
  if (term.kind == MaskTerm::Add) {
    if (term.scale == 1)
      return term.value;
    return BinaryOp::create(
        builder, loc, type,
        BinaryKindAttr::get(builder.getContext(), BinaryKind::Mul), term.value,
        constant(term.scale));
  }
  Value zero = constant(0);
  Value fill = constant(std::isfinite(term.fill) ? replacement : term.fill);
  bool keep = term.kind == MaskTerm::Keep;
  return SelectOp::create(builder, loc, type, term.value, keep ? zero : fill,
                          keep ? fill : zero);
}

Expected<Value> BiasBuilder::canonical(Value value, const MaskTerm &term) {
  Dims own = dimsOf(value);
  Layout layout = table.resolve(term.layout);
  if (own.size() > layout.size())
    return refuse("the mask has more dimensions than the scores");
  Factors from;
  for (auto [dim, factors] :
       llvm::zip(own, llvm::ArrayRef<Factors>(layout).take_back(own.size()))) {
    if (dim.isConstant(1))
      continue;
    if (table.product(factors) != dim)
      return refuse("the mask has the size " + dim.str() +
                    " where the scores have " + table.product(factors).str());
    from.append(factors);
  }
  Factors to;
  Dims dims;
  for (const Factors *axis : axes) {
    Factors whole = table.resolve(*axis);
    size_t there = llvm::count_if(
        whole, [&](int factor) { return llvm::is_contained(from, factor); });
    if (there && there != whole.size())
      return refuse("the mask covers a part of an axis of the scores");
    dims.push_back(there ? table.product(whole) : DimExpr(1));
    if (there)
      to.append(whole);
  }
  if (to.size() != from.size())
    return refuse("the mask has an axis that the scores do not have");
  return buildView(builder, loc, value, table, from, to, dims);
}

Value BiasBuilder::add(Value lhs, Value rhs) {
  Dims dims = dimsOf(lhs);
  for (auto [dim, other] : llvm::zip(dims, dimsOf(rhs)))
    if (dim.isConstant(1))
      dim = other;
  return BinaryOp::create(
      builder, loc, makeTensorType(dims, element),
      BinaryKindAttr::get(builder.getContext(), BinaryKind::Add), lhs, rhs);
}

Expected<Value> buildBias(OpBuilder &builder, Location loc, FactorTable &table,
                          llvm::ArrayRef<MaskTerm> terms,
                          const AttentionAxes &axes, Type element) {
  BiasBuilder build(builder, loc, table, axes, element);
  Value sum;
  for (const MaskTerm &term : terms) {
    Expected<Value> value = build.canonical(build.number(term), term);
    if (!value)
      return value.takeError();
    sum = sum ? build.add(sum, *value) : *value;
  }
  return sum;
}

} // namespace plmc::recognition
