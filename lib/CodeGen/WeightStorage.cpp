//===- WeightStorage.cpp - How a library holds its weights ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/CodeGen/WeightStorage.h"
#include "WeightSection.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace plmc;

namespace {
/// What weights are to the weights that name them, and to embeddings.
struct Roles {
  llvm::StringSet<> tables, parts, codebooks, maps;
  explicit Roles(ModuleOp module);
};
} // namespace

Roles::Roles(ModuleOp module) {
  auto add = [](llvm::StringSet<> &set, std::optional<StringRef> symbol) {
    if (symbol)
      set.insert(*symbol);
  };
  module.walk([&](Operation *op) {
    if (auto weight = dyn_cast<plk::WeightOp>(op)) {
      add(parts, weight.getScale());
      add(parts, weight.getZeroPoint());
      add(codebooks, weight.getCodebooks());
      add(maps, weight.getMap());
    }
    auto embed = dyn_cast<plk::EmbedOp>(op);
    if (!embed)
      return;
    add(tables, embed.getPosition());
    for (auto table : embed.getTables().getAsRange<FlatSymbolRefAttr>())
      tables.insert(table.getValue());
  });
}

static WeightStorage storageOf(plk::WeightOp weight, const Roles &roles) {
  WeightStorage storage{"norms and biases", "f32", "as they are"};
  StringRef name = weight.getSymName();
  bool isPart = roles.parts.contains(name), isMap = roles.maps.contains(name);
  if (isPart)
    storage.use = "scales and zero points";
  else if (weight.getPanel())
    storage.use = "products";
  else if (isMap)
    storage.use = "maps of ids";
  else if (roles.codebooks.contains(name))
    storage.use = "codebooks";
  else if (roles.tables.contains(name))
    storage.use = "tables";

  int64_t bits = weight.getBits();
  if (isPart || isMap) {
    storage.form = isMap ? "integers" : "as needed";
  } else if (weight.getPrecision() == plm::Precision::BF16) {
    storage.form = "bf16";
  } else if (weight.getCodebooks()) {
    storage.form = "codes";
    storage.read = "looked up as a row is read";
  } else if (weight.getQuantized() && bits <= 4) {
    storage.form = std::to_string(bits) + " bits, packed";
    storage.read = weight.getPanel() ? "unpacked in registers by the product"
                                     : "unpacked as a row is read";
  } else if (weight.getQuantized()) {
    storage.form = "8 bits";
  }
  storage.values = 1;
  for (int64_t size : weight.getShape())
    storage.values *= size;
  return storage;
}

std::vector<WeightStorage> WeightSection::storage(ModuleOp module) const {
  Roles roles(module);
  std::vector<WeightStorage> result;
  for (const Entry &entry : entries) {
    if (!entry.op)
      continue; // no weight of the model
    WeightStorage one{"constants of tensor operations", "as they are",
                      "as they are"};
    if (auto weight = dyn_cast<plk::WeightOp>(entry.op)) {
      one = storageOf(weight, roles);
    } else {
      auto parameter = dyn_cast<plm::ParameterOp>(entry.op);
      RankedTensorType type = parameter
                                  ? parameter.getTensorType()
                                  : cast<plm::ConstantOp>(entry.op).getType();
      one.values = type.getNumElements();
    }
    one.bytes = entry.bytes;
    auto known = llvm::find_if(result, [&](const WeightStorage &other) {
      return other.use == one.use && other.form == one.form;
    });
    if (known == result.end()) {
      result.push_back(std::move(one));
      continue;
    }
    known->values += one.values;
    known->bytes += one.bytes;
  }
  llvm::stable_sort(result, [](const WeightStorage &a, const WeightStorage &b) {
    return a.bytes > b.bytes;
  });
  return result;
}
