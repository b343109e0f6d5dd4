//===- Inventory.h - What of a model can be made smaller --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SEARCH_INVENTORY_H
#define PLMC_SEARCH_INVENTORY_H

#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace plmc {

/// Weights that get the same bits: those that read the same input (Q, K and V
/// run as one product only if they are stored alike).
struct MatrixGroup {
  std::vector<std::string> names; // of the parameters
  int64_t elements = 0;
  bool feedForward = false;   // gets smaller when neurons are pruned
  int64_t layer = -1;         // attentions before it, from 0; -1: none yet
  std::string role = "other"; // for people: "attention input"
};

struct Inventory {
  std::vector<MatrixGroup> groups; // in the order in which they run
  int64_t feedForwardWidth = 0;    // neurons of a layer; 0: there are none
  int64_t vocabulary = 0, tableWidth = 0; // of the largest embedding table
  int64_t layers = 0;                     // attentions

  /// "layer 3, feed-forward up"
  std::string nameOf(size_t group) const;
};

/// Of a recognized module. Weights that a step of quantization would leave
/// alone (small, shared or already quantised) are not in it.
Inventory takeInventory(mlir::ModuleOp module);

} // namespace plmc

#endif // PLMC_SEARCH_INVENTORY_H
