//===- CalibrationSet.cpp - Real input for passes that need it ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/CalibrationSet.h"
#include "plmc/Calibration/Part.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Support/Npz.h"
#include "plmc/Support/ReadFile.h"
#include "plmc/Tokenizer/Tokenizer.h"
#include "llvm/Support/MemoryBuffer.h"
#include <algorithm>
#include <numeric>

using namespace mlir;
using namespace plmc;

namespace {

llvm::Error fail(const llvm::Twine &text) {
  return llvm::createStringError(text);
}

/// The tensor `name` if it is there, which must be integers of the ids' shape.
llvm::Expected<const HostTensor *> find(llvm::StringRef path,
                                        const NamedTensors &tensors,
                                        llvm::StringRef name,
                                        const HostTensor *ids) {
  auto it = tensors.find(name.str());
  if (it == tensors.end())
    return nullptr;
  const HostTensor &tensor = it->second;
  if (isFloat(tensor.dtype) || tensor.rank() != 2 ||
      (ids && tensor.shape != ids->shape))
    return fail(path + ": '" + name +
                "' must hold integers [sequences, length]" +
                (ids ? ", as 'input_ids'" : ""));
  return &tensor;
}

} // namespace

/// Adds the sequences of an .npz.
static llvm::Error addTensors(CalibrationSet &set, llvm::StringRef path) {
  llvm::Expected<NamedTensors> tensors = readNpz(path);
  if (!tensors)
    return tensors.takeError();
  auto ids = find(path, *tensors, "input_ids", nullptr);
  if (!ids)
    return ids.takeError();
  if (!*ids)
    return fail(path + ": there is no 'input_ids' [sequences, length] in it");
  auto mask = find(path, *tensors, "attention_mask", *ids);
  if (!mask)
    return mask.takeError();
  auto types = find(path, *tensors, "token_type_ids", *ids);
  if (!types)
    return types.takeError();

  int64_t count = (*ids)->shape[0], length = (*ids)->shape[1];
  for (int64_t row = 0; row < count; ++row) {
    std::vector<int64_t> tokens, kinds;
    for (int64_t i = row * length; i < (row + 1) * length; ++i) {
      if (*mask && (*mask)->getInt(i) == 0)
        continue;
      tokens.push_back((*ids)->getInt(i));
      kinds.push_back(*types ? (*types)->getInt(i) : 0);
      if (tokens.back() < 0)
        return fail(path + ": 'input_ids' has a negative id in sequence " +
                    llvm::Twine(row));
    }
    if (tokens.empty())
      continue;
    set.sequences.push_back(std::move(tokens));
    set.types.push_back(std::move(kinds));
    set.rows.push_back(row);
  }
  return llvm::Error::success();
}

/// Adds the lines of a text.
static llvm::Error addLines(CalibrationSet &set, llvm::StringRef path,
                            const Tokenizer &tokenizer, int64_t maxLength) {
  auto buffer = readRegularFile(path);
  if (!buffer)
    return fail("calibration data '" + path +
                "': " + llvm::toString(buffer.takeError()));
  EncodeOptions options;
  options.maxLength = maxLength;
  if (!maxLength && !tokenizer.maxLength())
    options.maxLength = 512; // no encoder's table of positions is shorter
  llvm::StringRef rest = (*buffer)->getBuffer();
  for (int64_t row = 0; !rest.empty(); ++row) {
    llvm::StringRef line;
    std::tie(line, rest) = rest.split('\n');
    line = line.trim();
    if (line.empty())
      continue;
    auto encoding = tokenizer.encode(line, options);
    if (!encoding)
      return encoding.takeError();
    if (encoding->ids.empty())
      continue;
    set.sequences.emplace_back(encoding->ids.begin(), encoding->ids.end());
    set.types.emplace_back(encoding->types.begin(), encoding->types.end());
    set.rows.push_back(row);
  }
  return llvm::Error::success();
}

llvm::Expected<CalibrationSet> CalibrationSet::read(llvm::StringRef text) {
  CalibrationPart part = CalibrationPart::parse(text);
  CalibrationSet set;
  std::unique_ptr<Tokenizer> tokenizer;
  for (const std::string &path : part.files()) {
    if (llvm::StringRef(path).ends_with_insensitive(".npz")) {
      if (llvm::Error error = addTensors(set, path))
        return error;
      continue;
    }
    if (!tokenizer) {
      if (part.tokenizer.empty())
        return fail("calibration data '" + llvm::Twine(path) +
                    "' is text: give the model's tokenizer (--tokenizer=FILE), "
                    "or an .npz of input_ids and attention_mask");
      auto opened = Tokenizer::open(part.tokenizer);
      if (!opened)
        return opened.takeError();
      tokenizer = std::move(*opened);
    }
    if (llvm::Error error = addLines(set, path, *tokenizer, part.maxLength))
      return error;
  }
  if (set.sequences.empty())
    return fail(part.path + ": there is no token in it; calibration needs some "
                            "hundred sequences");
  part.apply(set);
  if (set.sequences.empty())
    return fail(text + ": no sequence is in this part of the file");
  return set;
}

int64_t CalibrationSet::numTokens() const {
  int64_t count = 0;
  for (const auto &sequence : sequences)
    count += sequence.size();
  return count;
}

llvm::Expected<std::vector<double>>
CalibrationSet::frequencies(int64_t vocabulary) const {
  std::vector<double> counts(vocabulary, 0);
  for (const auto &sequence : sequences)
    for (int64_t id : sequence) {
      if (id < 0 || id >= vocabulary)
        return fail("calibration data has the id " + llvm::Twine(id) +
                    ", the model's table " + llvm::Twine(vocabulary) +
                    " rows; was it made with another tokenizer?");
      ++counts[id];
    }
  return counts;
}

namespace {

llvm::StringRef nameOf(BlockArgument argument) {
  auto func = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto name =
      func.getArgAttrOfType<StringAttr>(argument.getArgNumber(), "plm.name");
  return name ? name.getValue() : "";
}

enum class Role { Ids, Mask, Types, Positions };

llvm::Expected<std::vector<Role>> rolesOf(func::FuncOp func) {
  std::vector<Role> roles;
  for (BlockArgument argument : func.getArguments()) {
    llvm::StringRef name = nameOf(argument);
    auto type = cast<RankedTensorType>(argument.getType());
    bool isInteger = type.getElementType().isIntOrIndex();
    bool isMask = name.contains_insensitive("mask");
    if (type.getRank() != 2 || (!isInteger && !isMask))
      return fail("calibration cannot make up the input '" + name +
                  "': known are token ids, masks, token types and positions "
                  "[batch, sequence]");
    if (isMask)
      roles.push_back(Role::Mask);
    else if (name.contains_insensitive("type") ||
             name.contains_insensitive("segment"))
      roles.push_back(Role::Types);
    else if (name.contains_insensitive("position"))
      roles.push_back(Role::Positions);
    else
      roles.push_back(Role::Ids);
  }
  if (llvm::count(roles, Role::Ids) != 1)
    return fail("calibration needs a model with one input of token ids");
  return roles;
}

} // namespace

llvm::Expected<std::vector<CalibrationBatch>>
plmc::makeBatches(func::FuncOp func, const CalibrationSet &set,
                  int64_t tokensPerBatch) {
  auto roles = rolesOf(func);
  if (!roles)
    return roles.takeError();
  bool hasMask = llvm::is_contained(*roles, Role::Mask);
  std::vector<size_t> order(set.sequences.size());
  std::iota(order.begin(), order.end(), 0);
  auto lengthOf = [&](size_t i) { return int64_t(set.sequences[i].size()); };
  llvm::stable_sort(
      order, [&](size_t a, size_t b) { return lengthOf(a) < lengthOf(b); });

  std::vector<CalibrationBatch> batches;
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    // A model without a mask takes no padding.
    while (end < order.size() &&
           int64_t(end + 1 - begin) * lengthOf(order[end]) <= tokensPerBatch &&
           (hasMask || lengthOf(order[end]) == lengthOf(order[begin])))
      ++end;
    CalibrationBatch batch;
    batch.batch = end - begin;
    batch.length = lengthOf(order[end - 1]);
    batch.keep.assign(batch.batch * batch.length, 0);
    for (auto [role, argument] : llvm::zip(*roles, func.getArguments())) {
      auto type = cast<RankedTensorType>(argument.getType());
      auto dtype = dtypeFromMLIR(type.getElementType());
      if (!dtype)
        return fail("calibration cannot make up an input of type " +
                    llvm::Twine(argument.getArgNumber()));
      HostTensor tensor(*dtype, {batch.batch, batch.length});
      for (int64_t row = 0; row < batch.batch; ++row) {
        const auto &ids = set.sequences[order[begin + row]];
        const auto &kinds = set.types[order[begin + row]];
        for (int64_t i = 0; i < batch.length; ++i) {
          bool kept = i < int64_t(ids.size());
          int64_t at = row * batch.length + i;
          batch.keep[at] = kept;
          int64_t value = role == Role::Positions ? i
                          : !kept                 ? 0
                          : role == Role::Ids     ? ids[i]
                          : role == Role::Types   ? kinds[i]
                                                  : 1;
          tensor.setDouble(at, double(value));
        }
      }
      batch.inputs.push_back(std::move(tensor));
    }
    batches.push_back(std::move(batch));
    begin = end;
  }
  return batches;
}
