//===- TokenBatches.cpp - Token sequences as a model's inputs -------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/TokenBatches.h"
#include <algorithm>
#include <numeric>

using namespace mlir;
using llvm::Expected;

namespace plmc {

int64_t TokenBatch::keptIn(int64_t row) const {
  return std::count(keep.begin() + row * length,
                    keep.begin() + (row + 1) * length, 1);
}

namespace {

enum class Use { Words, Types, Positions, Mask };

llvm::Error fail(const Twine &text) { return llvm::createStringError(text); }

Expected<std::vector<Use>> usesOf(const InputRoles &roles) {
  const InputRole *words = nullptr;
  for (const InputRole &role : roles.inputs)
    if (role.kind == InputRole::Kind::Ids && role.dims.size() == 2 &&
        (!words || role.limit > words->limit))
      words = &role;
  if (!words)
    return fail("the model has no input of token ids [batch, sequence], so "
                "token sequences cannot be given to it");
  std::vector<Use> uses;
  for (const InputRole &role : roles.inputs) {
    StringRef name = role.name;
    if (&role == words)
      uses.push_back(Use::Words);
    else if (role.dims.size() != 2 || role.kind == InputRole::Kind::Values)
      return fail("input '" + name +
                  "' cannot be made up from token sequences: known are ids, "
                  "masks, token types and positions [batch, sequence]");
    else if (role.kind == InputRole::Kind::Mask)
      uses.push_back(Use::Mask);
    else if (name.contains_insensitive("position"))
      uses.push_back(Use::Positions);
    else if (name.contains_insensitive("type") ||
             name.contains_insensitive("segment") || role.limit <= 2)
      uses.push_back(Use::Types);
    else
      return fail("input '" + name +
                  "' cannot be made up from token sequences: it is neither "
                  "token types nor positions by its name");
  }
  return uses;
}

class Batcher {
public:
  Batcher(const InputRoles &roles, const CalibrationSet &set, int64_t tokens)
      : roles(roles), set(set), tokensPerBatch(tokens) {}
  Expected<std::vector<TokenBatch>> run();
  llvm::Error check();

private:
  Expected<TokenBatch> make(ArrayRef<size_t> rows);
  llvm::Error checkIds();
  llvm::Error checkConstraints(const TokenBatch &batch);
  int64_t lengthOf(size_t i) const { return set.sequences[i].size(); }
  int64_t valueOf(Use use, ArrayRef<int64_t> ids, ArrayRef<int64_t> types,
                  int64_t i) const;

  const InputRoles &roles;
  const CalibrationSet &set;
  int64_t tokensPerBatch;
  std::vector<Use> uses;
  int64_t fixedBatch = 0, fixedLength = 0; // 0: any
};

} // namespace

llvm::Error Batcher::checkIds() {
  for (auto [use, role] : llvm::zip(uses, roles.inputs))
    for (size_t i = 0; i < set.sequences.size(); ++i)
      for (int64_t id : use == Use::Words   ? set.sequences[i]
                        : use == Use::Types ? set.types[i]
                                            : std::vector<int64_t>()) {
        // A model may have no table to read a limit off.
        bool limited = role.limit > 2 || use == Use::Types;
        if (id < 0 || (limited && id >= role.limit))
          return fail("sequence " + Twine(i) + " of the calibration data has " +
                      (use == Use::Words ? "the id " : "the token type ") +
                      Twine(id) + ", the model's table has " +
                      Twine(role.limit) +
                      " rows; was it made with another tokenizer?");
      }
  return llvm::Error::success();
}

int64_t Batcher::valueOf(Use use, ArrayRef<int64_t> ids,
                         ArrayRef<int64_t> types, int64_t i) const {
  bool kept = i < int64_t(ids.size());
  switch (use) {
  case Use::Words:
    return kept ? ids[i] : 0;
  case Use::Types:
    return kept && i < int64_t(types.size()) ? types[i] : 0;
  case Use::Positions:
    return i;
  case Use::Mask:
    return kept;
  }
  return 0;
}

llvm::Error Batcher::checkConstraints(const TokenBatch &batch) {
  std::map<std::string, int64_t> values;
  auto bind = [&](const DimExpr &dim, int64_t value) {
    for (const std::string &symbol : dim.symbols())
      values.try_emplace(symbol, value);
  };
  bind(roles.batch, batch.batch);
  bind(roles.sequence, batch.length);
  for (const InputRoles::Constraint &constraint : roles.constraints) {
    std::optional<int64_t> value = constraint.expr.evaluate(values);
    if (value && (constraint.equal ? *value != 0 : *value < 0))
      return fail("sequence " + Twine(batch.sequences.back()) +
                  " of the calibration data has " + Twine(batch.length) +
                  " tokens, which the model does not take; cut them with "
                  "calibration.max-length");
  }
  return llvm::Error::success();
}

Expected<TokenBatch> Batcher::make(ArrayRef<size_t> rows) {
  TokenBatch batch;
  batch.used = rows.size();
  batch.sequences.assign(rows.begin(), rows.end());
  batch.batch = fixedBatch ? fixedBatch : rows.size();
  batch.length = fixedLength ? fixedLength : lengthOf(rows.back());
  batch.sequences.resize(batch.batch, rows.back());
  if (llvm::Error error = checkConstraints(batch))
    return std::move(error);
  batch.keep.assign(batch.batch * batch.length, 0);
  for (auto [use, role] : llvm::zip(uses, roles.inputs)) {
    HostTensor tensor(role.dtype, {batch.batch, batch.length});
    for (int64_t row = 0; row < batch.batch; ++row) {
      size_t sequence = batch.sequences[row];
      for (int64_t i = 0; i < batch.length; ++i) {
        int64_t at = row * batch.length + i;
        batch.keep[at] = i < lengthOf(sequence);
        tensor.setDouble(at, double(valueOf(use, set.sequences[sequence],
                                            set.types[sequence], i)));
      }
    }
    batch.inputs.push_back(std::move(tensor));
  }
  return batch;
}

llvm::Error Batcher::check() {
  Expected<std::vector<Use>> found = usesOf(roles);
  if (!found) {
    llvm::consumeError(found.takeError());
    return llvm::Error::success();
  }
  uses = std::move(*found);
  if (llvm::Error error = checkIds())
    return error;
  TokenBatch longest;
  longest.batch = 1;
  for (size_t i = 0; i < set.sequences.size(); ++i)
    if (lengthOf(i) > longest.length) {
      longest.length = lengthOf(i);
      longest.sequences = {i};
    }
  return longest.length ? checkConstraints(longest) : llvm::Error::success();
}

Expected<std::vector<TokenBatch>> Batcher::run() {
  Expected<std::vector<Use>> found = usesOf(roles);
  if (!found)
    return found.takeError();
  uses = std::move(*found);
  if (llvm::Error error = checkIds())
    return std::move(error);
  fixedBatch = roles.batch.constant().value_or(0);
  fixedLength = roles.sequence.constant().value_or(0);
  bool pads = roles.hasMask();
  std::vector<size_t> order(set.sequences.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::stable_sort(
      order, [&](size_t a, size_t b) { return lengthOf(a) < lengthOf(b); });
  if (fixedLength && !order.empty())
    if (int64_t longest = lengthOf(order.back());
        longest > fixedLength || (!pads && lengthOf(order[0]) != fixedLength))
      return fail("the model takes " + Twine(fixedLength) +
                  " tokens, a sequence of the calibration data has " +
                  Twine(longest > fixedLength ? longest : lengthOf(order[0])) +
                  (longest > fixedLength ? "; cut them with "
                                           "calibration.max-length"
                                         : ", and there is no mask"));
  std::vector<TokenBatch> batches;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    auto fits = [&](size_t next) {
      int64_t count = next + 1 - begin;
      return (fixedBatch ? count <= fixedBatch
                         : count * lengthOf(order[next]) <= tokensPerBatch) &&
             (pads || lengthOf(order[next]) == lengthOf(order[begin]));
    };
    while (end < order.size() && fits(end))
      ++end;
    Expected<TokenBatch> batch =
        make(ArrayRef(order).slice(begin, end - begin));
    if (!batch)
      return batch.takeError();
    batches.push_back(std::move(*batch));
    begin = end;
  }
  return std::move(batches);
}

Expected<std::vector<TokenBatch>> makeTokenBatches(const InputRoles &roles,
                                                   const CalibrationSet &set,
                                                   int64_t tokensPerBatch) {
  return Batcher(roles, set, tokensPerBatch).run();
}

llvm::Error checkTokens(const InputRoles &roles, const CalibrationSet &set) {
  return Batcher(roles, set, /*tokens=*/1).check();
}

} // namespace plmc
