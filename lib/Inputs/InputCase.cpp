//===- InputCase.cpp - Made-up inputs for a model -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Inputs/InputRoles.h"

using namespace mlir;

namespace plmc {

StringRef maskShapeName(MaskShape shape) {
  switch (shape) {
  case MaskShape::None:
    return "none";
  case MaskShape::Right:
    return "right";
  case MaskShape::Left:
    return "left";
  case MaskShape::Holes:
    return "holes";
  case MaskShape::OneRowEmpty:
    return "one row empty";
  }
  return "";
}

bool InputCase::isRowEmpty(int64_t row) const {
  auto begin = keep.begin() + row * sequence;
  return std::none_of(begin, begin + sequence,
                      [](uint8_t kept) { return kept != 0; });
}

/// Values of all symbols for this size. Symbols that are neither the batch nor
/// the sequence get the sequence's size.
static std::map<std::string, int64_t>
bindSymbols(const InputRoles &roles, int64_t batch, int64_t sequence) {
  std::map<std::string, int64_t> values;
  auto bindAll = [&](const DimExpr &dim, int64_t value) {
    for (const std::string &symbol : dim.symbols())
      values.try_emplace(symbol, value);
  };
  bindAll(roles.batch, batch);
  bindAll(roles.sequence, sequence);
  for (const InputRole &role : roles.inputs)
    for (const DimExpr &dim : role.dims)
      bindAll(dim, sequence);
  return values;
}

static bool allowed(const InputRoles &roles,
                    const std::map<std::string, int64_t> &values) {
  for (const InputRoles::Constraint &constraint : roles.constraints) {
    std::optional<int64_t> value = constraint.expr.evaluate(values);
    if (!value || (constraint.equal ? *value != 0 : *value < 0))
      return false;
  }
  return true;
}

/// A number in [low, high]; the standard distributions differ by library.
static int64_t pick(std::mt19937_64 &random, int64_t low, int64_t high) {
  return low + int64_t(random() % uint64_t(high - low + 1));
}

static std::vector<uint8_t> makeMask(int64_t batch, int64_t sequence,
                                     MaskShape shape, std::mt19937_64 &random) {
  std::vector<uint8_t> keep(batch * sequence, 1);
  for (int64_t row = 0; row < batch; ++row) {
    uint8_t *kept = keep.data() + row * sequence;
    // The first row stays full, so that the batch is as long as it says.
    int64_t length =
        row == 0 && batch > 1 ? sequence : pick(random, 1, sequence);
    switch (shape) {
    case MaskShape::None:
      break;
    case MaskShape::OneRowEmpty:
      if (row == batch - 1)
        length = 0;
      [[fallthrough]];
    case MaskShape::Right:
      std::fill(kept + length, kept + sequence, 0);
      break;
    case MaskShape::Left:
      std::fill(kept, kept + sequence - length, 0);
      break;
    case MaskShape::Holes:
      for (int64_t i = 0; i < sequence; ++i)
        kept[i] = random() % 4 != 0;
      kept[pick(random, 0, sequence - 1)] = 1;
      break;
    }
  }
  return keep;
}

static void fill(HostTensor &tensor, const InputRole &role,
                 const InputCase &inputCase, std::mt19937_64 &random) {
  int64_t count = tensor.numElements();
  bool perToken = count == int64_t(inputCase.keep.size());
  for (int64_t i = 0; i < count; ++i)
    switch (role.kind) {
    case InputRole::Kind::Mask:
      tensor.setDouble(i, perToken ? inputCase.keep[i] : 1);
      break;
    case InputRole::Kind::Ids:
      tensor.setInt(i, pick(random, 0, role.limit - 1));
      break;
    case InputRole::Kind::Values:
      tensor.setDouble(i, double(pick(random, -1000, 1000)) / 500);
      break;
    }
}

std::optional<InputCase> makeCase(const InputRoles &roles, int64_t batch,
                                  int64_t sequence, MaskShape mask,
                                  std::mt19937_64 &random) {
  std::map<std::string, int64_t> values;
  for (; sequence > 0; --sequence) {
    values = bindSymbols(roles, batch, sequence);
    if (allowed(roles, values))
      break;
  }
  if (sequence == 0)
    return std::nullopt;
  std::optional<int64_t> rows = roles.batch.evaluate(values);
  std::optional<int64_t> columns = roles.sequence.evaluate(values);
  if (!rows || !columns || *rows < 1 || *columns < 1)
    return std::nullopt;
  InputCase result;
  result.batch = *rows;
  result.sequence = *columns;
  result.mask = roles.hasMask() ? mask : MaskShape::None;
  result.keep = makeMask(*rows, *columns, result.mask, random);
  for (const InputRole &role : roles.inputs) {
    SmallVector<int64_t> shape;
    for (const DimExpr &dim : role.dims) {
      std::optional<int64_t> size = dim.evaluate(values);
      if (!size || *size < 0)
        return std::nullopt;
      shape.push_back(*size);
    }
    result.inputs.emplace_back(role.dtype, shape);
    fill(result.inputs.back(), role, result, random);
  }
  return result;
}

} // namespace plmc
