//===- KeepMask.cpp - What a mask expression means ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KeepMask.h"
#include "Depends.h"
#include "MaskExpression.h"
#include <cmath>
#include <random>

using namespace mlir;
using namespace plmc::plm;
using llvm::Error;
using llvm::Expected;

namespace plmc::recognition {
namespace {

/// exp(-1000) is 0 in every float type that a softmax is computed in.
constexpr double excludedBelow = -1000;

Error refuse(const llvm::Twine &reason) {
  return llvm::createStringError(reason);
}

/// What a term does at one score. Where another term excludes the score,
/// Other changes nothing any more, but Bad might undo it.
enum class Effect { Keep, Exclude, Other, Bad };

using FactorSizes = llvm::DenseMap<int, int64_t>;

/// One assignment of sizes and one value of the argument.
struct Probe {
  DimValues dims;
  HostTensor argument;
};

class Prover {
public:
  explicit Prover(const MaskQuestion &question)
      : question(question), terms(question.terms) {}
  Prover(const MaskQuestion &question, BlockArgument argument)
      : question(question), expression(argument), impliedOnly(true) {}
  Expected<Value> run();
  Error runImplied();

private:
  Error checkArgument();
  Value argumentAsMask();
  Error checkAll();
  std::vector<DimValues> sizes() const;
  std::vector<HostTensor> arguments(int64_t batch, int64_t keys);
  Error check(const Probe &probe);
  Error checkOtherUses();
  Error checkThreshold();
  Error compare(const Probe &probe,
                const llvm::DenseMap<Value, HostTensor> &values);

  const MaskQuestion &question;
  std::vector<MaskTerm> terms; // those of the question that are looked at
  MaskExpression expression;
  /// Only what is 0 in the argument has to be excluded.
  bool impliedOnly = false;
  std::mt19937 random{1}; // same probes in every run
  bool keptAny = false, excludedAny = false;
};

/// Position of each factor within the term's element index, for one term.
class TermReader {
public:
  TermReader(const MaskTerm &term, const HostTensor &value, Layout layout,
             const FactorSizes &sizes)
      : term(term), value(value), layout(std::move(layout)), sizes(sizes) {}

  /// The element at these positions of the factors, right-aligned and
  /// broadcast as in any elementwise op.
  double at(const llvm::DenseMap<int, int64_t> &position) const {
    int64_t index = 0, rank = value.rank(), offset = layout.size() - rank;
    for (int64_t dim = 0; dim < rank; ++dim) {
      int64_t here = 0;
      for (int factor : layout[offset + dim])
        here = here * sizes.lookup(factor) + position.lookup(factor);
      if (here >= value.shape[dim] && value.shape[dim] != 1)
        return NAN; // the types do not fit; never claimed to be a mask
      index = index * value.shape[dim] + (value.shape[dim] == 1 ? 0 : here);
    }
    return value.getDouble(index);
  }

  Effect effect(double number) const {
    auto excludes = [](double fill) {
      return fill <= excludedBelow ? Effect::Exclude
             : fill < 0            ? Effect::Other
                                   : Effect::Bad; // NaN too
    };
    if (std::isnan(number))
      return Effect::Bad;
    switch (term.kind) {
    case MaskTerm::Add:
      return number * term.scale == 0 ? Effect::Keep
                                      : excludes(number * term.scale);
    case MaskTerm::Keep:
      return number != 0 ? Effect::Keep : excludes(term.fill);
    case MaskTerm::Drop:
      return number == 0 ? Effect::Keep : excludes(term.fill);
    case MaskTerm::Factor:
      return number == 1                  ? Effect::Keep
             : number >= 0 && number <= 1 ? Effect::Other
                                          : Effect::Bad;
    case MaskTerm::Weight:
      return number == 1   ? Effect::Keep
             : number == 0 ? Effect::Exclude
                           : Effect::Bad;
    }
    llvm_unreachable("covered switch");
  }

private:
  const MaskTerm &term;
  const HostTensor &value;
  Layout layout; // resolved
  const FactorSizes &sizes;
};

/// The argument must be [batch, keys] of the scores, in this or another shape
/// with the same elements, as the [batch, choices, keys] of multiple choice.
Error Prover::checkArgument() {
  BlockArgument argument = expression.argument();
  if (!argument)
    return Error::success();
  Dims dims = dimsOf(argument);
  DimExpr batch = question.table.product(question.batch);
  DimExpr keys = question.table.product(question.key);
  for (size_t split = 0; split <= dims.size(); ++split)
    if (productOf(llvm::ArrayRef(dims).take_front(split)) == batch &&
        productOf(llvm::ArrayRef(dims).drop_front(split)) == keys)
      return Error::success();
  std::string shape;
  for (const DimExpr &dim : dims)
    shape += (shape.empty() ? "" : ", ") + dim.str();
  return refuse("the mask input has shape [" + shape +
                "], the scores have batch " + batch.str() + " and " +
                keys.str() + " keys");
}

/// The argument as [batch, keys]: the same value for whoever asks.
Value Prover::argumentAsMask() {
  BlockArgument argument = expression.argument();
  RankedTensorType type =
      makeTensorType({question.table.product(question.batch),
                      question.table.product(question.key)},
                     typeOf(argument).getElementType());
  Block *block = argument.getOwner();
  for (Operation *user : argument.getUsers())
    if (auto reshape = dyn_cast<ReshapeOp>(user);
        reshape && reshape.getType() == type && reshape->getBlock() == block) {
      reshape->moveBefore(block, block->begin());
      return reshape;
    }
  OpBuilder builder = OpBuilder::atBlockBegin(block);
  return reshapeTo(builder, argument.getLoc(), argument, getDims(type));
}

/// Small sizes, no two symbols alike; the first two in turn play batch and
/// length, whichever they are.
std::vector<DimValues> Prover::sizes() const {
  std::set<std::string> symbols = expression.symbols();
  for (const MaskTerm &term : terms)
    for (int factor : question.table.flatten(term.layout))
      for (const std::string &symbol : question.table.size(factor).symbols())
        symbols.insert(symbol);
  for (const Factors &factors : {question.batch, question.key})
    for (int factor : factors)
      for (const std::string &symbol : question.table.size(factor).symbols())
        symbols.insert(symbol);
  std::vector<DimValues> result;
  if (symbols.empty())
    return {{}};
  for (int64_t base : {2, 3, 1}) {
    DimValues ascending, descending;
    int64_t count = symbols.size(), index = 0;
    for (const std::string &symbol : symbols) {
      ascending[symbol] = base + index;
      descending[symbol] = base + 2 * (count - index);
      ++index;
    }
    result.push_back(ascending);
    result.push_back(descending);
  }
  return result;
}

std::vector<HostTensor> Prover::arguments(int64_t batch, int64_t keys) {
  DType dtype = DType::Bool;
  if (expression.argument())
    if (auto type =
            dtypeFromMLIR(typeOf(expression.argument()).getElementType()))
      dtype = *type;
  HostTensor zeros(dtype, {batch, keys});
  if (!expression.argument())
    return {zeros};
  std::vector<HostTensor> result{zeros};
  int64_t count = zeros.numElements();
  auto fill = [&](auto &&value) {
    HostTensor tensor = zeros;
    for (int64_t i = 0; i < count; ++i)
      tensor.setInt(i, value(i));
    result.push_back(std::move(tensor));
  };
  fill([](int64_t) { return 1; });
  fill([&](int64_t i) { return i == count / 2; });
  for (int round = 0; round < 4; ++round)
    fill([&](int64_t) { return random() & 1; });
  return result;
}

Error Prover::compare(const Probe &probe,
                      const llvm::DenseMap<Value, HostTensor> &values) {
  const FactorTable &table = question.table;
  FactorSizes sizes;
  auto note = [&](llvm::ArrayRef<int> factors) {
    for (int factor : factors) {
      std::optional<int64_t> size = table.size(factor).evaluate(probe.dims);
      if (!size || *size < 0)
        return false;
      sizes[factor] = *size;
    }
    return true;
  };
  // The factors to loop over: batch, key, and what some term depends on.
  Factors factors = question.batch;
  factors.append(question.key);
  bool known = note(factors);
  std::vector<TermReader> readers;
  for (const MaskTerm &term : terms) {
    const HostTensor &value = values.find(term.value)->second;
    if (value.rank() > int64_t(term.layout.size()))
      return refuse("the mask has more dimensions than the scores");
    int64_t offset = term.layout.size() - value.rank();
    Layout layout = table.resolve(term.layout);
    known &= note(table.flatten(layout));
    for (int64_t dim = 0; dim < value.rank(); ++dim)
      if (value.shape[dim] != 1)
        for (int factor : layout[offset + dim])
          if (!llvm::is_contained(factors, factor))
            factors.push_back(factor);
    readers.emplace_back(term, value, std::move(layout), sizes);
  }
  llvm::SmallVector<int64_t> extents;
  int64_t total = 1;
  for (int factor : factors) {
    extents.push_back(sizes.lookup(factor));
    if (!known || __builtin_mul_overflow(total, extents.back(), &total) ||
        total > 1 << 26)
      return refuse("the mask is too large to analyse");
  }
  llvm::DenseMap<int, int64_t> position;
  int64_t batchFactors = question.batch.size();
  int64_t keyFactors = question.key.size();
  for (int64_t flat = 0; flat < total; ++flat) {
    int64_t rest = flat;
    for (int64_t i = factors.size(); i-- > 0; rest /= extents[i])
      position[factors[i]] = rest % extents[i];
    int64_t argumentIndex = 0; // row major over batch, then key
    for (int64_t i = 0; i < batchFactors + keyFactors; ++i)
      argumentIndex = argumentIndex * extents[i] + position[factors[i]];

    bool excluded = false, neutral = true, bad = false;
    for (const auto &[term, reader] : llvm::zip(terms, readers)) {
      Effect effect = reader.effect(reader.at(position));
      excluded |= effect == Effect::Exclude && !term.afterSoftmax;
      neutral &= effect == Effect::Keep;
      bad |= effect == Effect::Bad;
    }
    bool keep =
        !expression.argument() || probe.argument.getDouble(argumentIndex) != 0;
    if (impliedOnly) {
      if (!keep && !excluded)
        return refuse("the mask does not exclude padding");
      continue;
    }
    if (bad || (!excluded && !neutral))
      return refuse("the mask does more than keep or exclude: it neither "
                    "leaves a score as it is nor lowers it below " +
                    llvm::Twine(int64_t(excludedBelow)));
    keptAny |= !excluded;
    excludedAny |= excluded;
    if (expression.argument() && keep == excluded)
      return refuse("the mask is not 'input is 1 at the key's position': it "
                    "depends on the query, or on something else");
  }
  return Error::success();
}

Error Prover::check(const Probe &probe) {
  auto values = expression.evaluate(probe.argument, probe.dims);
  if (!values)
    return values.takeError();
  return compare(probe, *values);
}

/// The probes are 0 and 1, so an input that holds other values has to be told
/// apart by its use: token ids are looked up, and `ids != pad` is no keep mask
/// of its own (a library would refuse ids that are neither 0 nor 1).
Error Prover::checkOtherUses() {
  llvm::SmallVector<Value> worklist{expression.argument()};
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      bool lookup = isa<EmbeddingOp>(user)
                        ? use.getOperandNumber() == 0
                        : isa<GatherOp, GatherElementsOp, GatherNDOp>(user) &&
                              use.getOperandNumber() == 1;
      if (lookup)
        return refuse("the mask is computed from ids that are looked up in a "
                      "table, not given as an input of its own");
      if (isa<CastOp, ReshapeOp, TransposeOp, BroadcastOp, SliceOp>(user))
        worklist.push_back(user->getResult(0));
    }
  }
  return Error::success();
}

/// A float input that is compared with something between 0 and 1 is a score,
/// not a mask.
Error Prover::checkThreshold() {
  Type element = typeOf(expression.argument()).getElementType();
  if (!isa<FloatType>(element))
    return Error::success();
  DimValues dims = sizes().front();
  auto batch = question.table.product(question.batch).evaluate(dims);
  auto keys = question.table.product(question.key).evaluate(dims);
  auto keeps = [&](double fill) {
    HostTensor argument(*dtypeFromMLIR(element), {*batch, *keys});
    for (int64_t i = 0; i < argument.numElements(); ++i)
      argument.setDouble(i, fill);
    return !errorToBool(check({dims, std::move(argument)}));
  };
  // check() takes every value but 0 for "keep": so a half-way value passes
  // where the mask keeps it.
  if (keeps(0.75) && !keeps(0.25))
    return refuse("the mask compares a float input with a threshold");
  return Error::success();
}

Error Prover::checkAll() {
  if (Error error = checkArgument())
    return error;
  for (const DimValues &dims : sizes()) {
    auto batch = question.table.product(question.batch).evaluate(dims);
    auto keys = question.table.product(question.key).evaluate(dims);
    if (!batch || !keys || *batch < 0 || *keys < 0 || *batch > 1 << 16 ||
        *keys > 1 << 16 || *batch * *keys > 1 << 22)
      return refuse("the mask's dimensions are too large to analyse");
    for (HostTensor &argument : arguments(*batch, *keys))
      if (Error error = check({dims, std::move(argument)}))
        return error;
  }
  return Error::success();
}

Expected<Value> Prover::run() {
  if (terms.empty())
    return Value();
  for (const MaskTerm &term : terms)
    if (Error error = expression.add(term.value))
      return std::move(error);
  if (Error error = checkAll())
    return std::move(error);
  if (expression.argument()) {
    if (Error error = checkOtherUses())
      return std::move(error);
    if (Error error = checkThreshold())
      return std::move(error);
    return argumentAsMask();
  }
  if (keptAny && !excludedAny)
    return Value();
  return refuse("the mask excludes positions, but no model input says which");
}

Error Prover::runImplied() {
  for (const MaskTerm &term : question.terms) {
    if (term.afterSoftmax || !dependsOn(term.value, expression.argument()))
      continue;
    if (Error error = expression.add(term.value))
      llvm::consumeError(std::move(error));
    else
      terms.push_back(term);
  }
  if (terms.empty())
    return refuse("the mask cannot be analysed");
  // A float may be a score between 0 and 1 that a threshold decides about.
  if (isa<FloatType>(typeOf(expression.argument()).getElementType()))
    return refuse("a float input is no keep mask of other masks");
  if (Error error = checkAll())
    return error;
  return checkOtherUses();
}

} // namespace

Error proveExcludesPadding(const MaskQuestion &question,
                           BlockArgument argument) {
  return Prover(question, argument).runImplied();
}

Expected<Value> proveKeepMask(const MaskQuestion &question) {
  return Prover(question).run();
}

} // namespace plmc::recognition
